import jsQR from 'jsqr';
import {
  device,
  Problem,
  type Admission,
  type AdmissionOutcome,
  type ScanTerms,
} from '../../lib/api';
import { CameraError, FrameMaker, openCamera, stopCamera, type CameraTrouble } from '../../lib/camera';
import { nonce } from '../../lib/nonce';
import { play, vibrate, type Cue } from '../../lib/sound';

const LOOK_EVERY_MS = 120;
const RETRY_EVERY_MS = 3_000;
/** The same code in view is not a new scan until it has been away for this long. */
const SAME_CODE_AWAY_MS = 2_500;
/** After an entry the camera is ready for the next person by itself. */
const OK_SHOWN_MS = 2_200;
const HISTORY_MAX = 12;

export type Verdict = 'go' | 'stop' | 'help';

/** Who may enter, who may not, and where somebody has to help. */
export function verdictOf(outcome: AdmissionOutcome): Verdict {
  if (outcome === 'ok') return 'go';
  return ['already_redeemed', 'cancelled', 'revoked', 'blocked', 'invalid', 'annulled'].includes(outcome)
    ? 'stop'
    : 'help';
}

const feedback: Record<Verdict, { cue: Cue; vibration: number[] }> = {
  go: { cue: 'good', vibration: [80] },
  stop: { cue: 'bad', vibration: [220, 90, 220] },
  help: { cue: 'wait', vibration: [120, 80, 120] },
};

/** What the server was asked for. */
export type Undertaking = 'entry' | 'takeBack';

export type Now =
  | { kind: 'ready' }
  | { kind: 'asking'; code: string }
  | { kind: 'answered'; code: string; admission: Admission }
  | { kind: 'undecided'; what: Undertaking; code: string; failure: Problem }
  /** A steward is asked whether they mean it. */
  | { kind: 'takingBack'; code: string }
  | { kind: 'takenBack'; code: string };

export interface Scan {
  nonce: string;
  code: string;
  at: number;
  outcome: AdmissionOutcome | null;
}

/** Redeems codes one after the other. A scan keeps its nonce until it is decided, however often asked. */
export class Scanner {
  now = $state.raw<Now>({ kind: 'ready' });
  history = $state.raw<Scan[]>([]);
  stream = $state.raw<MediaStream | null>(null);
  trouble = $state<CameraTrouble | null>(null);
  video: HTMLVideoElement | null = null;

  readonly #key: string;
  readonly #onrefused: () => void;
  readonly #frames = new FrameMaker();
  #nonce = '';
  #terms: ScanTerms = {};
  #reason = '';
  /** Since when the server has not answered; null while it does. */
  offlineSince = $state<number | null>(null);
  #timer: ReturnType<typeof setInterval> | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;
  #seen = { code: '', at: 0 };

  constructor(key: string, onrefused: () => void) {
    this.#key = key;
    this.#onrefused = onrefused;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  async camera(on: boolean): Promise<void> {
    stopCamera(this.stream);
    this.stream = null;
    this.trouble = null;
    if (!on) return;
    try {
      this.stream = await openCamera({ facing: 'environment' });
    } catch (cause) {
      this.trouble = cause instanceof CameraError ? cause.trouble : 'busy';
    }
  }

  #look(): void {
    if (this.video === null || this.stream === null || this.#busy) return;
    const picture = this.#frames.pixels(this.video);
    if (picture === null) return;
    const code = jsQR(picture.data, picture.width, picture.height)?.data ?? '';
    if (code === '') return;
    const again = code === this.#seen.code && performance.now() - this.#seen.at < SAME_CODE_AWAY_MS;
    this.#seen = { code, at: performance.now() };
    if (!again) void this.scan(code);
  }

