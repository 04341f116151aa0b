import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { de } from './de';
import { en } from './en';
import { es } from './es';

/** The words of the admission engine, read from where it declares them. */
function words(name: string): string[] {
  const file = join(import.meta.dirname, '../../../../crates/boxoffice/src/outcome.rs');
  const source = readFileSync(file, 'utf8');
  const start = source.indexOf(`pub enum ${name} {`);
  expect(start).toBeGreaterThan(0);
  const body = source.slice(start, source.indexOf('\n    }\n', start));
  return [...body.matchAll(/= "(\w+)"/g)].map((match) => match[1] ?? '');
}

/** Said at a palm lane, or said well enough by the outcome's own advice. */
const ELSEWHERE = [
  'order_unpaid',
  'ticket_cancelled',
  'withdrawn',
  'held_back',
  'entered_before',
  'not_recognised',
  'several_palms',
  'no_ticket',
  'no_biometrics',
];

describe.each([
  ['en', en],
  ['es', es],
  ['de', de],
] as const)('the scan page in %s', (_, messages) => {
  it('has a word and advice for every outcome', () => {
    const outcomes = words('Outcome');
    expect(outcomes.length).toBeGreaterThan(12);
    expect(outcomes.filter((word) => !(word in messages.scan.outcomes))).toEqual([]);
    expect(outcomes.filter((word) => !(word in messages.scan.advice))).toEqual([]);
  });

  it('has a sentence for every reason that an agent meets', () => {
    const reasons = words('Reason').filter((word) => !ELSEWHERE.includes(word));
    expect(reasons.filter((word) => !(word in messages.scan.reasons))).toEqual([]);
  });
});
