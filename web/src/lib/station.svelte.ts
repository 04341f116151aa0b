import { demo, device, Problem, type Device } from './api';
import { parseHash, route } from './route.svelte';

type Phase = 'checking' | 'setup' | 'ready' | 'failed';

/**
 * A page that is a device: it has an API key instead of a signed-in person.
 *
 * The key comes in the address once (`#/key/KEY`, as the lobby opens it) and is kept for this tab, or
 * for this machine when it was typed: a kiosk survives a restart, and several stations can be open
 * side by side in one browser. A demo's lobby links to `#/demo/STATION`, which fetches the key itself,
 * with `/as/FAN/CODE` for the simulated person who stands there.
 */
export class Station {
  readonly #storedAs: string;
  readonly #kind: Device['kind'];
  key = $state('');
  self = $state<Device | null>(null);
  phase = $state<Phase>('checking');
  /** Why a key was not taken: unknown to the server, or another kind of device's. */
  rejected = $state<'unknown' | 'kind' | null>(null);
  failure = $state<unknown>(null);
  /** Who the address suggests in a demo. */
  as: { fan: number; code: string | null } | null = null;

  constructor(kind: Device['kind']) {
    this.#kind = kind;
    this.#storedAs = `handfast.${kind}.key`;
    void this.start();
    // Opening another station's address in the same tab changes only the hash.
    window.addEventListener('hashchange', () => {
      if (['key', 'demo'].includes(parseHash(location.hash)[0] ?? '')) location.reload();
    });
  }

  async start(): Promise<void> {
    if (this.phase !== 'failed') this.phase = 'checking';
    try {
      const key = await this.#find();
      if (key === null) this.phase = 'setup';
      else this.ready(key, await device.self(key));
    } catch (cause) {
      if (cause instanceof Problem && (cause.status === 401 || cause.status === 403)) {
        this.refused();
      } else {
        this.failure = cause;
        this.phase = 'failed';
      }
    }
  }

  /** A typed key was accepted: this machine keeps it. */
  accept(key: string, self: Device): void {
    if (self.kind === this.#kind) localStorage.setItem(this.#storedAs, key);
    this.ready(key, self);
  }

  ready(key: string, self: Device): void {
    if (self.kind !== this.#kind) {
      this.refused('kind');
      return;
    }
    sessionStorage.setItem(this.#storedAs, key);
    this.key = key;
    this.self = self;
    this.rejected = null;
    this.phase = 'ready';
  }

  /** The server does not know the key any more: ask for another. */
  refused(why: 'unknown' | 'kind' = 'unknown'): void {
    sessionStorage.removeItem(this.#storedAs);
    localStorage.removeItem(this.#storedAs);
    this.rejected = why;
    this.phase = 'setup';
  }

  async #find(): Promise<string | null> {
    const [first, station, as, fan, code] = parseHash(location.hash);
    if (first !== 'demo' || station === undefined) return this.#read();
    const { api_key } = await demo.stationKey(station);
    sessionStorage.setItem(this.#storedAs, api_key);
    if (as === 'as') this.as = { fan: Number(fan), code: code ?? null };
    route.replace('/');
    return api_key;
  }

  #read(): string | null {
    const [first, key] = parseHash(location.hash);
    if (first === 'key' && key !== undefined) {
      sessionStorage.setItem(this.#storedAs, key);
      // A key does not stay in the address, where it would be shared or photographed.
      route.replace('/');
    }
    return sessionStorage.getItem(this.#storedAs) ?? localStorage.getItem(this.#storedAs);
  }
}
