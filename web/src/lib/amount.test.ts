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
  for (const language of ['en', 'es', 'de']) {
    for (const currency of ['USD', 'JPY', 'KWD']) {
      expect(minorOf(typed(1250, currency, language), currency)).toBe(1250);
      expect(minorOf(exampleOf(currency, language), currency)).not.toBeNull();
    }
  }
});

it('writes as the language does', () => {
  expect([typed(5, 'USD', 'en'), typed(1250, 'USD', 'de'), typed(7, 'JPY', 'es')]).toEqual(['0.05', '12,50', '7']);
  expect([exampleOf('USD', 'es'), exampleOf('JPY', 'de'), exampleOf('KWD', 'en')]).toEqual(['12,50', '12', '12.500']);
});
