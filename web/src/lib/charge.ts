import type { ChargeState } from './api';

/** Whether the charge can still change by itself: then a register goes on asking. */
export function isOpen(state: ChargeState): boolean {
  return ['requested', 'identified', 'authorising', 'authorised', 'unknown'].includes(state);
}

/** Until the money is taken it can be stopped; what was under way comes back with what it came to. */
export function canCancel(state: ChargeState): boolean {
  return isOpen(state);
}

export type ChargeTone = 'good' | 'wait' | 'bad' | 'calm' | 'plain';

export function toneOf(state: ChargeState): ChargeTone {
  switch (state) {
    case 'captured':
    case 'accepted_offline':
      return 'good';
    case 'declined':
      return 'bad';
    case 'refunded':
      return 'plain';
    case 'unknown':
      return 'wait';
    case 'requested':
    case 'identified':
    case 'authorising':
    case 'authorised':
      return 'calm';
    default:
      return 'plain';
  }
}
