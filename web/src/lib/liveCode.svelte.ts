/** A rotating code that turns on this page: asked for once, then shown without a network. */
import { renderSVG } from 'uqr';
import { me } from './api';
import { codeAt, shareOver, shownFrom, type Shown } from './rotating';

/** How often the ring moves; a code turns at most this late. */
const TICK_MS = 250;

export class LiveCode {
  code = $state<string | null>(null);
  svg = $state<string | null>(null);
  /** How much of the code's time is over, from 0 to 1. */
  over = $state(0);
  failure = $state.raw<unknown>(null);
  readonly #ticket: string;
  #shown: Shown | null = null;

  constructor(ticket: string) {
    this.#ticket = ticket;
  }

  /** Turns until what it returns is called. */
  start(): () => void {
    void this.#ask();
    const timer = setInterval(() => void this.#turn(), TICK_MS);
    return () => clearInterval(timer);
  }

  async #ask(): Promise<void> {
    try {
      const before = Date.now();
      const secret = await me.rotatingCode(this.#ticket);
      this.#shown = await shownFrom(secret, before, Date.now());
      this.failure = null;
      await this.#turn();
    } catch (cause) {
      this.failure = cause;
    }
  }

  async #turn(): Promise<void> {
    const shown = this.#shown;
    if (shown === null) return;
    const now = Date.now();
    this.over = shareOver(now + shown.aheadMs, shown.periodSeconds);
    const code = await codeAt(shown, now);
    if (code === this.code) return;
    this.code = code;
    this.svg = renderSVG(code, { ecc: 'M', border: 4 });
  }
}
