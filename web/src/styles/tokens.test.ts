import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const source = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8');

/** A colour token's two values: by day and by night. */
function values(name: string): [string, string] {
  const text = new RegExp(`--${name}:\\s*([^;]+);`).exec(source)?.[1]?.trim();
  const pair = /^light-dark\((#\w+),\s*(#\w+)\)$/.exec(text ?? '');
  if (pair?.[1] !== undefined && pair[2] !== undefined) return [pair[1], pair[2]];
  if (text !== undefined && /^#\w{6}$/.test(text)) return [text, text];
  throw new Error(`--${name} is not a colour: ${text}`);
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG 2 contrast ratio. */
function contrast(one: string, two: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(two)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const grounds = ['ground', 'surface', 'raised', 'sunken'];
const texts = ['ink', 'ink-soft', 'brand', 'brand-strong'];
const pairs: [string, string][] = [
  ...grounds.flatMap((ground) => texts.map((text): [string, string] => [text, ground])),
  ['on-brand', 'brand'],
  ['on-brand', 'brand-strong'],
  ['brand-strong', 'brand-soft'],
  ['ink-soft', 'brand-soft'],
  ['on-go', 'go'],
  ['go-ink', 'go-soft'],
  ['on-stop', 'stop'],
  ['stop-ink', 'stop-soft'],
  ['stop-ink', 'raised'],
  ['stop-ink', 'surface'],
  ['on-wait', 'wait'],
  ['wait-ink', 'wait-soft'],
  ['on-calm', 'calm'],
  ['calm', 'calm-soft'],
  ['ink', 'go-soft'],
  ['ink', 'stop-soft'],
  ['ink', 'wait-soft'],
  ['ink', 'calm-soft'],
  ['ink-soft', 'calm-soft'],
  ['on-verdict-go', 'verdict-go'],
  ['on-verdict-stop', 'verdict-stop'],
  ['on-verdict-wait', 'verdict-wait'],
  ['on-verdict-calm', 'verdict-calm'],
];

describe('text is readable', () => {
  it.each(pairs)('%s on %s by day and by night', (text, ground) => {
    const [dayText, nightText] = values(text);
    const [dayGround, nightGround] = values(ground);
    expect(contrast(dayText, dayGround)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(nightText, nightGround)).toBeGreaterThanOrEqual(4.5);
  });

  it('is measured as the guideline does', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
  });
});

describe('edges and graphics are visible', () => {
  it.each([
    ['line-strong', 'raised'],
    ['line-strong', 'ground'],
    ['glow', 'raised'],
    ['glow', 'ground'],
    ['focus', 'ground'],
    ['focus', 'raised'],
  ])('%s on %s', (edge, ground) => {
    const [day, night] = values(edge);
    const [dayGround, nightGround] = values(ground);
    expect(contrast(day, dayGround)).toBeGreaterThanOrEqual(3);
    expect(contrast(night, nightGround)).toBeGreaterThanOrEqual(3);
  });
});

it('no page asks for a token that nobody defines', () => {
  const root = join(import.meta.dirname, '..');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const pages = files
    .filter((name) => /\.(svelte|css)$/.test(name))
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));
  const defined = new Set(
    pages.flatMap(({ text }) => [...text.matchAll(/(--[\w-]+)\s*[:=]/g)].map(([, token]) => token)),
  );
  const missing = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/var\((--[\w-]+)/g)]
      .filter(([, token]) => !defined.has(token))
      .map(([, token]) => `${name}: ${token}`),
  );
  expect(missing).toEqual([]);
});
