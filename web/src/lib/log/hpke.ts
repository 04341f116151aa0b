/**
 * Opening what was sealed to a key of this page: HPKE (RFC 9180) in base mode with X25519,
 * HKDF-SHA256 and AES-GCM, by Web Crypto alone.
 */
import { ascii, concat, type Bytes } from './bytes';

const KEY = 32;
const NONCE = 12;
const HASH = 32;
const VERSION = ascii('HPKE-v1');
const X25519_SHA256 = [0x00, 0x20];
const HKDF_SHA256 = [0x00, 0x01];
const KEM_SUITE = concat(ascii('KEM'), Uint8Array.from(X25519_SHA256));

/** AES-GCM by the bytes of its key: RFC 9180 numbers them apart. */
type KeyBytes = 16 | 32;
const AEAD: Record<KeyBytes, number> = { 16: 0x0001, 32: 0x0002 };

/** A key pair that this page drew: its private half never leaves the browser's key store. */
export interface Recipient {
  publicKey: Bytes;
  privateKey: CryptoKey;
}

export async function drawRecipient(): Promise<Recipient> {
  const pair = (await crypto.subtle.generateKey({ name: 'X25519' }, false, [
    'deriveBits',
  ])) as CryptoKeyPair;
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
  return { publicKey: new Uint8Array(raw), privateKey: pair.privateKey };
}

/** Opens `sealed` (encapsulated key, then ciphertext); throws where it was changed. */
export async function open(
  recipient: Recipient,
  sealed: Bytes,
  info: Bytes,
  aad: Bytes,
  keyBytes: KeyBytes = 32,
): Promise<Bytes> {
  const encapsulated = sealed.slice(0, KEY);
  const sender = await crypto.subtle.importKey('raw', encapsulated, { name: 'X25519' }, true, []);
  const shared = new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'X25519', public: sender }, recipient.privateKey, 256),
  );
  const context = concat(encapsulated, recipient.publicKey);
  const prk = await extract(KEM_SUITE, EMPTY, 'eae_prk', shared);
  const secret = await expand(KEM_SUITE, prk, 'shared_secret', context, HASH);
  const { key, nonce } = await schedule(secret, info, keyBytes);
  const opened = await crypto.subtle.decrypt(
    { name: 'AES-GCM', iv: nonce, additionalData: aad },
    await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']),
    sealed.slice(KEY),
  );
  return new Uint8Array(opened);
}

const EMPTY = new Uint8Array(0);

async function schedule(
  shared: Bytes,
  info: Bytes,
  keyBytes: KeyBytes,
): Promise<{ key: Bytes; nonce: Bytes }> {
  const aead = Uint8Array.from([0, AEAD[keyBytes]]);
  const suite = concat(
    ascii('HPKE'),
    Uint8Array.from([...X25519_SHA256, ...HKDF_SHA256]),
    aead,
  );
  const context = concat(
    Uint8Array.from([0]),
    await extract(suite, EMPTY, 'psk_id_hash', EMPTY),
    await extract(suite, EMPTY, 'info_hash', info),
  );
  const secret = await extract(suite, shared, 'secret', EMPTY);
  return {
    key: await expand(suite, secret, 'key', context, keyBytes),
    nonce: await expand(suite, secret, 'base_nonce', context, NONCE),
  };
}

async function hmac(key: Bytes, data: Bytes): Promise<Bytes> {
  // A key of no bytes and one of zeros are the same to HMAC; Web Crypto takes only the latter.
  const padded = key.length === 0 ? new Uint8Array(HASH) : key;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', padded, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, data));
}

function extract(suite: Bytes, salt: Bytes, label: string, input: Bytes): Promise<Bytes> {
  return hmac(salt, concat(VERSION, suite, ascii(label), input));
}

/** HKDF-Expand of at most one block: nothing longer than a hash is asked for. */
async function expand(
  suite: Bytes,
  key: Bytes,
  label: string,
  info: Bytes,
  length: number,
): Promise<Bytes> {
  const labeled = concat(Uint8Array.from([0, length]), VERSION, suite, ascii(label), info);
  const block = await hmac(key, concat(labeled, Uint8Array.from([1])));
  return block.slice(0, length);
}
