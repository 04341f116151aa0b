/** What a person can do about a camera that does not start. */
export type CameraTrouble = 'insecure' | 'denied' | 'missing' | 'busy';

export class CameraError extends Error {
  readonly trouble: CameraTrouble;

  constructor(trouble: CameraTrouble) {
    super(`camera: ${trouble}`);
    this.name = 'CameraError';
    this.trouble = trouble;
  }
}

const troubles: Record<string, CameraTrouble> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
};

/** Opens a camera. Browsers allow it on https and on localhost only. */
export async function openCamera(wanted: {
  facing: 'user' | 'environment';
  deviceId?: string | undefined;
}): Promise<MediaStream> {
  if (navigator.mediaDevices === undefined) throw new CameraError('insecure');
  const video: MediaTrackConstraints = {
    width: { ideal: 640 },
    height: { ideal: 480 },
    frameRate: { ideal: 30 },
    ...(wanted.deviceId === undefined
      ? { facingMode: wanted.facing }
      : { deviceId: { exact: wanted.deviceId } }),
  };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : '';
    throw new CameraError(troubles[name] ?? 'busy');
  }
}

export async function cameras(): Promise<MediaDeviceInfo[]> {
  if (navigator.mediaDevices === undefined) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === 'videoinput');
}

export function stopCamera(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Size with the longest side at most `longest`, never enlarged. */
export function fitWithin(width: number, height: number, longest: number): [number, number] {
  const scale = Math.min(1, longest / Math.max(width, height, 1));
  return [Math.round(width * scale), Math.round(height * scale)];
}

const LONGEST_SIDE_PX = 640;
const JPEG_QUALITY = 0.85;

/** Turns the current picture of a video into one JPEG and keeps nothing of it afterwards. */
export class FrameMaker {
  readonly #canvas = document.createElement('canvas');
  #busy = false;

  get busy(): boolean {
    return this.#busy;
  }

  async jpeg(video: HTMLVideoElement): Promise<Blob | null> {
    const context = this.#draw(video);
    if (context === null) return null;
    this.#busy = true;
    try {
      return await new Promise((resolve) => {
        this.#canvas.toBlob(resolve, 'image/jpeg', JPEG_QUALITY);
      });
    } finally {
      context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
      this.#busy = false;
    }
  }

  /** The current picture as pixels, for reading a code in the page. */
  pixels(video: HTMLVideoElement): ImageData | null {
    const context = this.#draw(video);
    return context?.getImageData(0, 0, this.#canvas.width, this.#canvas.height) ?? null;
  }

  #draw(video: HTMLVideoElement): CanvasRenderingContext2D | null {
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.videoWidth === 0) return null;
    const [width, height] = fitWithin(video.videoWidth, video.videoHeight, LONGEST_SIDE_PX);
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    const context = this.#canvas.getContext('2d', { willReadFrequently: true });
    context?.drawImage(video, 0, 0, width, height);
    return context;
  }
}
