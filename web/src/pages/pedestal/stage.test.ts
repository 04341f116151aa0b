import { describe, expect, it } from 'vitest';
import { onStage, ROUND, WIDE } from './stage';

describe('a hand on the stage', () => {
  it('in the middle of the frame is in the middle of the stage', () => {
    expect(onStage({ x: 0.5, y: 0.5, radius: 0.1 }, 4 / 3, ROUND)).toMatchObject({ x: 50, y: 50 });
  });

  it('is mirrored', () => {
    expect(onStage({ x: 0.25, y: 0.5, radius: 0.1 }, 4 / 3, ROUND).x).toBeGreaterThan(50);
  });

  it('keeps its size relative to the picture, whether cropped or whole', () => {
    const whole = onStage({ x: 0, y: 0, radius: 0.5 }, 4 / 3, WIDE);
    expect(whole.x).toBeCloseTo(WIDE.width);
    expect(whole.y).toBeCloseTo(0);
    expect(whole.radius).toBeCloseTo(WIDE.height / 2);
    const cropped = onStage({ x: 0.5, y: 0, radius: 0.5 }, 4 / 3, ROUND);
    expect(cropped.y).toBeCloseTo(4.5);
    expect(cropped.radius).toBeCloseTo(91 / 2);
  });
});
