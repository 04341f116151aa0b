import { demo, Problem, session, type Who } from './api';
import { forgetTickets } from './kept';

type Phase = 'checking' | 'out' | 'in' | 'failed';

/** Who is signed in on this page, for the realm that the page belongs to. */
export class Session<Kind extends Who['kind']> {
  readonly #kind: Kind;
  phase = $state<Phase>('checking');
  who = $state.raw<Extract<Who, { kind: Kind }> | null>(null);
  failure = $state.raw<unknown>(null);
  /** The demo has a mailbox where sign-in links arrive. */
  demo = $state(false);

  constructor(kind: Kind) {
    this.#kind = kind;
    void demo.get().then(
      () => (this.demo = true),
      () => undefined,
    );
  }

  async check(): Promise<void> {
    this.phase = 'checking';
    try {
      this.#accept(await session.who());
    } catch (cause) {
      const out = cause instanceof Problem && cause.status === 401;
      this.failure = out ? null : cause;
      this.phase = out ? 'out' : 'failed';
    }
  }

  /** Throws the problem of a used or old key. */
  async enter(key: string): Promise<void> {
    const who = await session.enter(key);
    // Somebody else may have been here before.
    await this.#forget();
    this.#accept(who);
  }

  #accept(who: Who): void {
    if (who.kind === this.#kind) {
      this.who = who as Extract<Who, { kind: Kind }>;
      this.phase = 'in';
    } else {
      // A staff session on the fans' page, or the reverse: sign in here as well.
      this.phase = 'out';
    }
  }

  async leave(): Promise<void> {
    await session.leave().catch(() => undefined);
    this.who = null;
    this.phase = 'out';
    await this.#forget();
  }

  /** What the portal keeps on this device goes with whoever it is of, on whichever page that is. */
  async #forget(): Promise<void> {
    if (this.#kind === 'fan') await forgetTickets().catch(() => undefined);
  }
}
