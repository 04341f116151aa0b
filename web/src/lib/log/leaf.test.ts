import { describe, expect, it } from 'vitest';
import { concat, unhex } from './bytes';
import { entriesOf, searchOf, timeOf } from './leaf';

/** The golden leaf of version 2 in crates/tlog/src/leaf.rs. */
const tagged = unhex(
  '0204000000006ab13b80' +
    'cc'.repeat(32) +
    '02' +
    '11'.repeat(16) +
    '00002710' +
    '02' +
    ('ab'.repeat(16) + 'aa'.repeat(16)).repeat(2),
);
const deleted = unhex('0105000000006ab13b80' + 'cc'.repeat(32) + '0100000002');

describe('leaves', () => {
  it('are read as the log writes them', () => {
    const search = searchOf(tagged, 7);
    expect(search).toEqual({
      position: 7,
      at: new Date(1_790_000_000_000),
      purpose: 2,
      searched: 10_000,
      tags: [1, 2].map(() => ({ query: 'ab'.repeat(16), tag: 'aa'.repeat(16) })),
    });
    expect(searchOf(deleted, 8)).toBeNull();
    expect(timeOf(deleted)).toEqual(new Date(1_790_000_000_000));
  });

  it('come in bundles, and a cut bundle is noticed', () => {
    const framed = (leaf: Uint8Array) => concat(Uint8Array.from([0, leaf.length]), leaf);
    const bundle = concat(framed(tagged), framed(deleted));
    expect(entriesOf(bundle).map((entry) => entry.length)).toEqual([tagged.length, deleted.length]);
    expect(() => entriesOf(bundle.subarray(0, bundle.length - 1))).toThrow('cut off');
    expect(() => searchOf(tagged.subarray(0, tagged.length - 1), 1)).toThrow('damaged');
  });
});
