import { fractionDigits } from './format';

/**
 * What somebody typed as an amount, in minor units; null where it is none. A comma or a point
 * separates decimals, and there are at most as many as the currency has: no rounding, no guessing.
 */
export function minorOf(text: string, currency: string): number | null {
  const digits = fractionDigits(currency);
  const match = /^(\d{1,9})(?:[.,](\d+))?$/.exec(text.trim());
  if (match === null) return null;
  const fraction = match[2] ?? '';
  if (fraction.length > digits) return null;
  return Number(match[1] + fraction.padEnd(digits, '0'));
}

/** An example of how to write an amount of this currency. */
export function exampleOf(currency: string): string {
  const digits = fractionDigits(currency);
  return digits === 0 ? '12' : `12.${'50'.padEnd(digits, '0').slice(0, digits)}`;
}

/** An amount as a field shows it. */
export function typed(minor: number, currency: string): string {
  const digits = fractionDigits(currency);
  return (minor / 10 ** digits).toFixed(digits);
}
