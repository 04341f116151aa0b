//! What is cut out of a frame for liveness: pixels as the sensor gave them.

use zeroize::Zeroizing;

use crate::Picture;

/// Side of the patch whose spectrum is looked at, in pixels of the frame.
pub const PATCH_PX: usize = 128;

/// Patches on a side of the square of them that is looked at.
const PATCHES: usize = 3;
/// From one patch to the next, as a part of the region's side, and at most in pixels, so that they lie
/// on the palm and overlap by more than half.
const STEP_PART: f32 = 0.2;
const STEP_PX_MAX: f32 = 56.0;

/// A part of the palm in the frame's own pixels: any resampling would blur what a grid leaves.
pub struct Patch {
    /// Brightness.
    pub luma: Zeroizing<Vec<f32>>,
    /// Red less green; none in a grey picture.
    pub tint: Option<Zeroizing<Vec<f32>>>,
}

impl Patch {
    /// The patches around the middle of a region, each moved inside the frame where it reaches out.
    pub fn around(picture: &Picture, corners: [(f32, f32); 4]) -> Vec<Self> {
        let middle = point(corners, 0.5, 0.5);
        let (right, down) = (corners[1].0 - corners[0].0, corners[1].1 - corners[0].1);
        let side = (right * right + down * down).sqrt();
        let step = (STEP_PART * side).min(STEP_PX_MAX);
        let off = |k: usize| (k as f32 - (PATCHES - 1) as f32 / 2.0) * step;
        (0..PATCHES * PATCHES)
            .map(|i| Self::at(picture, (middle.0 + off(i % PATCHES), middle.1 + off(i / PATCHES))))
            .collect()
    }

    fn at(picture: &Picture, middle: (f32, f32)) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let first = |centre: f32, size: usize| {
            (centre.max(0.0) as usize)
                .saturating_sub(PATCH_PX / 2)
                .min(size.saturating_sub(PATCH_PX))
        };
        let (left, top) = (first(middle.0, width), first(middle.1, height));
        let mut luma = Zeroizing::new(Vec::with_capacity(PATCH_PX * PATCH_PX));
        let mut tint = Zeroizing::new(Vec::with_capacity(PATCH_PX * PATCH_PX));
        for y in 0..PATCH_PX {
            for x in 0..PATCH_PX {
                let [r, g, b] =
                    pixel(picture, (left + x).min(width - 1), (top + y).min(height - 1));
                luma.push(0.30 * r + 0.59 * g + 0.11 * b);
                tint.push(r - g);
            }
        }
        Self { luma, tint: (!picture.is_grey()).then_some(tint) }
    }
}

/// Red, green and blue of a pixel.
pub fn pixel(picture: &Picture, x: usize, y: usize) -> [f32; 3] {
    let at = y * picture.width() as usize + x;
    let pixels = picture.pixels();
    if picture.is_grey() {
        [f32::from(pixels[at]); 3]
    } else {
        [pixels[3 * at], pixels[3 * at + 1], pixels[3 * at + 2]].map(f32::from)
    }
}

/// A point of a region in pixels of the frame: 0 to 1 from its left and from its top.
pub fn point(corners: [(f32, f32); 4], x: f32, y: f32) -> (f32, f32) {
    let [first, right, _, down] = corners;
    (
        first.0 + x * (right.0 - first.0) + y * (down.0 - first.0),
        first.1 + x * (right.1 - first.1) + y * (down.1 - first.1),
    )
}
