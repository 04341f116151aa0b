import { i18n, preferredLanguage, type Language } from '../../lib/i18n.svelte';
import { CameraError, FrameMaker, openCamera, stopCamera, type CameraTrouble } from '../../lib/camera';
import { Connection } from '../../lib/pedestal/connection';
import {
  cueOf,
  initial,
  reduce,
  wantsFrames,
  type ClientMessage,
  type Event,
  type PedestalState,
  type Source,
  type View,
} from '../../lib/pedestal/protocol';
import { next, STEADY_MS, unsteady, type Steady } from '../../lib/pedestal/steady';
import { isHome, languageEnds, UNTOUCHED_MS } from '../../lib/pedestal/visit';
import { play } from '../../lib/sound';

const FRAME_EVERY_MS = 66;
/** How long the page says that it is connected again. */
const BACK_SHOWN_MS = 5_000;
const SOURCE_STORED_AS = 'handfast.pedestal.source';

/** What this pedestal looks at, kept for this tab. `deviceId` picks one of several cameras. */
export interface ChosenSource {
  source: Source;
  deviceId?: string | undefined;
}

function storedSource(): ChosenSource | null {
  const text = sessionStorage.getItem(SOURCE_STORED_AS);
  if (text === null) return null;
  try {
    return JSON.parse(text) as ChosenSource;
  } catch {
    return null;
  }
}

/** What the device's setup or the address decides, before anybody chooses. */
export interface Start {
  /** The server's own camera looks: nothing is chosen here, and this page opens no camera. */
  kiosk: boolean;
  /** Whose simulated hand the address asked for. */
  source: Source | null;
}

function firstSource(start: Start): ChosenSource | null {
  if (start.kiosk) return { source: { kind: 'kiosk' } };
  return start.source === null ? storedSource() : { source: start.source };
}

/** The pedestal page's state: the connection, the camera and the last simulated picture. */
export class Kiosk {
  state = $state.raw<PedestalState>(initial);
  chosen = $state.raw<ChosenSource | null>(null);
  stream = $state.raw<MediaStream | null>(null);
  trouble = $state<CameraTrouble | null>(null);
  preview = $state.raw<ImageBitmap | null>(null);
  sounds = $state(true);
  /** The link was lost and is there again; said for a moment. */
  back = $state(false);
  /** The guidance as it is drawn: without the flicker of single frames. */
  steady = $state.raw<Steady>(unsteady);

  readonly #connection: Connection;
  readonly #frames = new FrameMaker();
  #timer: ReturnType<typeof setInterval> | undefined;
  #steadying: ReturnType<typeof setTimeout> | undefined;
  #backUntil: ReturnType<typeof setTimeout> | undefined;
  #wasLost = false;
  /** The screen on which a language was chosen since it came. */
  #chosenOn: View['screen'] | null = null;
  #untouched: ReturnType<typeof setTimeout> | undefined;
  /** The element that shows the camera; frames are taken from it. */
  video: HTMLVideoElement | null = null;

