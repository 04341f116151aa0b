// The pedestal's WebSocket messages, and what the page knows after each of them. Pure: the
// connection feeds events in, the screens draw the state.

import type { Biometrics, DeviceMode, Money, Scope, Side, Time } from '../api';

export type TicketProblem =
  | 'unknown_code'
  | 'other_event'
  | 'already_redeemed'
  | 'not_valid'
  | 'event_over';

export type Reason =
  | 'not_recognised'
  | 'ambiguous'
  | 'no_ticket'
  | 'already_redeemed'
  | 'no_biometrics'
  | 'already_linked'
  | 'declined_consent'
  | 'too_young'
  | 'guardian_wanted'
  | 'capture_timeout'
  | 'capture_refused'
  | 'vault_unavailable'
  | 'payment_declined'
  | 'payment_unknown'
  | 'no_wallet'
  | 'wallet_frozen'
  | 'age_not_known'
  | 'charge_expired'
  | 'charge_cancelled'
  | 'event_closed'
  | 'internal';

export type WayOn = 'qr_lane' | 'staff' | 'try_again' | 'sign_in' | 'other_way_to_pay' | 'nothing';

export type GuidanceState =
  | 'no_hand'
  | 'closer'
  | 'further'
  | 'too_dark'
  | 'glare'
  | 'hold_still'
  | 'tilt'
  | 'open_fingers'
  | 'one_hand_only'
  | 'turn_palm'
  | 'blurred'
  | 'move_to_centre'
  | 'ready'
  | 'wrong_hand'
  | 'take_hand_away';

export interface Guidance {
  state: GuidanceState;
  /** How much of the hold is done, 0 to 1. */
  hold: number;
  /** Where the hand is, relative to the frame: x to its width, y to its height, the radius to its shorter side. */
  hand: { x: number; y: number; radius: number } | null;
}

export interface ConsentText {
  version: string;
  language: string;
  title: string;
  paragraphs: string[];
  purposes: { id: string; text: string }[];
}

/** A charge as the customer sees it; `pay_qr` is the same charge for a phone, as SVG. */
export interface ChargeBrief {
  shop_name: string;
  number: string | number;
  amount: Money;
  pay_qr: string | null;
}

/** Whether palms are looked at; `unavailable` while a node of the vault is away. */
export type PalmsHere = Biometrics | 'unavailable';

export type PalmPurpose = 'enrol' | 'enter' | 'pay';

export type View =
  | {
      screen: 'welcome';
      event: { name: string; starts_at: Time } | null;
      biometrics: PalmsHere;
    }
  | { screen: 'show_ticket'; problem: TicketProblem | null }
  | {
      screen: 'consent';
      ticket: { event_name: string; venue_name: string; starts_at: Time; product: string };
      text: ConsentText;
      scopes: { id: Scope; until: Time }[];
      /** Accepting says that somebody is at least so old, or younger with a guardian's consent. */
      age: { from: number; by_guardian: boolean };
      /** Another text was agreed to a moment ago, which does not hold any more. */
      anew: boolean;
    }
  | { screen: 'younger'; minimum: number; own_consent_from: number }
  | { screen: 'choose_hands' }
  | {
      screen: 'palm';
      purpose: PalmPurpose;
      side: Side | 'either';
      palm: number;
      palms: number;
      taken: number;
      wanted: number;
      charge: ChargeBrief | null;
    }
  | { screen: 'pin'; charge: ChargeBrief; tries_left: number | null; wrong: boolean }
  | { screen: 'paying'; charge: ChargeBrief }
  | { screen: 'working' }
  | {
      screen: 'linked';
      palms: number;
      scope: Scope;
      until: Time;
      enters_tonight: boolean;
      mail_sent: boolean;
    }
  | { screen: 'choose_count'; available: number; max: number }
  | { screen: 'admitted'; count: number; direction: 'straight' | 'left' | 'right' }
  | { screen: 'waiting_for_charge'; shop_name: string; biometrics: PalmsHere }
  | {
      screen: 'paid';
      number: string | number;
      amount: Money;
      credit_used: Money | null;
      receipt_url: string | null;
      held: boolean;
      discount: Money | null;
    }
  | { screen: 'turned_away'; reason: Reason; way_on: WayOn };

export type ViewOf<S extends View['screen']> = Extract<View, { screen: S }>;

export type Source =
  | { kind: 'camera' }
  /** The server's own camera: this page only draws. */
  | { kind: 'kiosk' }
  | { kind: 'simulated'; fan: number; code: string | null };

