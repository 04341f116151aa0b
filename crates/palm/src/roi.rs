//! Cutting the palm out of a picture.

use zeroize::Zeroizing;

use crate::hand::{Hand, Point};
use crate::picture::luma;
use crate::sample::{CORE_PX, FULL_PX};
use crate::{Picture, Sample, Side};

/// Most picture pixels a sample pixel is averaged from along each axis: a palm ten times as large
/// as a sample fills the largest photographs.
const AVERAGED_MAX: usize = 10;

/// Cuts the region of interest, with its margin, turned upright and scaled; a left hand is
/// mirrored. Beyond the picture's edge the edge is repeated.
pub fn cut(picture: &Picture, hand: &Hand) -> Sample {
    let grey = Grey::of(picture, hand);
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
                sum += grey.at(hand.at(mirrored * x * step, y * step));
            }
            pixels.push((sum / (points * points) as f32 + 0.5) as u8);
        }
    }
    Sample::from_full(hand.side, pixels)
}

/// The brightness of the part of a picture that a region of interest with its margin lies in.
struct Grey {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    values: Zeroizing<Vec<u8>>,
}

impl Grey {
    fn of(picture: &Picture, hand: &Hand) -> Self {
        let reach = FULL_PX as f32 / CORE_PX as f32 / 2.0;
        let corners = [(-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach)]
            .map(|(x, y)| hand.at(x, y));
        // The pixels from one before the least corner to two after the greatest, inside the picture.
        let span = |values: [f32; 4], length: u32| {
            let last = length as usize - 1;
            let least = values.into_iter().fold(f32::INFINITY, f32::min);
            let greatest = values.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let from = ((least - 1.0).max(0.0) as usize).min(last);
            (from, ((greatest + 2.0).max(0.0) as usize).clamp(from, last) - from + 1)
        };
        let (left, width) = span(corners.map(|corner| corner.x), picture.width());
        let (top, height) = span(corners.map(|corner| corner.y), picture.height());
        let mut values = Zeroizing::new(Vec::with_capacity(width * height));
        let channels = if picture.is_grey() { 1 } else { 3 };
        for y in top..top + height {
            let start = (y * picture.width() as usize + left) * channels;
            let row = &picture.pixels()[start..start + width * channels];
            if channels == 1 {
                values.extend_from_slice(row);
            } else {
                values.extend(row.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])));
            }
        }
        Self { left, top, width, height, values }
    }

    /// The brightness at a point between pixels; beyond the picture's edge the edge's.
    fn at(&self, point: Point) -> f32 {
        let x = (point.x - self.left as f32).clamp(0.0, (self.width - 1) as f32);
        let y = (point.y - self.top as f32).clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (fx, fy) = (x - left as f32, y - top as f32);
        let pixel = |x: usize, y: usize| f32::from(self.values[y * self.width + x]);
        let above = pixel(left, top) + fx * (pixel(right, top) - pixel(left, top));
        let below = pixel(left, bottom) + fx * (pixel(right, bottom) - pixel(left, bottom));
        above + fy * (below - above)
    }
}