  constructor(apiKey: string, start: Start) {
    this.chosen = firstSource(start);
    if (start.source !== null && !start.kiosk) this.#keepSource();
    this.#connection = new Connection(() => this.#greeting(apiKey), {
      event: (event) => this.#apply(event),
      preview: (jpeg) => void this.#show(jpeg),
    });
    this.#timer = setInterval(() => void this.#tick(), FRAME_EVERY_MS);
    if (this.chosen?.source.kind === 'camera') void this.#startCamera();
  }

  #greeting(apiKey: string): ClientMessage[] {
    const hello: ClientMessage = { type: 'hello', api_key: apiKey, language: i18n.language };
    return this.chosen === null ? [hello] : [hello, { type: 'source', ...this.chosen.source }];
  }

  #apply(event: Event): void {
    const before = this.state;
    const after = reduce(before, event);
    this.state = after;
    this.#sayBack();
    this.#follow();
    const cue = cueOf(before, after);
    if (cue !== null && this.sounds) play(cue);
    this.#endVisit(before.view?.screen, after.view?.screen);
  }

  /** The next visitor starts in the station's language, not in the last visitor's. */
  #endVisit(before: View['screen'] | undefined, after: View['screen'] | undefined): void {
    if (before === after) return;
    if (languageEnds(before, after, this.#chosenOn)) this.#ownLanguage();
    this.#chosenOn = null;
    if (!isHome(after)) clearTimeout(this.#untouched);
  }

  #ownLanguage(): void {
    if (i18n.language !== preferredLanguage()) this.#speak(preferredLanguage());
  }

  #speak(language: Language): void {
    i18n.choose(language, false);
    this.send({ type: 'language', language });
  }

  #sayBack(): void {
    const { link, view } = this.state;
    if (link === 'lost') this.#wasLost = true;
    if (!this.#wasLost || link !== 'open' || view === null) return;
    this.#wasLost = false;
    this.back = true;
    clearTimeout(this.#backUntil);
    this.#backUntil = setTimeout(() => (this.back = false), BACK_SHOWN_MS);
  }

  /** Takes over what the server says now, and looks again when a change has lasted long enough. */
  #follow(): void {
    clearTimeout(this.#steadying);
    const { view, guidance } = this.state;
    const about = view?.screen === 'palm' ? `${view.purpose} ${view.palm}` : '';
    const now = performance.now();
    this.steady = next(this.steady, { about, guidance }, now);
    if (this.steady.since === null) return;
    this.#steadying = setTimeout(() => this.#follow(), this.steady.since + STEADY_MS - now);
  }

  #keepSource(): void {
    sessionStorage.setItem(SOURCE_STORED_AS, JSON.stringify(this.chosen));
  }

  async #show(jpeg: Blob): Promise<void> {
    try {
      const picture = await createImageBitmap(jpeg);
      this.preview?.close();
      this.preview = picture;
    } catch {
      // A broken preview picture is only a missing one: the next comes in a moment.
    }
  }

  async #tick(): Promise<void> {
    const video = this.video;
    if (video === null || this.stream === null || !wantsFrames(this.state)) return;
    if (this.#frames.busy || !this.#connection.roomForFrame) return;
    const jpeg = await this.#frames.jpeg(video);
    if (jpeg !== null && wantsFrames(this.state)) this.#connection.sendFrame(jpeg);
  }

  send(message: ClientMessage): void {
    this.#connection.send(message);
  }

  /** Somebody chose a language: theirs until their visit ends, or until nobody begins one. */
  language(language: Language): void {
    const screen = this.state.view?.screen;
    this.#chosenOn = screen ?? null;
    this.#speak(language);
    clearTimeout(this.#untouched);
    if (isHome(screen) || screen === 'working') {
      this.#untouched = setTimeout(() => {
        if (isHome(this.state.view?.screen)) this.#ownLanguage();
      }, UNTOUCHED_MS);
    }
  }

  async use(chosen: ChosenSource): Promise<void> {
    this.chosen = chosen;
    this.#keepSource();
    this.preview?.close();
    this.preview = null;
    stopCamera(this.stream);
    this.stream = null;
    this.trouble = null;
    this.send({ type: 'source', ...chosen.source });
    if (chosen.source.kind === 'camera') await this.#startCamera();
  }

  async #startCamera(): Promise<void> {
    try {
      this.stream = await openCamera({ facing: 'user', deviceId: this.chosen?.deviceId });
      this.trouble = null;
    } catch (cause) {
      this.trouble = cause instanceof CameraError ? cause.trouble : 'busy';
    }
  }

  retryCamera(): void {
    void this.#startCamera();
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#steadying);
    clearTimeout(this.#backUntil);
    clearTimeout(this.#untouched);
    stopCamera(this.stream);
    this.#connection.close();
  }
}
