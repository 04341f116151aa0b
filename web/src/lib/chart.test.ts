import { describe, expect, it } from 'vitest';
import { bars, fillMinutes, niceStep, ticks } from './chart';

const at = (minute: number): string => new Date(minute * 60_000).toISOString();

describe('ticks', () => {
  it('are round numbers that hold the largest value', () => {
    expect(ticks(0)).toEqual([0, 1]);
    expect(ticks(3)).toEqual([0, 1, 2, 3]);
    expect(ticks(17)).toEqual([0, 5, 10, 15, 20]);
    expect(ticks(200)).toEqual([0, 50, 100, 150, 200]);
  });

  it('hold whatever comes, in few steps', () => {
    for (let largest = 0; largest < 5_000; largest += 7) {
      const marks = ticks(largest);
      expect(marks.at(-1)).toBeGreaterThanOrEqual(largest);
      expect(marks.length).toBeLessThanOrEqual(6);
      expect(new Set(marks).size).toBe(marks.length);
    }
  });

  it('step by 1, 2 or 5', () => {
    expect([0.2, 1.1, 2.5, 6, 11, 24, 51].map(niceStep)).toEqual([1, 2, 5, 10, 20, 50, 100]);
  });
});

describe('fillMinutes', () => {
  it('puts quiet minutes back and ends now', () => {
    const filled = fillMinutes([{ minute: at(100), palm: 2, code: 1 }], 4, 102 * 60_000 + 5_000);
    expect(filled.map((entry) => entry.palm)).toEqual([0, 2, 0, 0]);
    expect(filled.at(-1)?.minute).toBe(at(102));
  });

  it('ends with the last entry of an evening that is over', () => {
    const filled = fillMinutes([{ minute: at(100), palm: 2, code: 1 }], 4, 9_000 * 60_000);
    expect(filled.at(-1)?.palm).toBe(2);
  });

  it('is empty before the first entry', () => expect(fillMinutes([], 60, 0)).toEqual([]));
});

describe('bars', () => {
  const plot = { width: 100, height: 50 };

  it('stack to the height of their sum and stand on the ground', () => {
    const [bar] = bars([{ minute: at(1), palm: 3, code: 2 }], 10, plot);
    expect(bar).toMatchObject({ palmY: 35, palmHeight: 15, codeY: 25, codeHeight: 10 });
  });

  it('stay inside the plot, apart from each other', () => {
    const drawn = bars(
      Array.from({ length: 60 }, (_, index) => ({ minute: at(index), palm: index, code: 60 - index })),
      60,
      plot,
    );
    for (const [index, bar] of drawn.entries()) {
      expect(bar.codeY).toBeGreaterThanOrEqual(-1e-9);
      const next = drawn[index + 1];
      if (next) expect(bar.x + bar.width).toBeLessThanOrEqual(next.x + 0.31);
      expect(bar.x + bar.width).toBeLessThanOrEqual(plot.width + 1e-9);
    }
  });
});
