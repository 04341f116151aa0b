// Short cues made of tones: no files, nothing to load, the same at every station.

export type Cue = 'ready' | 'taken' | 'good' | 'wait' | 'bad';

interface Tone {
  hertz: number;
  atMs: number;
  forMs: number;
}

const cues: Record<Cue, readonly Tone[]> = {
  ready: [{ hertz: 660, atMs: 0, forMs: 60 }],
  taken: [{ hertz: 880, atMs: 0, forMs: 90 }],
  good: [
    { hertz: 659, atMs: 0, forMs: 120 },
    { hertz: 988, atMs: 120, forMs: 240 },
  ],
  wait: [
    { hertz: 440, atMs: 0, forMs: 140 },
    { hertz: 440, atMs: 200, forMs: 140 },
  ],
  bad: [
    { hertz: 330, atMs: 0, forMs: 160 },
    { hertz: 247, atMs: 180, forMs: 320 },
  ],
};

const PEAK = 0.18;
let context: AudioContext | null = null;

/** Plays a cue. Browsers stay silent until the first touch or key of the page: that is no error. */
export function play(cue: Cue): void {
  if (!('AudioContext' in window)) return;
  context ??= new AudioContext();
  void context.resume();
  for (const tone of cues[cue]) sound(context, tone);
}

function sound(audio: AudioContext, tone: Tone): void {
  const start = audio.currentTime + tone.atMs / 1000;
  const end = start + tone.forMs / 1000;
  const oscillator = audio.createOscillator();
  const volume = audio.createGain();
  oscillator.type = 'triangle';
  oscillator.frequency.value = tone.hertz;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(PEAK, start + 0.012);
  volume.gain.exponentialRampToValueAtTime(0.001, end);
  oscillator.connect(volume).connect(audio.destination);
  oscillator.start(start);
  oscillator.stop(end);
}

/** Vibrates a phone; silently nothing elsewhere. */
export function vibrate(pattern: number[]): void {
  if ('vibrate' in navigator) navigator.vibrate(pattern);
}
