import { describe, expect, it } from 'vitest';
import type { DemoFan, DemoStation } from '../../lib/api';
import { asPerson, atStation, leadingFan, manyTickets } from './path';

const fan = (index: number, ...events: string[]): DemoFan => ({
  index,
  name: `Fan ${index}`,
  email: `fan${index}@example.org`,
  tickets: events.map((event_name, at) => ({ event_name, code: `C/${index}${at}` })),
});
const one = fan(1, 'Night');
const two = fan(2, 'Night', 'Late');
const three = fan(3, 'Night', 'Night');
const station = (mode: DemoStation['mode'], kind: DemoStation['kind'] = 'pedestal'): DemoStation => ({
  station_id: 'a b',
  name: 'Station',
  kind,
  mode,
  path: '/pedestal',
});

describe('the path through the evening', () => {
  it('is walked by somebody with tickets for several events', () => {
    expect(leadingFan([one, two, three])).toBe(two);
    expect(leadingFan([one])).toBe(one);
    expect(leadingFan([])).toBeNull();
  });

  it('finds somebody with several tickets for one event', () => {
    expect(manyTickets([one, two, three])).toBe(three);
    expect(manyTickets([one, two])).toBeNull();
  });

  it('leads to stations, with a ticket only where one is shown', () => {
    expect(atStation(station('enrol_outside'), two)).toBe('/pedestal#/demo/a%20b/as/2/C%2F20');
    expect(atStation(station('entry_lane'), two)).toBe('/pedestal#/demo/a%20b/as/2');
    expect(atStation(station('entry_lane'), 'stranger')).toBe('/pedestal#/demo/a%20b/as/0');
    expect(atStation(station(null, 'register'))).toBe('/pedestal#/demo/a%20b');
  });

  it('leads to what a person signs in for', () => {
    expect(asPerson(one, 'wallet')).toBe('/portal#/as/fan1%40example.org/wallet');
  });
});
