// Where the lobby's path leads, and with whom.

import type { Demo, DemoFan, DemoStation } from '../../lib/api';

const path = encodeURIComponent;

/** Somebody with tickets for several events: confirming the link by mail makes a difference there. */
export function leadingFan(fans: readonly DemoFan[]): DemoFan | null {
  const events = (fan: DemoFan): number => new Set(fan.tickets.map((ticket) => ticket.event_name)).size;
  return fans.find((fan) => events(fan) > 1) ?? fans[0] ?? null;
}

/** Somebody with several tickets for one event. */
export function manyTickets(fans: readonly DemoFan[]): DemoFan | null {
  return (
    fans.find((fan) => new Set(fan.tickets.map((ticket) => ticket.event_name)).size < fan.tickets.length) ??
    null
  );
}

export function firstName(fan: DemoFan): string {
  return fan.name.split(' ')[0] ?? fan.name;
}

/** A station that fetches its own key; with somebody, that simulated person stands there. */
export function atStation(station: DemoStation, be?: DemoFan | 'stranger'): string {
  const base = `${station.path}#/demo/${path(station.station_id)}`;
  if (be === undefined) return base;
  if (be === 'stranger') return `${base}/as/0`;
  const code = station.mode === 'enrol_outside' ? be.tickets[0]?.code : undefined;
  return `${base}/as/${be.index}${code === undefined ? '' : `/${path(code)}`}`;
}

export function asPerson(fan: DemoFan, tab: 'wallet' | 'palm'): string {
  return `/portal#/as/${path(fan.email)}/${tab}`;
}

export function asStaff(person: Demo['staff'][number]): string {
  return `/console#/as/${path(person.email)}`;
}

export function mailOf(fan: DemoFan): string {
  return `/mailbox#/to/${path(fan.email)}`;
}
