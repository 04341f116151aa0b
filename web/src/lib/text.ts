// Filling sentences of the catalogues.

export type Values = Record<string, string | number>;

/** A sentence that depends on a number. */
export interface Plural {
  readonly one: string;
  readonly other: string;
}

/** Replaces `{name}` by its value; a name without a value stays visible, so that tests see it. */
export function fill(sentence: string, values: Values): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : String(value);
  });
}

/** The right form for `n`, with `{n}` and further values filled in. */
export function plural(forms: Plural, n: number, language: string, values: Values = {}): string {
  const form = new Intl.PluralRules(language).select(n) === 'one' ? forms.one : forms.other;
  return fill(form, { n: new Intl.NumberFormat(language).format(n), ...values });
}

/** A text by a key that comes from the server and may be newer than this page. */
export function lookup(texts: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(texts, key) ? texts[key] : undefined;
}
