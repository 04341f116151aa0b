/**
 * A ticket's rotating code, as the phone shows it by itself: the TOTP of RFC 6238 with HMAC-SHA-1.
 * The same scheme as Google Wallet's rotating barcodes; `rotating_code.rs` reads it at the gate.
 */
import type { RotatingSecret } from './api';

/** Which step of the code's clock a moment lies in. */
export function stepAt(ms: number, periodSeconds: number): number {
  return Math.floor(ms / 1000 / periodSeconds);
}

/** How much of its step is over at a moment, from 0 to 1. */
export function shareOver(ms: number, periodSeconds: number): number {
  return (ms / 1000 / periodSeconds) % 1;
}

/** A secret in base 16 as the browser's own cryptography takes it; it cannot be read back from there. */
export async function keyOf(secret: string): Promise<CryptoKey> {
  const bytes = Uint8Array.from(secret.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign']);
}

/** The digits of a step. */
export async function totp(key: CryptoKey, step: number, digits: number): Promise<string> {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const hash = new DataView(await crypto.subtle.sign('HMAC', key, counter.buffer));
  const offset = hash.getUint8(19) & 0xf;
  const word = hash.getUint32(offset) & 0x7fffffff;
  return String(word % 10 ** digits).padStart(digits, '0');
}

/** What the phone keeps of a secret: what it needs to show codes, and how wrong its clock is. */
export interface Shown {
  readonly beginning: string;
  readonly key: CryptoKey;
  readonly digits: number;
  readonly periodSeconds: number;
  readonly aheadMs: number;
}

/** `before` and `after` are this clock's times around the request: the answer was made in between. */
export async function shownFrom(secret: RotatingSecret, before: number, after: number): Promise<Shown> {
  return {
    beginning: secret.beginning,
    key: await keyOf(secret.secret),
    digits: secret.digits,
    periodSeconds: secret.period_seconds,
    aheadMs: Date.parse(secret.now) - (before + after) / 2,
  };
}

/** The code to show at a moment of this clock. */
export async function codeAt(shown: Shown, ms: number): Promise<string> {
  const step = stepAt(ms + shown.aheadMs, shown.periodSeconds);
  return shown.beginning + (await totp(shown.key, step, shown.digits));
}
