import { beforeAll, describe, expect, it } from 'vitest';
import type { NodeKeys, SearchTags } from '../api';
import { ascii, concat, hex, unhex, type Bytes } from './bytes';
import { checkTags } from './signedTags';

const DEPLOYMENT = 'd0'.repeat(16);
const QUERY = '9a'.repeat(16);
const PARTS = ['11', '2e', 'c4'].map((byte) => byte.repeat(16));
/** 11 xor 2e xor c4. */
const TAG = 'fb'.repeat(16);
const LEAF = [{ query: QUERY, tag: TAG }];

let pairs: CryptoKeyPair[];
let keys: NodeKeys;

beforeAll(async () => {
  const drawn = [0, 1, 2].map(() => crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']));
  pairs = (await Promise.all(drawn)) as CryptoKeyPair[];
  const raw = await Promise.all(pairs.map((pair) => crypto.subtle.exportKey('raw', pair.publicKey)));
  keys = { nodes: raw.map((key) => hex(new Uint8Array(key))), deployment: DEPLOYMENT };
});

/** A node's part and its signature, made by the recipe in words. */
async function signed(number: number, part: string, as = number, query = QUERY): Promise<string> {
  const said: Bytes = concat(
    ascii('handfast vault audit tag 1'),
    unhex(DEPLOYMENT),
    Uint8Array.of(as),
    unhex(query),
    unhex(part),
  );
  const key = pairs[number]?.privateKey;
  if (key === undefined) throw new Error('no such node');
  const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', key, said));
  return Buffer.from(concat(unhex(part), signature)).toString('base64url');
}

async function tags(change: (parts: string[]) => void = () => undefined): Promise<SearchTags> {
  const parts = await Promise.all(PARTS.map((part, number) => signed(number, part)));
  change(parts);
  return { deployment: DEPLOYMENT, searches: [{ query: QUERY, tag: TAG, parts }] };
}

describe('three nodes signed a search', () => {
  it('where signatures, sum and leaf hold', async () => {
    const said = await checkTags(await tags(), keys, LEAF);
    expect(said).toMatchObject({
      kind: 'signed',
      tags: [{ parts: PARTS.map((part) => ({ part, signed: true })), adds: true, logged: true }],
    });
  });

  it('not where a node signed another part, or as another node', async () => {
    const forged = await signed(1, 'ee'.repeat(16));
    const other = await checkTags(await tags((parts) => (parts[1] = forged)), keys, LEAF);
    expect(other).toMatchObject({ kind: 'wrong', tags: [{ adds: false, logged: true }] });
    const swapped = await signed(2, PARTS[1] ?? '', 1);
    const said = await checkTags(await tags((parts) => (parts[1] = swapped)), keys, LEAF);
    expect(said).toMatchObject({ kind: 'wrong', tags: [{ adds: true }] });
    if (said.kind !== 'wrong') throw new Error(said.kind);
    expect(said.tags[0]?.parts.map((part) => part.signed)).toEqual([true, false, true]);
  });

  it('not where the public log says something else', async () => {
    const elsewhere = [{ query: QUERY, tag: '00'.repeat(16) }];
    expect(await checkTags(await tags(), keys, elsewhere)).toMatchObject({
      kind: 'wrong',
      tags: [{ adds: true, logged: false }],
    });
  });

  it('not where the public log has a tag of the search that did not come, or one came twice', async () => {
    const of = await tags();
    const other = 'a9'.repeat(16);
    const two = [...LEAF, { query: other, tag: TAG }];
    expect(await checkTags(of, keys, two)).toMatchObject({ kind: 'wrong', all: false, tags: [{ adds: true, logged: true }] });
    const twice = { ...of, searches: [...of.searches, ...of.searches] };
    expect(await checkTags(twice, keys, two)).toMatchObject({ kind: 'wrong', all: false });
    expect(await checkTags(twice, keys, LEAF)).toMatchObject({ kind: 'wrong', all: false });
    expect(await checkTags(of, keys, [])).toMatchObject({ kind: 'wrong', all: false });
    const parts = await Promise.all(PARTS.map((part, number) => signed(number, part, number, other)));
    const both = { ...of, searches: [...of.searches, { query: other, tag: TAG, parts }] };
    expect(await checkTags(both, keys, two)).toMatchObject({ kind: 'signed' });
  });

  it('and are not ours where the vault is another one, or the form is', async () => {
    const of = await tags();
    expect(await checkTags(of, { ...keys, deployment: '00'.repeat(16) }, LEAF)).toEqual({ kind: 'foreign' });
    expect(await checkTags(of, { nodes: null, deployment: null }, LEAF)).toEqual({ kind: 'foreign' });
    const cut = await tags((parts) => (parts[0] = parts[0]?.slice(4) ?? ''));
    expect(await checkTags(cut, keys, LEAF)).toEqual({ kind: 'foreign' });
    const words = await tags((parts) => (parts[2] = 'not base 64!'));
    expect(await checkTags(words, keys, LEAF)).toEqual({ kind: 'foreign' });
    expect(await checkTags({ ...of, searches: [] }, keys, LEAF)).toEqual({ kind: 'foreign' });
  });
});
