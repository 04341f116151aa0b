import { decimalText, fractionDigits } from './format';

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

/** What stands before the decimals in a language. */
function separator(language: string): string {
  const parts = new Intl.NumberFormat(language).formatToParts(0.5);
  return parts.find(({ type }) => type === 'decimal')?.value ?? '.';
}

/** An example of how to write an amount of this currency. */
export function exampleOf(currency: string, language: string): string {
  const digits = fractionDigits(currency);
  return typed(digits === 0 ? 12 : 1250 * 10 ** (digits - 2), currency, language);
}

/** An amount as a field shows it: what `minorOf` reads, with the language's own separator. */
export function typed(minor: number, currency: string, language: string): string {
  return decimalText(minor, fractionDigits(currency)).replace('.', separator(language));
}
