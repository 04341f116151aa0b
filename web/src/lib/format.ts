import type { Money } from './api';

/** Digits after the point of a currency, as Intl knows them (yen 0, Kuwaiti dinar 3). */
export function fractionDigits(currency: string): number {
  const options = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions();
  return options.maximumFractionDigits ?? 2;
}

/** Minor units as an exact decimal text: no floating point touches money. */
export function decimalText(minor: number, digits: number): `${number}` {
  const sign = minor < 0 ? '-' : '';
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = digits === 0 ? '' : `.${text.slice(text.length - digits)}`;
  return `${sign}${whole}${fraction}` as `${number}`;
}

export function money(amount: Money, language: string): string {
  const format = new Intl.NumberFormat(language, { style: 'currency', currency: amount.currency });
  // Intl formats decimal strings exactly; older engines round them through a double, which is
  // still exact for every amount a counter takes.
  return format.format(decimalText(amount.minor, fractionDigits(amount.currency)) as never);
}

export function isZero(amount: Money | null | undefined): boolean {
  return amount === null || amount === undefined || amount.minor === 0;
}

export function number(value: number, language: string): string {
  return new Intl.NumberFormat(language).format(value);
}

function format(time: string, language: string, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime())
    ? time
    : new Intl.DateTimeFormat(language, options).format(date);
}

export function dateTime(time: string, language: string): string {
  return format(time, language, { dateStyle: 'medium', timeStyle: 'short' });
}

export function longDate(time: string, language: string): string {
  return format(time, language, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
}

export function date(time: string, language: string): string {
  return format(time, language, { dateStyle: 'medium' });
}

export function clock(time: string, language: string): string {
  return format(time, language, { timeStyle: 'short' });
}

export function clockSeconds(time: string, language: string): string {
  return format(time, language, { timeStyle: 'medium' });
}

export function dayNumber(time: string, language: string): string {
  return format(time, language, { day: 'numeric' }).replace(/\D/g, '');
}

export function monthShort(time: string, language: string): string {
  return format(time, language, { month: 'short' }).replace('.', '');
}

/** "3 minutes ago", in whole seconds, minutes, hours or days. */
export function ago(time: string, now: number, language: string): string {
  const seconds = Math.round((new Date(time).getTime() - now) / 1000);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (Math.abs(seconds) < 60) return relative.format(seconds, 'second');
  if (Math.abs(seconds) < 3600) return relative.format(Math.round(seconds / 60), 'minute');
  if (Math.abs(seconds) < 86_400) return relative.format(Math.round(seconds / 3600), 'hour');
  return relative.format(Math.round(seconds / 86_400), 'day');
}
