/**
 * A check-in list's rule as a form has it, and as data (docs/ticketing.md). What the form makes of data
 * it gives back as the same rule, and data that is none is told apart.
 */
export const BOUNDS = ['at_least', 'at_most', 'more_than', 'less_than'] as const;
export const ANCHORS = ['doors', 'start', 'end'] as const;
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export const GROUPS = ['all', 'any'] as const;
export const MOMENTS = ['from', 'until'] as const;
export const LISTED = ['products', 'gates'] as const;
export const COUNTED = ['entries', 'entries_today', 'minutes_since_last_entry', 'minutes_since_first_entry'] as const;
export const KINDS = [...MOMENTS, 'daily', 'weekdays', ...LISTED, ...COUNTED, 'inside', ...GROUPS] as const;

export type Bound = (typeof BOUNDS)[number];
export type Anchor = (typeof ANCHORS)[number];
export type Day = (typeof DAYS)[number];
export type Kind = (typeof KINDS)[number];

/** One line of the form. It has room for what any kind needs, so that changing the kind loses nothing. */
export interface Condition {
  kind: Kind;
  /** Whether it must not hold. */
  not: boolean;
  inner: Condition[];
  of: Anchor;
  shift: string;
  from: string;
  until: string;
  days: Day[];
  names: string[];
  bound: Bound;
  count: string;
  inside: boolean;
}

export function condition(kind: Kind): Condition {
  return {
    kind,
    not: false,
    inner: [],
    of: 'doors',
    shift: '0',
    from: '18:00',
    until: '23:00',
    days: [],
    names: [],
    bound: 'less_than',
    count: '1',
    inside: false,
  };
}

const includes = <T extends string>(words: readonly T[], word: unknown): word is T =>
  (words as readonly unknown[]).includes(word);

/** A node's one key and what stands there; nothing else is a node. */
function only(node: unknown): [string, unknown] | null {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return null;
  const [entry, ...more] = Object.entries(node);
  return entry === undefined || more.length > 0 ? null : entry;
}

const wholeNumber = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value);
const texts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');
const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;

/** The form of a rule; null where the data is no rule. */
export function formOf(node: unknown): Condition | null {
  const entry = only(node);
  if (entry === null) return null;
  const [key, value] = entry;
  if (key === 'not') {
    const inner = formOf(value);
    return inner === null ? null : { ...inner, not: !inner.not };
  }
  if (!includes(KINDS, key)) return null;
  const made = condition(key);
  if (includes(GROUPS, key)) {
    const inner = Array.isArray(value) ? value.map(formOf) : [null];
    return inner.some((one) => one === null) ? null : { ...made, inner: inner as Condition[] };
  }
  return filled(made, value);
}

function filled(made: Condition, value: unknown): Condition | null {
  const kind = made.kind;
  if (kind === 'inside') return typeof value === 'boolean' ? { ...made, inside: value } : null;
  if (kind === 'weekdays') {
    return Array.isArray(value) && value.every((day) => includes(DAYS, day)) ? { ...made, days: value as Day[] } : null;
  }
  if (includes(LISTED, kind)) return texts(value) ? { ...made, names: value } : null;
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Record<string, unknown>;
  if (kind === 'daily') {
    const { from, until, ...more } = fields;
    const good = typeof from === 'string' && typeof until === 'string' && CLOCK.test(from) && CLOCK.test(until);
    return good && Object.keys(more).length === 0 ? { ...made, from, until } : null;
  }
  if (includes(MOMENTS, kind)) {
    const { of, shift_minutes: shift = 0, ...more } = fields;
    return includes(ANCHORS, of) && wholeNumber(shift) && Object.keys(more).length === 0
      ? { ...made, of, shift: String(shift) }
      : null;
  }
  const bound = only(value);
  return bound !== null && includes(BOUNDS, bound[0]) && wholeNumber(bound[1]) && bound[1] >= 0
    ? { ...made, bound: bound[0], count: String(bound[1]) }
    : null;
}

/** The rule of a form; null where a line lacks something. */
export function ruleOf(form: Condition): unknown {
  const node = nodeOf(form);
  return node === null ? null : form.not ? { not: node } : node;
}

function nodeOf(form: Condition): unknown {
  const { kind } = form;
  if (includes(GROUPS, kind)) {
    const inner = form.inner.map(ruleOf);
    return inner.length === 0 || inner.includes(null) ? null : { [kind]: inner };
  }
  if (includes(MOMENTS, kind)) {
    if (!/^-?\d{1,5}$/.test(form.shift.trim())) return null;
    const shift = Number(form.shift);
    return { [kind]: shift === 0 ? { of: form.of } : { of: form.of, shift_minutes: shift } };
  }
  if (kind === 'daily') {
    return CLOCK.test(form.from) && CLOCK.test(form.until) ? { daily: { from: form.from, until: form.until } } : null;
  }
  if (kind === 'weekdays') return form.days.length === 0 ? null : { weekdays: DAYS.filter((day) => form.days.includes(day)) };
  if (includes(LISTED, kind)) return form.names.length === 0 ? null : { [kind]: form.names };
  if (kind === 'inside') return { inside: form.inside };
  return /^\d{1,7}$/.test(form.count.trim()) ? { [kind]: { [form.bound]: Number(form.count) } } : null;
}
