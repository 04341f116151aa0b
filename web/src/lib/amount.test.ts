import { expect, it } from 'vitest';
import { exampleOf, minorOf, typed } from './amount';

it('reads amounts exactly and refuses the rest', () => {
  expect(minorOf('12.50', 'USD')).toBe(1250);
  expect(minorOf(' 12,5 ', 'USD')).toBe(1250);
  expect(minorOf('7', 'JPY')).toBe(7);
  expect(minorOf('1.234', 'KWD')).toBe(1234);
  for (const [text, currency] of [
    ['', 'USD'],
    ['-1', 'USD'],
    ['1.234', 'USD'],
    ['1.0', 'JPY'],
    ['1e3', 'USD'],
    ['1,000.00', 'USD'],
    ['9999999999', 'USD'],
  ] as const) {
    expect(minorOf(text, currency), text).toBeNull();
  }
});

it('writes what it reads', () => {
  for (const currency of ['USD', 'JPY', 'KWD']) {
    expect(minorOf(typed(1250, currency), currency)).toBe(1250);
    expect(minorOf(exampleOf(currency), currency)).not.toBeNull();
  }
});
