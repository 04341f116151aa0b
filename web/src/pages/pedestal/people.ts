// The simulated people of a demo, as the pedestal offers them.

import type { DemoFan, DeviceMode } from '../../lib/api';

/** The index that names a hand of nobody. */
export const STRANGER = 0;

/** Only where palms are linked is a ticket shown to the camera. */
export function showsTickets(mode: DeviceMode | null): boolean {
  return mode === 'enrol_outside' || mode === 'enrol_inside';
}

export function personLabel(texts: { stranger: string }, fan: DemoFan): string {
  return fan.index === STRANGER ? texts.stranger : fan.name;
}

/** The event and the end of the code: a whole code is longer than any list. */
export function ticketLabel(ticket: { event_name: string; code: string }): string {
  return `${ticket.event_name} · …${ticket.code.slice(-4)}`;
}

/** The fans in the order of their numbers, with the stranger last. */
export function strangerLast(fans: readonly DemoFan[]): DemoFan[] {
  return fans.toSorted((a, b) => Number(a.index === STRANGER) - Number(b.index === STRANGER));
}
