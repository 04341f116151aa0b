import { describe, expect, it } from 'vitest';
import {
  cueOf,
  initial,
  parseMessage,
  reduce,
  wantsFrames,
  type Guidance,
  type PedestalState,
  type ServerMessage,
  type View,
} from './protocol';

const palm = (taken: number): View => ({
  screen: 'palm',
  purpose: 'enrol',
  side: 'left',
  palm: 1,
  palms: 1,
  taken,
  wanted: 3,
  charge: null,
});

const welcome: View = { screen: 'welcome', event: null, biometrics: 'allowed' };

function view(of: View, guidance: Guidance | null = null, simulated = false): ServerMessage {
  return { type: 'view', simulated, mode: 'enrol_outside', view: of, guidance };
}

function after(...messages: ServerMessage[]): PedestalState {
  const open = reduce(initial, { kind: 'opened' });
  return messages.reduce((state, message) => reduce(state, { kind: 'message', message }), open);
}

describe('the reducer', () => {
  it('draws the newest view', () => {
    expect(after(view(welcome), view(palm(1))).view).toEqual(palm(1));
  });

  it('keeps hold between 0 and 1, whatever comes', () => {
    const held = (hold: number): number | undefined =>
      after(view(palm(0), { state: 'ready', hold, hand: null })).guidance?.hold;
    expect([held(-1), held(0.4), held(7), held(Number.NaN)]).toEqual([0, 0.4, 1, 0]);
  });

  it('keeps nothing stale on the screen when the link is lost', () => {
    const lost = reduce(after(view(palm(2))), { kind: 'closed' });
    expect(lost).toMatchObject({ link: 'lost', view: null, guidance: null, mode: 'enrol_outside' });
    expect(reduce(lost, { kind: 'opened' }).view).toBeNull();
  });

  it('shows a problem until the screen changes', () => {
    const problem: ServerMessage = { type: 'problem', slug: 'frame_too_large', detail: 'Too large.' };
    const shown = after(view(palm(0)), problem);
    expect(shown.problem?.slug).toBe('frame_too_large');
    const same = reduce(shown, { kind: 'message', message: view(palm(1)) });
    expect(same.problem).not.toBeNull();
    const next = reduce(same, { kind: 'message', message: view(welcome) });
    expect(next.problem).toBeNull();
  });
});

describe('camera frames', () => {
  it('leave the page only while a ticket or a palm is asked for', () => {
    expect(wantsFrames(after(view(welcome)))).toBe(false);
    expect(wantsFrames(after(view({ screen: 'show_ticket', problem: null })))).toBe(true);
    expect(wantsFrames(after(view({ screen: 'choose_hands' })))).toBe(false);
    expect(wantsFrames(after(view(palm(0))))).toBe(true);
  });

  it('leave when the server guides, so that a hand that has to go is seen going', () => {
    const away = view({ screen: 'working' }, { state: 'take_hand_away', hold: 0, hand: null });
    expect(wantsFrames(after(away))).toBe(true);
  });

  it('stay when the scene is simulated or the link is away', () => {
    expect(wantsFrames(after(view(palm(0), null, true)))).toBe(false);
    expect(wantsFrames(reduce(after(view(palm(0))), { kind: 'closed' }))).toBe(false);
  });
});

describe('cues', () => {
  const cue = (from: View, to: View): string | null => cueOf(after(view(from)), after(view(to)));

  it('sound for each picture taken, and once', () => {
    expect(cue(palm(0), palm(1))).toBe('taken');
    expect(cue(palm(1), palm(1))).toBeNull();
  });

  it('tell an outcome apart', () => {
    expect(cue(palm(1), { screen: 'admitted', count: 2, direction: 'straight' })).toBe('good');
    const away: View = { screen: 'turned_away', reason: 'not_recognised', way_on: 'qr_lane' };
    expect(cue(palm(1), away)).toBe('wait');
    expect(cue(palm(1), { ...away, reason: 'declined_consent' })).toBeNull();
  });

  it('say that a hand is held well', () => {
    const at = (state: Guidance['state']): PedestalState =>
      after(view(palm(0), { state, hold: 0, hand: null }));
    expect(cueOf(at('closer'), at('ready'))).toBe('ready');
    expect(cueOf(at('ready'), at('ready'))).toBeNull();
  });
});

describe('parsing', () => {
  it('reads views and problems', () => {
    expect(parseMessage(JSON.stringify(view(welcome)))).toEqual(view(welcome));
    expect(parseMessage('{"type":"problem","slug":"x"}')).toEqual({
      type: 'problem',
      slug: 'x',
      detail: '',
    });
  });

  it('ignores what it does not know', () => {
    for (const text of ['', 'null', '[]', '{"type":"later"}', '{"type":"view"}', '{"type":"view","view":null}']) {
      expect(parseMessage(text)).toBeNull();
    }
  });
});
