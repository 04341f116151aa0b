// When a station's own language comes back. A language belongs to one person's visit.

import type { View } from './protocol';

type Screen = View['screen'];

/** Where nobody has begun. */
const HOME: readonly Screen[] = ['welcome', 'waiting_for_charge'];

/** How long a language stays that somebody chose and then touched nothing more, before anything began. */
export const UNTOUCHED_MS = 60_000;

export function isHome(screen: Screen | undefined): boolean {
  return screen !== undefined && HOME.includes(screen);
}

/**
 * Whether a visit ended with this change of screens, and its language with it. `chosenOn` is the
 * screen on which a language was chosen since the screen last changed: whoever chooses while the
 * pedestal still works for the one before is the next visitor, and keeps the choice.
 */
export function languageEnds(
  before: Screen | undefined,
  after: Screen | undefined,
  chosenOn: Screen | null,
): boolean {
  if (before === undefined || isHome(before) || !isHome(after)) return false;
  return !(before === 'working' && chosenOn === 'working');
}
