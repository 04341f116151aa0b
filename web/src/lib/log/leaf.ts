/** Leaves of the public log, as far as a page reads them; specified in crates/tlog/src/leaf.rs. */
import { hex } from './bytes';

const IDENTIFY = 4;
const TAG_BYTES = 16;
/** Version, kind, seconds, commitment. */
const HEAD_BYTES = 1 + 1 + 8 + 32;
const PLACE_BYTES = 16;

/** A search with its audit tags; query and tag in hexadecimal. */
export interface Search {
  position: number;
  at: Date;
  purpose: number;
  searched: number;
  tags: { query: string; tag: string }[];
}

/** The entries of a bundle (C2SP tlog-tiles): each behind its length in two bytes. */
export function entriesOf(bundle: Uint8Array): Uint8Array[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bundle.length) {
    if (at + 2 > bundle.length) throw new Error('a bundle of the log is cut off');
    const length = view.getUint16(at);
    at += 2;
    if (at + length > bundle.length) throw new Error('a bundle of the log is cut off');
    entries.push(bundle.subarray(at, at + length));
    at += length;
  }
  return entries;
}

/** When a leaf was made. */
export function timeOf(leaf: Uint8Array): Date {
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.byteLength);
  return new Date(Number(view.getBigUint64(2)) * 1000);
}

/** The search that a leaf tells of; null for every other kind, and for searches without tags. */
export function searchOf(leaf: Uint8Array, position: number): Search | null {
  if (leaf[0] !== 2 || leaf[1] !== IDENTIFY) return null;
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.byteLength);
  const purpose = leaf[HEAD_BYTES] ?? 0;
  const searchedAt = HEAD_BYTES + 1 + PLACE_BYTES;
  const searched = view.getUint32(searchedAt);
  const count = leaf[searchedAt + 4] ?? 0;
  const first = searchedAt + 5;
  if (leaf.length !== first + count * 2 * TAG_BYTES) throw new Error('a leaf is damaged');
  const tags = Array.from({ length: count }, (_, number) => {
    const start = first + number * 2 * TAG_BYTES;
    return {
      query: hex(leaf.subarray(start, start + TAG_BYTES)),
      tag: hex(leaf.subarray(start + TAG_BYTES, start + 2 * TAG_BYTES)),
    };
  });
  return { position, at: timeOf(leaf), purpose, searched, tags };
}