  /** Something is not settled yet that a new scan would push aside. */
  get #busy(): boolean {
    return ['asking', 'undecided', 'takingBack'].includes(this.now.kind);
  }

  /** A new scan, by camera, code reader or hand. A double tap while one is being asked does nothing. */
  async scan(text: string): Promise<void> {
    const code = text.trim();
    if (code === '' || this.#busy) return;
    this.#nonce = nonce();
    this.#terms = {};
    const scan: Scan = { nonce: this.#nonce, code, at: Date.now(), outcome: null };
    this.history = [scan, ...this.history].slice(0, HISTORY_MAX);
    await this.#ask(code);
  }

  async #ask(code: string): Promise<void> {
    clearTimeout(this.#later);
    const asked = this.#nonce;
    this.now = { kind: 'asking', code };
    try {
      const admission = await device.admit(this.#key, code, asked, this.#terms);
      this.offlineSince = null;
      if (asked === this.#nonce) this.#answer(code, admission);
    } catch (cause) {
      if (asked === this.#nonce) this.#failed('entry', code, cause);
    }
  }

  #answer(code: string, admission: Admission): void {
    this.now = { kind: 'answered', code, admission };
    this.history = this.history.map((scan) =>
      scan.nonce === this.#nonce ? { ...scan, outcome: admission.outcome } : scan,
    );
    const verdict = verdictOf(admission.outcome);
    play(feedback[verdict].cue);
    vibrate(feedback[verdict].vibration);
    if (verdict === 'go') this.#later = setTimeout(() => this.next(), OK_SHOWN_MS);
  }

  #failed(what: Undertaking, code: string, cause: unknown): void {
    const failure =
      cause instanceof Problem ? cause : new Problem('unexpected', 0, '');
    if (failure.status === 401) {
      this.#onrefused();
      return;
    }
    if (failure.offline) this.offlineSince ??= Date.now();
    this.now = { kind: 'undecided', what, code, failure };
    play('wait');
    if (failure.offline) this.#later = setTimeout(() => this.retry(), RETRY_EVERY_MS);
  }

  /** Asks again for what is not decided, with the same nonce. */
  retry(): void {
    if (this.now.kind !== 'undecided') return;
    void (this.now.what === 'entry' ? this.#ask(this.now.code) : this.#takeBack(this.now.code));
  }

  /** The same ticket again, with what was missing: how many people, an answer. A new scan. */
  async complete(code: string, terms: ScanTerms): Promise<void> {
    if (this.now.kind !== 'answered') return;
    this.#nonce = nonce();
    this.#terms = { ...this.#terms, ...terms };
    const scan: Scan = { nonce: this.#nonce, code, at: Date.now(), outcome: null };
    this.history = [scan, ...this.history].slice(0, HISTORY_MAX);
    await this.#ask(code);
  }

  /** Asks whether an entry is to be taken back: the one on the screen, or an earlier one. */
  considerTakingBack(scan: Pick<Scan, 'nonce' | 'code'> | undefined, reason: string): void {
    if (scan === undefined) return;
    clearTimeout(this.#later);
    this.#nonce = scan.nonce;
    this.#reason = reason;
    this.now = { kind: 'takingBack', code: scan.code };
  }

  /** Yes: the person did not go in. */
  takeBack(): void {
    if (this.now.kind === 'takingBack') void this.#takeBack(this.now.code);
  }

  async #takeBack(code: string): Promise<void> {
    clearTimeout(this.#later);
    const taken = this.#nonce;
    this.now = { kind: 'asking', code };
    try {
      await device.annul(this.#key, taken, this.#reason);
      this.offlineSince = null;
      this.history = this.history.map((scan) =>
        scan.nonce === taken ? { ...scan, outcome: 'annulled' as const } : scan,
      );
      this.now = { kind: 'takenBack', code };
    } catch (cause) {
      this.#failed('takeBack', code, cause);
    }
  }

  next(): void {
    clearTimeout(this.#later);
    this.#nonce = '';
    this.now = { kind: 'ready' };
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#later);
    stopCamera(this.stream);
  }
}
