import { expect, it } from 'vitest';
import type { GateWait } from './api';
import { minutesForAll } from './waits';

const gate = (people: number): GateWait => ({
  gate_id: `gat_${people}`,
  name: 'South gate',
  wait: 'at_most',
  wait_minutes_max: 5,
  people,
  devices: 2,
});

it('is the time that those outside take through all gates together', () => {
  expect(minutesForAll([gate(60), gate(40)], 95)).toBe(10);
  expect(minutesForAll([gate(1)], 1)).toBe(10);
});

it('is nothing where nobody comes in, or nobody is left', () => {
  expect(minutesForAll([gate(0)], 95)).toBeNull();
  expect(minutesForAll([], 95)).toBeNull();
  expect(minutesForAll([gate(60)], 0)).toBeNull();
  expect(minutesForAll([gate(60)], -3)).toBeNull();
});
