import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { me, Problem } from './api';
import { LiveCode } from './liveCode.svelte';
import * as kept from './kept';
import * as rotating from './rotating';

const SECRET = {
  beginning: 'HF3.X.',
  secret: '3132333435363738393031323334353637383930',
  digits: 8,
  period_seconds: 15,
  now: '2026-09-21T12:00:00Z',
};

beforeEach(() => {
  vi.spyOn(kept, 'keepShown').mockResolvedValue();
  vi.spyOn(kept, 'shownOf').mockResolvedValue(null);
  vi.useFakeTimers();
  vi.setSystemTime(new Date(SECRET.now));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('is asked for again until the network is there, and then no more', async () => {
  const ask = vi.spyOn(me, 'rotatingCode').mockRejectedValueOnce(new Problem('offline', 0, ''));
  ask.mockRejectedValueOnce(new Problem('unavailable', 503, ''));
  ask.mockResolvedValue(SECRET);
  const live = new LiveCode('tkt_1');
  const stop = live.start();
  await vi.advanceTimersByTimeAsync(10);
  expect(live.code).toBeNull();
  expect(live.failure).not.toBeNull();
  await vi.advanceTimersByTimeAsync(6_000);
  await vi.waitFor(() => expect(live.code).toMatch(/^HF3\.X\.\d{8}$/));
  expect(live.failure).toBeNull();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(ask).toHaveBeenCalledTimes(3);
  stop();
});

it('is not asked for again where the ticket is not mine', async () => {
  const ask = vi.spyOn(me, 'rotatingCode').mockRejectedValue(new Problem('not_found', 404, ''));
  const stop = new LiveCode('tkt_1').start();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(ask).toHaveBeenCalledTimes(1);
  stop();
});

it('is made once a step, however often the ring moves', async () => {
  vi.spyOn(me, 'rotatingCode').mockResolvedValue(SECRET);
  const made = vi.spyOn(crypto.subtle, 'sign');
  const live = new LiveCode('tkt_1');
  const stop = live.start();
  await vi.advanceTimersByTimeAsync(14_000);
  await vi.waitFor(() => expect(live.code).not.toBeNull());
  const first = live.code;
  expect(made).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(2_000);
  await vi.waitFor(() => expect(live.code).not.toBe(first));
  expect(made).toHaveBeenCalledTimes(2);
  expect(live.code).toBe(await rotating.codeAt(await rotating.shownFrom(SECRET, 0, 0), 15_000));
  stop();
});

it('turns without a network by what this device kept', async () => {
  const before = await rotating.shownFrom(SECRET, Date.parse(SECRET.now), Date.parse(SECRET.now));
  vi.mocked(kept.shownOf).mockResolvedValue(before);
  vi.spyOn(me, 'rotatingCode').mockRejectedValue(new Problem('offline', 0, ''));
  const live = new LiveCode('tkt_1');
  const stop = live.start();
  await vi.advanceTimersByTimeAsync(300);
  await vi.waitFor(() => expect(live.code).toMatch(/^HF3\.X\.\d{8}$/));
  expect(live.failure).toBeNull();
  stop();
});

it('shows what this device kept while the service does not answer', async () => {
  const before = await rotating.shownFrom(SECRET, Date.parse(SECRET.now), Date.parse(SECRET.now));
  vi.mocked(kept.shownOf).mockResolvedValue(before);
  vi.spyOn(me, 'rotatingCode').mockReturnValue(new Promise(() => undefined));
  const live = new LiveCode('tkt_1');
  const stop = live.start();
  await vi.advanceTimersByTimeAsync(300);
  await vi.waitFor(() => expect(live.code).toMatch(/^HF3\.X\.\d{8}$/));
  stop();
});

it('is hidden again once the service refuses it, and not asked for any more', async () => {
  const before = await rotating.shownFrom(SECRET, Date.parse(SECRET.now), Date.parse(SECRET.now));
  vi.mocked(kept.shownOf).mockResolvedValue(before);
  for (const status of [401, 403, 404, 409]) {
    const ask = vi.spyOn(me, 'rotatingCode').mockRejectedValue(new Problem('refused', status, ''));
    ask.mockClear();
    const live = new LiveCode('tkt_1');
    const stop = live.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect([live.code, live.svg, live.failure === null, ask.mock.calls.length]).toEqual([null, null, false, 1]);
    stop();
  }
});

it('stays where it was asked for too often, and is not asked for again', async () => {
  const before = await rotating.shownFrom(SECRET, Date.parse(SECRET.now), Date.parse(SECRET.now));
  vi.mocked(kept.shownOf).mockResolvedValue(before);
  const ask = vi.spyOn(me, 'rotatingCode').mockRejectedValue(new Problem('too_many', 429, ''));
  const live = new LiveCode('tkt_1');
  const stop = live.start();
  await vi.advanceTimersByTimeAsync(20_000);
  await vi.waitFor(() => expect(live.code).toMatch(/^HF3\.X\.\d{8}$/));
  expect(ask).toHaveBeenCalledTimes(1);
  stop();
});
