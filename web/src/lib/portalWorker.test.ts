import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const SOURCE = readFileSync(join(import.meta.dirname, '../../public/portal-worker.js'), 'utf8');
const ORIGIN = 'https://tickets.test';

type Asked = string | { url: string; method: string; mode: string };
type Event = { data?: unknown; request?: Asked; waitUntil(work: Promise<unknown>): void; respondWith(answer: Promise<Response>): void };

const pathOf = (asked: Asked): string => new URL(typeof asked === 'string' ? asked : asked.url, ORIGIN).pathname;
const html = (...parts: string[]): string => parts.map((part) => `<script src="/assets/${part}"></script>`).join('');

/** What the server answers by path; what is not there does not answer at all. */
let served: Map<string, string | number>;
let kept: Map<string, Response>;
let tell: (name: string, event: Event) => void;

beforeEach(() => {
  served = new Map();
  kept = new Map();
  const fetched = async (asked: Asked): Promise<Response> => {
    const answer = served.get(pathOf(asked));
    if (answer === undefined) throw new TypeError('no network');
    return typeof answer === 'number' ? new Response('', { status: answer }) : new Response(answer);
  };
  const cache = {
    match: async (asked: Asked) => kept.get(pathOf(asked))?.clone(),
    put: async (asked: Asked, answer: Response) => void kept.set(pathOf(asked), answer),
    add: async (asked: Asked) => void kept.set(pathOf(asked), await fetched(asked)),
    keys: async () => [...kept.keys()].map((path) => ({ url: ORIGIN + path })),
    delete: async (asked: Asked) => kept.delete(pathOf(asked)),
  };
  const caches = { open: async () => cache, match: cache.match, keys: async () => ['portal-page-1'] };
  const heard = new Map<string, (event: Event) => void>();
  const self = { addEventListener: (name: string, does: (event: Event) => void) => void heard.set(name, does) };
  new Function('self', 'caches', 'fetch', 'location', SOURCE)(self, caches, fetched, { origin: ORIGIN });
  tell = (name, event) => heard.get(name)?.(event);
});
afterEach(() => vi.useRealTimers());

async function keep(): Promise<void> {
  let work: Promise<unknown> = Promise.resolve();
  tell('message', { data: 'keep', waitUntil: (given) => (work = given), respondWith: () => undefined });
  await work;
}

/** What the worker answers; null where it leaves the request to the browser. */
async function ask(path: string, mode = 'navigate'): Promise<Response | null> {
  let answer: Promise<Response> | null = null;
  const request = { url: ORIGIN + path, method: 'GET', mode };
  tell('fetch', { request, waitUntil: () => undefined, respondWith: (given) => (answer = given) });
  return answer;
}

async function serve(version: string): Promise<void> {
  served = new Map([['/portal', html(`${version}.js`)], [`/assets/${version}.js`, version]]);
}

it('keeps the page and what it names, and nothing of an older page', async () => {
  await serve('one');
  await keep();
  expect([...kept.keys()].sort()).toEqual(['/assets/one.js', '/portal']);
  await serve('two');
  await keep();
  expect([...kept.keys()].sort()).toEqual(['/assets/two.js', '/portal']);
  served.clear();
  expect(await (await ask('/portal'))?.text()).toBe(html('two.js'));
  expect(await (await ask('/assets/two.js', 'cors'))?.text()).toBe('two');
});

it('keeps the older page whole while not all of a newer one came', async () => {
  await serve('one');
  await keep();
  served = new Map([['/portal', html('two.js')]]);
  expect(await (await ask('/portal'))?.text()).toBe(html('two.js'));
  await keep();
  served.clear();
  expect(await (await ask('/portal'))?.text()).toBe(html('one.js'));
  expect(await (await ask('/assets/one.js', 'cors'))?.text()).toBe('one');
});

it('shows what is kept where the service fails', async () => {
  await serve('one');
  await keep();
  served.set('/portal', 503);
  expect(await (await ask('/portal'))?.text()).toBe(html('one.js'));
});

it('answers the page and its parts alone', async () => {
  await serve('one');
  await keep();
  for (const path of ['/portal-worker.js', '/portals', '/order']) expect(await ask(path)).toBeNull();
  expect(await ask('/api/v1/me/tickets', 'cors')).toBeNull();
});
