//! A sample: the palm cut out, turned upright and scaled to one frame of reference.

use std::fmt;

use zeroize::Zeroizing;

use crate::{Picture, Side};

/// Side of the part of a sample that is compared, in pixels.
pub const CORE_PX: usize = 128;
/// What surrounds the core where the picture shows more of the palm, so that a shifted, turned or
/// scaled core is still filled.
pub(crate) const MARGIN_PX: usize = 16;
/// Side of a sample with its margin.
pub(crate) const FULL_PX: usize = CORE_PX + 2 * MARGIN_PX;

/// A palm in the frame of reference: grey, fingers up, thumb to the right (a left hand is
/// mirrored), the core [`CORE_PX`] pixels square. Zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Sample {
    side: Side,
    /// `FULL_PX` squared grey pixels.
    pixels: Zeroizing<Vec<u8>>,
    /// Whether the margin shows the palm, or only repeats the core's edge.
    margin: bool,
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sample({:?})", self.side)
    }
}

impl Sample {
    /// A sample from a ready-made crop: a square that holds the palm below the fingers, fingers up.
    /// A left hand is mirrored; where it is unknown which hand it is, say `Right` throughout.
    #[must_use]
    pub fn from_roi_picture(picture: &Picture, side: Side) -> Self {
        let grey = picture.grey();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let core = resize(&grey, width, height, CORE_PX);
        let mut pixels = Zeroizing::new(vec![0; FULL_PX * FULL_PX]);
        for y in 0..FULL_PX {
            let row = y.saturating_sub(MARGIN_PX).min(CORE_PX - 1);
            for x in 0..FULL_PX {
                let column = x.saturating_sub(MARGIN_PX).min(CORE_PX - 1);
                let column = if side == Side::Left { CORE_PX - 1 - column } else { column };
                pixels[y * FULL_PX + x] = core[row * CORE_PX + column];
            }
        }
        Self { side, pixels, margin: false }
    }

    /// A sample from pixels already in the frame of reference, margin included.
    pub(crate) fn from_full(side: Side, pixels: Zeroizing<Vec<u8>>) -> Self {
        assert_eq!(pixels.len(), FULL_PX * FULL_PX, "a sample has one size");
        Self { side, pixels, margin: true }
    }

    /// Which hand it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub(crate) fn has_margin(&self) -> bool {
        self.margin
    }
}

/// Scales a grey picture to a square of `side` pixels: every pixel is the mean of the area that it
/// covers, or interpolated where the picture is smaller.
fn resize(grey: &[u8], width: usize, height: usize, side: usize) -> Zeroizing<Vec<u8>> {
    if width == side && height == side {
        return Zeroizing::new(grey.to_vec());
    }
    let columns = spans(width, side);
    let rows = spans(height, side);
    let mut out = Zeroizing::new(Vec::with_capacity(side * side));
    for row in &rows {
        for column in &columns {
            let mut sum = 0.0;
            for &(y, y_weight) in row {
                let line: f32 =
                    column.iter().map(|&(x, w)| w * f32::from(grey[y * width + x])).sum();
                sum += y_weight * line;
            }
            out.push((sum + 0.5) as u8);
        }
    }
    out
}

/// For each of `to` output pixels the input pixels that it is made of, with weights that sum to 1.
fn spans(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let step = from as f32 / to as f32;
    (0..to)
        .map(|i| {
            let centre = (i as f32 + 0.5) * step - 0.5;
            // A triangle as wide as the output pixel, and never narrower than interpolation asks.
            let reach = step.max(1.0);
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor().max(0.0) as usize).min(from - 1);
            let weights: Vec<(usize, f32)> = (first..=last)
                .map(|x| (x, (1.0 - (x as f32 - centre).abs() / reach).max(0.0)))
                .collect();
            let total: f32 = weights.iter().map(|&(_, w)| w).sum();
            weights.into_iter().map(|(x, w)| (x, w / total)).collect()
        })
        .collect()
}
