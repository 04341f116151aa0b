import { describe, expect, it } from 'vitest';
import type { AuditedPalm } from '../api';
import { hex, unhex } from './bytes';
import { drawRecipient } from './hpke';
import type { Search } from './leaf';
import { groups } from './tiles';
import { matches, openParts } from './uses';

const search = (position: number, query: string, tag: string): Search => ({
  position,
  at: new Date(0),
  purpose: 2,
  searched: 3,
  tags: [{ query, tag }],
});

describe('uses in the log', () => {
  it('are those whose tag is the value of the palm, and no others', () => {
    const values = new Map([
      ['q1', 't1'],
      ['q2', 't2'],
    ]);
    const searches = [search(1, 'q1', 't1'), search(2, 'q2', 't1'), search(3, 'q3', 't2')];
    expect(matches(searches, values, 'lnk', 'left').map((use) => use.position)).toEqual([1]);
  });

  it('are not looked for in answers that lack a node or its signature', async () => {
    const recipient = await drawRecipient();
    const part = { node: 'A', sealed: '00'.repeat(64), signature: null };
    const palm: AuditedPalm = { side: 'left', parts: [part] };
    const three = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32));
    await expect(openParts(palm, recipient, [], three)).rejects.toThrow('did not answer');
    palm.parts = [part, { ...part, node: 'B' }, { ...part, node: 'C' }];
    await expect(openParts(palm, recipient, [], three)).rejects.toThrow('did not sign');
  });

  it('come from bundles that are named as C2SP names them', () => {
    expect(groups(0)).toBe('000');
    expect(groups(67)).toBe('067');
    expect(groups(1_234_067)).toBe('x001/x234/067');
    expect(hex(unhex('00ff10'))).toBe('00ff10');
  });
});
