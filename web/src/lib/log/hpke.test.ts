import { describe, expect, it } from 'vitest';
import { ascii, hex, unhex } from './bytes';
import { drawRecipient, open, type Recipient } from './hpke';

const base64url = (text: string) => Buffer.from(unhex(text)).toString('base64url');

/** RFC 9180, appendix A.1.1: X25519, HKDF-SHA256, AES-128-GCM, base mode, first encryption. */
const vector = {
  info: '4f6465206f6e2061204772656369616e2055726e',
  publicKey: '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d',
  privateKey: '4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8',
  enc: '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431',
  aad: '436f756e742d30',
  ciphertext:
    'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
  plaintext: '4265617574792069732074727574682c20747275746820626561757479',
};

async function recipientOfTheRfc(): Promise<Recipient> {
  const jwk = {
    kty: 'OKP',
    crv: 'X25519',
    d: base64url(vector.privateKey),
    x: base64url(vector.publicKey),
  };
  const privateKey = await crypto.subtle.importKey('jwk', jwk, { name: 'X25519' }, false, [
    'deriveBits',
  ]);
  return { publicKey: unhex(vector.publicKey), privateKey };
}

describe('HPKE', () => {
  const sealed = unhex(vector.enc + vector.ciphertext);

  it('opens what the RFC sealed', async () => {
    const recipient = await recipientOfTheRfc();
    const opened = await open(recipient, sealed, unhex(vector.info), unhex(vector.aad), 16);
    expect(hex(opened)).toBe(vector.plaintext);
  });

  it('opens nothing that was changed or was for somebody else', async () => {
    const recipient = await recipientOfTheRfc();
    const info = unhex(vector.info);
    const changed = sealed.slice();
    changed[40] = (changed[40] ?? 0) ^ 1;
    await expect(open(recipient, changed, info, unhex(vector.aad), 16)).rejects.toThrow();
    await expect(open(recipient, sealed, info, ascii('other'), 16)).rejects.toThrow();
    const other = await drawRecipient();
    await expect(open(other, sealed, info, unhex(vector.aad), 16)).rejects.toThrow();
  });
});
