/** The drawing units of a stage: a circle in a square, or a whole 4:3 picture. */
export interface StageBox {
  width: number;
  height: number;
  /** Where the picture lies in the box. */
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const ROUND: StageBox = {
  width: 100,
  height: 100,
  left: 4.5,
  top: 4.5,
  right: 95.5,
  bottom: 95.5,
};

export const WIDE: StageBox = {
  width: 400 / 3,
  height: 100,
  left: 0,
  top: 0,
  right: 400 / 3,
  bottom: 100,
};

/**
 * A hand's place in the frame (x relative to its width, y to its height, the radius to its shorter side)
 * as a place on the stage, where the frame covers the picture area (`object-fit: cover`) and is mirrored.
 */
export function onStage(
  hand: { x: number; y: number; radius: number },
  aspect: number,
  box: StageBox,
): { x: number; y: number; radius: number } {
  const [areaWidth, areaHeight] = [box.right - box.left, box.bottom - box.top];
  const frameHeight = Math.max(areaHeight, areaWidth / aspect);
  const frameWidth = frameHeight * aspect;
  return {
    x: box.left + areaWidth / 2 + (0.5 - hand.x) * frameWidth,
    y: box.top + areaHeight / 2 + (hand.y - 0.5) * frameHeight,
    radius: hand.radius * Math.min(frameWidth, frameHeight),
  };
}
