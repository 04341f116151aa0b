import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'svelte/compiler';
import { describe, expect, it } from 'vitest';
import { de } from './de';
import { en } from './en';
import { es } from './es';

type Leaf = { path: string; text: string };

function leaves(node: unknown, path = ''): Leaf[] {
  if (typeof node === 'string') return [{ path, text: node }];
  return Object.entries(node as object).flatMap(([key, value]) => leaves(value, `${path}.${key}`));
}

const names = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

describe.each([
  ['es', es],
  ['de', de],
] as const)('the catalogue %s', (_, other) => {
  it('has exactly the keys of the English one', () => {
    expect(leaves(other).map((leaf) => leaf.path)).toEqual(leaves(en).map((leaf) => leaf.path));
  });

  it('fills the same values', () => {
    const wanted = new Map(leaves(en).map((leaf) => [leaf.path, names(leaf.text)]));
    for (const leaf of leaves(other)) {
      expect([leaf.path, names(leaf.text)]).toEqual([leaf.path, wanted.get(leaf.path)]);
    }
  });

  it('leaves no sentence empty that English has', () => {
    const english = new Map(leaves(en).map((leaf) => [leaf.path, leaf.text]));
    const empty = leaves(other).filter((leaf) => leaf.text === '' && english.get(leaf.path) !== '');
    expect(empty).toEqual([]);
  });

  it('is translated, apart from words that are the same', () => {
    const english = new Map(leaves(en).map((leaf) => [leaf.path, leaf.text]));
    const long = leaves(other).filter((leaf) => leaf.text.split(' ').length > 3);
    const same = long.filter((leaf) => english.get(leaf.path) === leaf.text);
    expect(same).toEqual([]);
  });
});

/** Attributes whose value a person reads or hears. */
const SPOKEN = ['aria-label', 'alt', 'title', 'placeholder', 'label', 'lead', 'hint', 'action'];
const hasLetters = (text: string): boolean => /\p{L}/u.test(text);

interface Node {
  type?: string;
  name?: string;
  data?: string;
  [key: string]: unknown;
}

/** Every text of a component's template that does not come from a catalogue. */
function bareText(source: string): string[] {
  const found: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const it = node as Node;
    if (it.type === 'Text' && hasLetters(it.data ?? '')) found.push((it.data ?? '').trim());
    if (it.type === 'Attribute' && !SPOKEN.includes(it.name ?? '')) return;
    if (it.type === 'ExpressionTag' || it.type === 'Comment') return;
    for (const [key, value] of Object.entries(it)) if (key !== 'metadata') visit(value);
  };
  visit(parse(source, { modern: true }).fragment);
  return [...new Set(found)];
}

describe('the components', () => {
  const root = join(import.meta.dirname, '../..');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.svelte'),
  );

  it('are found', () => expect(files.length).toBeGreaterThan(40));

  it.each(files)('%s has no bare text', (name) => {
    expect(bareText(readFileSync(join(root, name), 'utf8'))).toEqual([]);
  });

  it.each(files)('%s has no style attribute, which the content policy would refuse', (name) => {
    expect(readFileSync(join(root, name), 'utf8')).not.toMatch(/\sstyle="/);
  });

  it('would be caught with bare text', () => {
    expect(bareText('<p>Hello {name}</p><img alt="A palm" class="wide" />')).toEqual([
      'Hello',
      'A palm',
    ]);
  });
});
