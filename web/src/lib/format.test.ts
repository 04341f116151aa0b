import { describe, expect, it } from 'vitest';
import { ago, dayNumber, decimalText, fractionDigits, isZero, money } from './format';

const plain = (text: string): string => text.replace(/\s/g, ' ');

describe('money', () => {
  it('shows minor units as the language writes them', () => {
    const amount = { minor: 1250, currency: 'USD' };
    expect(plain(money(amount, 'en'))).toBe('$12.50');
    expect(plain(money(amount, 'de'))).toBe('12,50 $');
    expect(plain(money({ minor: 5, currency: 'EUR' }, 'es'))).toBe('0,05 €');
  });

  it('knows currencies with no decimals and with three', () => {
    expect(fractionDigits('JPY')).toBe(0);
    expect(fractionDigits('KWD')).toBe(3);
    expect(plain(money({ minor: 1250, currency: 'JPY' }, 'en'))).toBe('¥1,250');
    expect(plain(money({ minor: 1250, currency: 'KWD' }, 'en'))).toBe('KWD 1.250');
  });

  it('loses no unit where a double would', () => {
    expect(decimalText(9_007_199_254_740_991, 2)).toBe('90071992547409.91');
    expect(plain(money({ minor: 9_007_199_254_740_991, currency: 'USD' }, 'en'))).toBe(
      '$90,071,992,547,409.91',
    );
  });

  it('keeps the sign of what goes back', () => {
    expect(decimalText(-5, 2)).toBe('-0.05');
    expect(money({ minor: -1000, currency: 'USD' }, 'en')).toBe('-$10.00');
  });

  it('agrees with division for every small amount', () => {
    for (let minor = 0; minor < 2_000; minor += 1) {
      expect(decimalText(minor, 2)).toBe((minor / 100).toFixed(2));
    }
  });

  it('knows nothing from something', () => {
    expect(isZero(null)).toBe(true);
    expect(isZero({ minor: 0, currency: 'USD' })).toBe(true);
    expect(isZero({ minor: 1, currency: 'USD' })).toBe(false);
  });
});

describe('times', () => {
  const now = Date.parse('2026-06-01T20:00:00Z');
  it('are told in the unit that fits', () => {
    expect(ago('2026-06-01T19:59:58Z', now, 'en')).toBe('2 seconds ago');
    expect(ago('2026-06-01T19:57:00Z', now, 'de')).toBe('vor 3 Minuten');
    expect(ago('2026-05-31T20:00:00Z', now, 'es')).toBe('ayer');
  });
  it('show a day without the words that languages add', () =>
    expect(dayNumber('2026-06-01T12:00:00Z', 'de')).toBe('1'));
});
