import { describe, expect, it } from 'vitest';
import { de } from './messages/de';
import { en } from './messages/en';
import { fill, lookup, plural } from './text';

describe('fill', () => {
  it('puts values in', () => expect(fill('{n} of {m}', { n: 1, m: 'two' })).toBe('1 of two'));
  it('leaves a name without a value to be seen', () => expect(fill('{x}', {})).toBe('{x}'));
  it('does not fill what a value brings in', () =>
    expect(fill('{a}{b}', { a: '{b}', b: 'c' })).toBe('{b}c'));
});

describe('plural', () => {
  const forms = en.lobby.tickets;
  it('knows one', () => expect(plural(forms, 1, 'en')).toBe('1 ticket'));
  it('knows none and many', () => {
    expect(plural(forms, 0, 'en')).toBe('0 tickets');
    expect(plural(forms, 1200, 'en')).toBe('1,200 tickets');
  });
  it('writes numbers as the language does', () =>
    expect(plural(de.lobby.tickets, 1200, 'de')).toBe('1.200 Tickets'));
});

it('looks up only what is a text of its own', () => {
  expect(lookup(en.problems, 'offline')).toBe(en.problems.offline);
  expect(lookup(en.problems, 'toString')).toBeUndefined();
});
