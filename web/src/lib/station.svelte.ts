import { device, Problem, type Device } from './api';
import { parseHash, route } from './route.svelte';

type Phase = 'checking' | 'setup' | 'ready' | 'failed';

/**
 * A page that is a device: it has an API key instead of a signed-in person.
 *
 * The key comes in the address once (`#/key/KEY`, as the lobby opens it) and is kept for this tab, or
 * for this machine when it was typed: a kiosk survives a restart, and several stations can be open
 * side by side in one browser.
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

  constructor(kind: Device['kind']) {
    this.#kind = kind;
    this.#storedAs = `handfast.${kind}.key`;
    void this.start();
    // Opening another station's address in the same tab changes only the hash.
    window.addEventListener('hashchange', () => {
      if (parseHash(location.hash)[0] === 'key') location.reload();
    });
  }

  async start(): Promise<void> {
    const key = this.#read();
    if (key === null) {
      this.phase = 'setup';
      return;
    }
    this.phase = 'checking';
    this.failure = null;
    try {
      this.ready(key, await device.self(key));
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
