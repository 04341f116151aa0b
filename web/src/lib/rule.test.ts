import { describe, expect, it } from 'vitest';
import { KINDS, condition, formOf, ruleOf } from './rule';

const RULES = [
  { all: [{ from: { of: 'doors', shift_minutes: -30 } }, { until: { of: 'end' } }] },
  { any: [{ daily: { from: '18:00', until: '23:30' } }, { not: { weekdays: ['sat', 'sun'] } }] },
  { not: { all: [{ products: ['VIP'] }, { gates: ['North gate'] }] } },
  { entries: { less_than: 2 } },
  { entries_today: { at_most: 1 } },
  { minutes_since_last_entry: { at_least: 15 } },
  { minutes_since_first_entry: { more_than: 60 } },
  { inside: false },
];

const NONE = [
  null,
  {},
  [],
  'all',
  { all: [] , any: [] },
  { every: [] },
  { all: [{ nothing: 1 }] },
  { from: { of: 'noon' } },
  { from: { of: 'doors', hours: 1 } },
  { daily: { from: '25:00', until: '1:00' } },
  { weekdays: ['someday'] },
  { products: [1] },
  { entries: { less_than: -1 } },
  { entries: { less_than: 1.5 } },
  { entries: { about: 1 } },
  { inside: 'no' },
];

describe('a rule as a form', () => {
  it.each(RULES)('gives back the same data: %j', (rule) => {
    const form = formOf(rule);
    expect(form).not.toBeNull();
    expect(form && ruleOf(form)).toEqual(rule);
  });

  it.each(NONE)('is not made of what is no rule: %j', (data) => {
    expect(formOf(data)).toBeNull();
  });

  it('has a line for every kind, and says when one lacks something', () => {
    for (const kind of KINDS) {
      const made = ruleOf(condition(kind));
      const lacking = ['all', 'any', 'products', 'gates', 'weekdays'].includes(kind);
      expect(made === null).toBe(lacking);
      if (made !== null) expect(formOf(made)?.kind).toBe(kind);
    }
    expect(ruleOf({ ...condition('from'), shift: 'soon' })).toBeNull();
    expect(ruleOf({ ...condition('entries'), count: '-1' })).toBeNull();
  });

  it('takes a double negation for none', () => {
    const form = formOf({ not: { not: { inside: true } } });
    expect(form && ruleOf(form)).toEqual({ inside: true });
  });
});
