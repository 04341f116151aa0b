import type { EntryMinute } from './api';

/** The smallest of 1, 2, 5 times a power of ten that is at least `value` (and at least 1). */
export function niceStep(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/** Axis marks from 0 to a maximum that holds `largest`, about `wanted` steps. */
export function ticks(largest: number, wanted = 4): number[] {
  const step = niceStep(largest / wanted);
  const count = Math.max(1, Math.ceil(largest / step));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

export interface Bar {
  minute: string;
  palm: number;
  code: number;
  x: number;
  width: number;
  palmY: number;
  palmHeight: number;
  codeY: number;
  codeHeight: number;
}

export interface Plot {
  width: number;
  height: number;
}

const MINUTE_MS = 60_000;

/**
 * The last `span` minutes, with the quiet minutes that the server leaves out put back as zeros: a gap
 * in entries must look like one. Ends now, or at the newest entry when that is longer ago than `span`.
 */
export function fillMinutes(
  minutes: readonly EntryMinute[],
  span: number,
  nowMs: number,
): EntryMinute[] {
  const byStart = new Map(
    minutes.map((entry) => [Math.floor(Date.parse(entry.minute) / MINUTE_MS), entry] as const),
  );
  const last = Math.max(...byStart.keys());
  if (!Number.isFinite(last)) return [];
  const now = Math.floor(nowMs / MINUTE_MS);
  const newest = now - last < span ? Math.max(now, last) : last;
  return Array.from({ length: span }, (_, index) => {
    const start = newest - span + 1 + index;
    const minute = new Date(start * MINUTE_MS).toISOString();
    return byStart.get(start) ?? { minute, palm: 0, code: 0 };
  });
}

/** Stacked bars, palm below code, in the plot's own units; `top` is the axis maximum. */
export function bars(minutes: readonly EntryMinute[], top: number, plot: Plot): Bar[] {
  const slot = plot.width / Math.max(1, minutes.length);
  const width = Math.max(1, slot * 0.72);
  const scale = plot.height / Math.max(1, top);
  return minutes.map((entry, index) => {
    const palmHeight = entry.palm * scale;
    const codeHeight = entry.code * scale;
    return {
      ...entry,
      x: index * slot + (slot - width) / 2,
      width,
      palmY: plot.height - palmHeight,
      palmHeight,
      codeY: plot.height - palmHeight - codeHeight,
      codeHeight,
    };
  });
}
