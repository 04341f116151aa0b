/** The public log's files: newest size, and bundles of leaves (C2SP tlog-tiles). */
import { Problem } from '../api';

/** Leaves in a full bundle. */
export const BUNDLE = 256;

export async function sizeOfLog(): Promise<number> {
  const text = await (await file('/log/checkpoint')).text();
  const size = Number(text.split('\n')[1]);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('the log has no checkpoint');
  return size;
}

/** The bundle with this number, in a log of this size. */
export async function bundle(number: number, size: number): Promise<Uint8Array> {
  const width = Math.min(BUNDLE, size - number * BUNDLE);
  const full = `/log/tile/entries/${groups(number)}`;
  const response =
    width === BUNDLE
      ? await file(full)
      : // Once a bundle is full, its beginnings go.
        await file(`${full}.p/${width}`).catch(() => file(full));
  return new Uint8Array(await response.arrayBuffer());
}

/** 1234067 is x001/x234/067. */
export function groups(number: number): string {
  const digits = String(number);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const parts = padded.match(/.{3}/g) ?? [];
  return parts.map((part, at) => (at < parts.length - 1 ? `x${part}` : part)).join('/');
}

async function file(path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch {
    throw new Problem('offline', 0, '');
  }
  if (!response.ok) throw new Problem('offline', response.status, '');
  return response;
}
