/** A rotating code that turns on this page: asked for once, then shown without a network. */
import { renderSVG } from 'uqr';
import { me, Problem } from './api';
import { keepShown, shownOf } from './kept';
import { codeAt, shareOver, shownFrom, stepAt, type Shown } from './rotating';

/** How often the ring moves; a code turns at most this late. */
const TICK_MS = 250;
/** Whoever stands at the gate without a network gets the code soon after it is back. */
const AGAIN_MS = 3_000;
const TOO_MANY = 429;

/** The code of this moment, for whoever needs it once. */
export async function codeNow(ticket: string): Promise<string> {
  return codeAt(await ask(ticket), Date.now());
}

async function ask(ticket: string): Promise<Shown> {
  const before = Date.now();
  const secret = await me.rotatingCode(ticket);
  return shownFrom(secret, before, Date.now());
}

export class LiveCode {
  code = $state<string | null>(null);
  svg = $state<string | null>(null);
  /** How much of the code's time is over, from 0 to 1. */
  over = $state(0);
  failure = $state.raw<unknown>(null);
  readonly #ticket: string;
  #shown: Shown | null = null;
  /** The step whose code is shown or being made: one is made once. */
  #step: number | null = null;

  constructor(ticket: string) {
    this.#ticket = ticket;
  }

  /** Turns until what it returns is called. */
  start(): () => void {
    let again: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const begin = async (): Promise<void> => {
      const wait = await this.#begin();
      if (wait && !stopped) again = setTimeout(() => void begin(), AGAIN_MS);
    };
    void begin();
    const ring = setInterval(() => void this.#turn(), TICK_MS);
    return () => {
      stopped = true;
      clearInterval(ring);
      clearTimeout(again);
    };
  }

  /** Whether it is worth asking once more. */
  async #begin(): Promise<boolean> {
    // What this device kept turns while the newest is asked for, which can take long or fail.
    const kept = this.#shown === null ? await shownOf(this.#ticket).catch(() => null) : null;
    if (kept !== null) this.#show(kept);
    try {
      const shown = await ask(this.#ticket);
      this.#show(shown);
      // A browser that keeps nothing shows the code all the same, while the page is open.
      await keepShown(this.#ticket, shown).catch(() => undefined);
      return false;
    } catch (cause) {
      const away = cause instanceof Problem && (cause.offline || cause.status >= 500);
      const hurried = cause instanceof Problem && cause.status === TOO_MANY;
      // Refused: no ticket of mine any more, nobody signed in, or no secure page.
      if (!away && !hurried) this.#hide();
      if (this.#shown === null) this.failure = cause;
      // Whatever else was answered, asking again changes nothing.
      return away;
    }
  }

  #hide(): void {
    this.#shown = null;
    this.#step = null;
    this.code = null;
    this.svg = null;
  }

  #show(shown: Shown): void {
    this.#shown = shown;
    this.#step = null;
    this.failure = null;
    void this.#turn();
  }

  async #turn(): Promise<void> {
    const shown = this.#shown;
    if (shown === null) return;
    const now = Date.now();
    this.over = shareOver(now + shown.aheadMs, shown.periodSeconds);
    const step = stepAt(now + shown.aheadMs, shown.periodSeconds);
    if (step === this.#step) return;
    this.#step = step;
    const code = await codeAt(shown, now);
    // A slow machine may be a step further by now.
    if (step !== this.#step) return;
    this.code = code;
    this.svg = renderSVG(code, { ecc: 'M', border: 4 });
  }
}
