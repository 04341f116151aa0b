import type { GateWait } from './api';

/** The minutes that the server's counts of people cover. */
const COUNTED_MINUTES = 10;

/** In how many minutes everybody outside is in, at the present pace; null where nobody is coming in. */
export function minutesForAll(gates: readonly GateWait[], outside: number): number | null {
  const people = gates.reduce((sum, gate) => sum + gate.people, 0);
  if (people === 0 || outside <= 0) return null;
  return Math.ceil((outside * COUNTED_MINUTES) / people);
}
