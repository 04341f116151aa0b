//! Cutting the palm out of a picture.

use zeroize::Zeroizing;

use crate::hand::{Hand, Point};
use crate::sample::{CORE_PX, FULL_PX};
use crate::{Picture, Sample, Side};

/// Most picture pixels a sample pixel is averaged from along each axis: a palm ten times as large
/// as a sample fills the largest photographs.
const AVERAGED_MAX: usize = 10;

/// Cuts the region of interest, with its margin, turned upright and scaled; a left hand is
/// mirrored. Beyond the picture's edge the edge is repeated.
pub fn cut(picture: &Picture, hand: &Hand) -> Sample {
    let grey = picture.grey();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    // Each sample pixel is the mean of as many points as it covers picture pixels.
    let points = ((hand.roi_side / CORE_PX as f32).ceil() as usize).clamp(1, AVERAGED_MAX);
    let step = 1.0 / (CORE_PX * points) as f32;
    let mut pixels = Zeroizing::new(Vec::with_capacity(FULL_PX * FULL_PX));
    let half = (FULL_PX * points) as f32 / 2.0 - 0.5;
    let mirrored = if hand.side == Side::Left { -1.0 } else { 1.0 };
    for row in 0..FULL_PX {
        for column in 0..FULL_PX {
            let mut sum = 0.0;
            for i in 0..points * points {
                let x = (column * points + i % points) as f32 - half;
                let y = (row * points + i / points) as f32 - half;
                sum += at(&grey, width, height, hand.at(mirrored * x * step, y * step));
            }
            pixels.push((sum / (points * points) as f32 + 0.5) as u8);
        }
    }
    Sample::from_full(hand.side, pixels)
}

/// The brightness at a point between pixels.
fn at(grey: &[u8], width: usize, height: usize, point: Point) -> f32 {
    let x = point.x.clamp(0.0, (width - 1) as f32);
    let y = point.y.clamp(0.0, (height - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (fx, fy) = (x - left as f32, y - top as f32);
    let pixel = |x: usize, y: usize| f32::from(grey[y * width + x]);
    let above = pixel(left, top) + fx * (pixel(right, top) - pixel(left, top));
    let below = pixel(left, bottom) + fx * (pixel(right, bottom) - pixel(left, bottom));
    above + fy * (below - above)
}