export type ClientMessage =
  | { type: 'hello'; api_key: string; language: string }
  | ({ type: 'source' } & Source)
  | { type: 'begin' }
  | { type: 'ticket_code'; code: string }
  | { type: 'accept'; scope: Scope }
  | { type: 'decline' }
  | { type: 'younger' }
  | { type: 'age'; choice: 'minor' | 'too_young' }
  | { type: 'hands'; choice: 'one' | 'both' }
  | { type: 'count'; count: number }
  | { type: 'pin'; pin: string }
  | { type: 'cancel' }
  | { type: 'language'; language: string };

export type ServerMessage =
  | {
      type: 'view';
      simulated: boolean;
      mode: DeviceMode;
      view: View;
      guidance: Guidance | null;
    }
  | { type: 'problem'; slug: string; detail: string };

export type Event =
  | { kind: 'opened' }
  | { kind: 'closed' }
  | { kind: 'message'; message: ServerMessage };

export interface PedestalState {
  link: 'connecting' | 'open' | 'lost';
  mode: DeviceMode | null;
  simulated: boolean;
  view: View | null;
  guidance: Guidance | null;
  problem: { slug: string; detail: string } | null;
}

export const initial: PedestalState = {
  link: 'connecting',
  mode: null,
  simulated: false,
  view: null,
  guidance: null,
  problem: null,
};

/** What the page knows after `event`. A lost link keeps nothing on the screen that could be stale. */
export function reduce(state: PedestalState, event: Event): PedestalState {
  switch (event.kind) {
    case 'opened':
      return { ...initial, link: 'open', mode: state.mode };
    case 'closed':
      return { ...initial, link: 'lost', mode: state.mode, problem: state.problem };
    case 'message':
      return receive(state, event.message);
  }
}

function receive(state: PedestalState, message: ServerMessage): PedestalState {
  if (message.type === 'problem') {
    return { ...state, problem: { slug: message.slug, detail: message.detail } };
  }
  const { simulated, mode, view, guidance } = message;
  const sameScreen = state.view?.screen === view.screen;
  return {
    link: 'open',
    mode,
    simulated,
    view,
    guidance: guidance === null ? null : { ...guidance, hold: clamp(guidance.hold) },
    problem: sameScreen ? state.problem : null,
  };
}

function clamp(hold: number): number {
  return Number.isFinite(hold) ? Math.min(1, Math.max(0, hold)) : 0;
}

/** Reads one text message; null for what this page does not know, which it then ignores. */
export function parseMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return null;
  if (value.type === 'problem') {
    const { slug, detail } = value as { slug?: unknown; detail?: unknown };
    return { type: 'problem', slug: String(slug ?? 'unexpected'), detail: String(detail ?? '') };
  }
  if (value.type !== 'view' || !('view' in value)) return null;
  const view = value.view as { screen?: unknown } | null;
  if (view === null || typeof view?.screen !== 'string') return null;
  const message = value as Extract<ServerMessage, { type: 'view' }>;
  return { ...message, guidance: message.guidance ?? null };
}

/**
 * Whether camera frames leave the page. Only while a screen asks for a ticket or a palm: before the
 * consent nothing but the ticket is looked at, and between visits nothing at all.
 */
export function wantsFrames(state: PedestalState): boolean {
  if (state.link !== 'open' || state.view === null || state.simulated) return false;
  return ['show_ticket', 'palm'].includes(state.view.screen) || state.guidance !== null;
}

export type Tone = 'ready' | 'taken' | 'good' | 'wait' | 'bad';

/** The sound that belongs to a change of state, if any. */
export function cueOf(before: PedestalState, after: PedestalState): Tone | null {
  const [from, to] = [before.view, after.view];
  if (to === null) return null;
  if (from?.screen !== to.screen) return arrivalCue(to);
  if (from.screen === 'palm' && to.screen === 'palm') {
    if (to.taken > from.taken || to.palm > from.palm) return 'taken';
    const held = after.guidance?.state === 'ready' && before.guidance?.state !== 'ready';
    return held ? 'ready' : null;
  }
  if (from.screen === 'show_ticket' && to.screen === 'show_ticket') {
    return to.problem !== null && from.problem === null ? 'wait' : null;
  }
  return null;
}

function arrivalCue(view: View): Tone | null {
  switch (view.screen) {
    case 'consent':
      return 'taken';
    case 'admitted':
    case 'paid':
    case 'linked':
      return 'good';
    case 'turned_away':
      return ['declined_consent', 'too_young', 'guardian_wanted'].includes(view.reason)
        ? null
        : 'wait';
    default:
      return null;
  }
}
