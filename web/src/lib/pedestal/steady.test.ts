import { describe, expect, it } from 'vitest';
import type { Guidance, GuidanceState } from './protocol';
import { next, STEADY_MS, unsteady, type Steady } from './steady';

const hand = { x: 0.5, y: 0.5, radius: 0.2 };
const says = (state: GuidanceState, seen: Guidance['hand'] = hand) => ({
  about: 'enrol 1',
  guidance: { state, hold: 0.5, hand: seen },
});
const after = (...steps: [GuidanceState, number][]): Steady =>
  steps.reduce((steady, [state, at]) => next(steady, says(state), at), unsteady);

describe('the guidance that is drawn', () => {
  it('takes good news at once', () => {
    expect(after(['closer', 0], ['hold_still', 10]).state).toBe('hold_still');
    expect(after(['closer', 0], ['ready', 10]).state).toBe('ready');
    expect(after(['hold_still', 0], ['ready', 10]).state).toBe('ready');
  });

  it('passes over one bad frame', () => {
    const blurred = after(['ready', 0], ['blurred', 60]);
    expect(blurred).toMatchObject({ state: 'ready', since: 60 });
    expect(next(blurred, says('ready'), 120)).toMatchObject({ state: 'ready', since: null });
  });

  it('does not fall back from ready to hold still for one frame', () => {
    expect(after(['ready', 0], ['hold_still', 60]).state).toBe('ready');
  });

  it('says what lasts', () => {
    const steady = after(['ready', 0], ['closer', 100], ['closer', 100 + STEADY_MS]);
    expect(steady).toMatchObject({ state: 'closer', since: null });
  });

  it('does not stay at good when two bad kinds of frames take turns', () => {
    const steady = after(['ready', 0], ['closer', 100], ['blurred', 200], ['closer', 100 + STEADY_MS]);
    expect(steady.state).toBe('closer');
    expect(next(steady, says('blurred'), 400).state).toBe('closer');
  });

  it('keeps the place of a hand that is missing for a frame, and lets go of it later', () => {
    const seen = after(['ready', 0]);
    const missed = next(seen, says('no_hand', null), 60);
    expect(missed.hand).toEqual(hand);
    expect(next(missed, says('no_hand', null), 60 + STEADY_MS).hand).toBeNull();
  });

  it('starts afresh with the next palm', () => {
    const first = after(['ready', 0]);
    const second = next(first, { about: 'enrol 2', guidance: null }, 10);
    expect(second).toMatchObject({ state: 'no_hand', hand: null, since: null });
  });
});
