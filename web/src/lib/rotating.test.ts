import { describe, expect, it } from 'vitest';
import { codeAt, keyOf, shareOver, shownFrom, stepAt, totp } from './rotating';

/** "12345678901234567890", as RFC 6238 has it. */
const SECRET = '3132333435363738393031323334353637383930';

describe('rotating codes', () => {
  it('are those of RFC 6238, appendix B', async () => {
    const key = await keyOf(SECRET);
    for (const [seconds, value] of [
      [59, '94287082'],
      [1111111109, '07081804'],
      [1111111111, '14050471'],
      [1234567890, '89005924'],
      [2000000000, '69279037'],
      [20000000000, '65353130'],
    ] as const) {
      expect(await totp(key, stepAt(seconds * 1000, 30), 8)).toBe(value);
    }
  });

  it('are right on a phone whose clock is an hour wrong', async () => {
    const wrong = 3_600_000;
    const now = 1_790_000_010_000;
    const secret = {
      beginning: 'HF3.X.',
      secret: SECRET,
      digits: 8,
      period_seconds: 15,
      now: new Date(now).toISOString(),
    };
    const right = await shownFrom(secret, now, now);
    const fast = await shownFrom(secret, now + wrong - 100, now + wrong + 100);
    expect(await codeAt(fast, now + wrong)).toBe(await codeAt(right, now));
    expect(await codeAt(right, now + 15_000)).not.toBe(await codeAt(right, now));
  });

  it('say how much of their time is over', () => {
    expect(shareOver(0, 15)).toBe(0);
    expect(shareOver(7_500, 15)).toBe(0.5);
  });
});
