// Guidance without flicker. Frames are judged one by one, and single ones go wrong; words that
// change with every frame cannot be read. Pure: time comes in as a number.

import type { Guidance, GuidanceState } from './protocol';

/** Shorter changes are not drawn. About four frames: one bad frame passes, a person does not wait. */
export const STEADY_MS = 250;

/** Good news is never held back: who holds still is told at once. */
const AT_ONCE: readonly GuidanceState[] = ['hold_still', 'ready'];

export interface Steady {
  /** What is being asked; the next question starts afresh. */
  about: string;
  state: GuidanceState;
  hold: number;
  hand: Guidance['hand'];
  /** Since when the server has said something else than what is drawn, if it does. */
  since: number | null;
}

export const unsteady: Steady = {
  about: '',
  state: 'no_hand',
  hold: 0,
  hand: null,
  since: null,
};

function better(from: GuidanceState, to: GuidanceState): boolean {
  return AT_ONCE.indexOf(to) > AT_ONCE.indexOf(from);
}

/** What is drawn after the server said `guidance` at `now`, or after it has said nothing new until `now`. */
export function next(
  before: Steady,
  said: { about: string; guidance: Guidance | null },
  now: number,
): Steady {
  const wanted = said.guidance?.state ?? 'no_hand';
  const hold = said.guidance?.hold ?? 0;
  const hand = said.guidance?.hand ?? null;
  const fresh = said.about !== before.about;
  if (fresh || wanted === before.state || better(before.state, wanted)) {
    return { about: said.about, state: wanted, hold, hand, since: null };
  }
  const since = before.since ?? now;
  if (now - since >= STEADY_MS) return { ...before, state: wanted, hold, hand, since: null };
  // The place of the hand follows at once; only where it went is waited for.
  return { ...before, hold, hand: hand ?? before.hand, since };
}
