import { afterEach, describe, expect, it, vi } from 'vitest';
import { device, pedestalAddress, Problem, session, slugOf } from './api';
import { en } from './messages/en';
import { problemSentence } from './problem';

afterEach(() => vi.unstubAllGlobals());

function answer(status: number, body: string): ReturnType<typeof vi.fn> {
  const fetch = vi.fn(() => Promise.resolve(new Response(body === '' ? null : body, { status })));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

describe('the client', () => {
  it('marks every change, and sends the cookie of this server alone', async () => {
    const fetch = answer(204, '');
    await session.leave();
    const [address, request] = fetch.mock.calls[0] as [string, RequestInit];
    expect(address).toBe('/api/v1/session');
    expect(request.headers).toMatchObject({ 'X-Handfast': '1' });
    expect(request.credentials).toBe('same-origin');
  });

  it('speaks for a device by its key, never with a cookie', async () => {
    const fetch = answer(200, '{"outcome":"ok"}');
    await device.admit('secret', 'code', 'once');
    const [, request] = fetch.mock.calls[0] as [string, RequestInit];
    expect(request.headers).toMatchObject({ Authorization: 'Bearer secret' });
    expect(request.credentials).toBe('omit');
    expect(request.body).toBe('{"code":"code","nonce":"once"}');
  });

  it('turns problem+json into a sentence by slug, else by the server’s own words', async () => {
    answer(403, '{"type":"https://handfast.example/problems/forbidden","detail":"no"}');
    const known = await session.who().catch((cause: unknown) => cause);
    expect(problemSentence(en, known)).toBe(en.problems.forbidden);
    answer(422, '{"type":"https://handfast.example/problems/brand-new","detail":"Do this."}');
    const fresh = await session.who().catch((cause: unknown) => cause);
    expect(problemSentence(en, fresh)).toBe('Do this.');
  });

  it('stays calm about answers that are no problem at all', async () => {
    answer(502, '<html>');
    const gateway = await session.who().catch((cause: unknown) => cause);
    expect(gateway).toMatchObject({ slug: 'offline', status: 502 });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
    const away = await session.who().catch((cause: unknown) => cause);
    expect(away).toBeInstanceOf(Problem);
    expect((away as Problem).offline).toBe(true);
    expect(problemSentence(en, new Error('any'))).toBe(en.problems.unexpected);
  });
});

it('names problems as the catalogues do', () => {
  expect(slugOf('https://handfast.example/problems/unknown-code')).toBe('unknown_code');
  expect(slugOf('about:blank')).toBe('unexpected');
  expect(slugOf(undefined)).toBe('unexpected');
});

it('finds the pedestal on its own server', () => {
  expect(pedestalAddress({ protocol: 'https:', host: 'a:1' })).toBe('wss://a:1/api/v1/pedestal');
  expect(pedestalAddress({ protocol: 'http:', host: 'b' })).toBe('ws://b/api/v1/pedestal');
});
