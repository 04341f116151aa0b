import { unhex } from './bytes';

/** A node's public key, given in hexadecimal, as signatures are checked with it. */
export function verifying(key: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', unhex(key), 'Ed25519', false, ['verify']);
}
