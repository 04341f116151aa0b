import { pedestalAddress } from '../api';
import { parseMessage, type ClientMessage, type Event } from './protocol';

const RETRY_MS_MIN = 500;
/** A visitor may be standing there: a server that is back is found within seconds. */
const RETRY_MS_MAX = 3_000;
/** One frame waiting in the socket is enough: what a slow link gets is fewer frames, never old ones. */
const WAITING_BYTES_MAX = 48 * 1024;
/** The server refuses larger frames. */
const FRAME_BYTES_MAX = 512 * 1024;

export interface Listener {
  event(event: Event): void;
  /** A picture of the simulated scene; never one of a camera. */
  preview(jpeg: Blob): void;
}

/** A WebSocket to the pedestal agent that comes back by itself and says hello each time. */
export class Connection {
  readonly #greeting: () => ClientMessage[];
  readonly #listener: Listener;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_MS_MIN;
  #closed = false;

  /** `greeting` is asked at every connect: hello first, then the chosen source. */
  constructor(greeting: () => ClientMessage[], listener: Listener) {
    this.#greeting = greeting;
    this.#listener = listener;
    this.#open();
  }

  #open(): void {
    const socket = new WebSocket(pedestalAddress(location));
    socket.binaryType = 'blob';
    socket.onopen = () => {
      for (const message of this.#greeting()) socket.send(JSON.stringify(message));
      this.#listener.event({ kind: 'opened' });
    };
    socket.onmessage = ({ data }: MessageEvent<string | Blob>) => this.#receive(data);
    socket.onclose = () => this.#lost();
    this.#socket = socket;
  }

  #receive(data: string | Blob): void {
    if (typeof data !== 'string') {
      this.#listener.preview(data);
      return;
    }
    const message = parseMessage(data);
    if (message === null) return;
    if (message.type === 'view') this.#retryMs = RETRY_MS_MIN;
    this.#listener.event({ kind: 'message', message });
  }

  #lost(): void {
    if (this.#closed) return;
    this.#listener.event({ kind: 'closed' });
    this.#timer = setTimeout(() => this.#open(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  /** False when the link is away: the visitor sees that and tries again. */
  send(message: ClientMessage): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  get roomForFrame(): boolean {
    const socket = this.#socket;
    return socket?.readyState === WebSocket.OPEN && socket.bufferedAmount <= WAITING_BYTES_MAX;
  }

  sendFrame(jpeg: Blob): void {
    if (jpeg.size <= FRAME_BYTES_MAX && this.roomForFrame) this.#socket?.send(jpeg);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
