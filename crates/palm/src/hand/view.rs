//! A picture made small enough to look at as a whole.

use std::ops::{Add, Mul, Sub};

use zeroize::Zeroizing;

use crate::Picture;
use crate::picture::luma;

/// Longest side of a view: at it a hovering palm's radius is forty pixels or more, so that its
/// outline is known to a fortieth, and a view costs a few milliseconds.
const VIEW_PX: usize = 400;

/// A point or direction on the screen: x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

impl Point {
    /// Its distance from the origin.
    pub fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    /// The same direction with length 1; the origin has none and gives the x axis.
    pub fn unit(self) -> Self {
        let length = self.length();
        if length > 0.0 { self * (1.0 / length) } else { Self { x: 1.0, y: 0.0 } }
    }

    /// The inner product.
    pub fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y }
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y }
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, by: f32) -> Self {
        Self { x: self.x * by, y: self.y * by }
    }
}

/// One value for every pixel of a view.
#[derive(Clone)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Zeroizing<Vec<u8>>,
}

/// A picture at a size to work on, its brightness and its colours.
pub struct View {
    scale: f32,
    luma: Plane,
    /// Red, green, blue for every pixel, where the picture has colour.
    rgb: Option<Zeroizing<Vec<[u8; 3]>>>,
}

impl View {
    /// The view of a picture.
    pub fn of(picture: &Picture) -> Self {
        let (from_width, from_height) = (picture.width() as usize, picture.height() as usize);
        let longest = from_width.max(from_height);
        let scale = (longest as f32 / VIEW_PX as f32).max(1.0);
        let width = ((from_width as f32 / scale) as usize).max(1);
        let height = ((from_height as f32 / scale) as usize).max(1);
        let columns = edges(from_width, width);
        let rows = edges(from_height, height);
        let plane = |values| Plane { width, height, values };
        if picture.is_grey() {
            let values = shrink::<1>(picture.pixels(), from_width, &columns, &rows);
            let values = Zeroizing::new(values.iter().map(|&[grey]| grey).collect());
            return Self { scale, luma: plane(values), rgb: None };
        }
        let rgb = shrink::<3>(picture.pixels(), from_width, &columns, &rows);
        let values = Zeroizing::new(rgb.iter().map(|&[r, g, b]| luma(r, g, b)).collect());
        Self { scale, luma: plane(values), rgb: Some(rgb) }
    }

    pub fn width(&self) -> usize {
        self.luma.width
    }

    pub fn height(&self) -> usize {
        self.luma.height
    }

    pub fn shorter(&self) -> f32 {
        self.width().min(self.height()) as f32
    }

    pub fn area(&self) -> f32 {
        (self.width() * self.height()) as f32
    }

    pub fn luma(&self) -> &Plane {
        &self.luma
    }

    pub fn rgb(&self) -> Option<&[[u8; 3]]> {
        self.rgb.as_ref().map(|rgb| rgb.as_slice())
    }

    /// How many pixels of the picture one pixel of the view is wide.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// From the view's pixels to the picture's.
    pub fn to_picture(&self, point: Point) -> Point {
        let half = Point { x: 0.5, y: 0.5 };
        (point + half) * self.scale - half
    }

    pub fn mean_luma(&self) -> f32 {
        let sum: u64 = self.luma.values.iter().map(|&value| u64::from(value)).sum();
        sum as f32 / self.area()
    }
}

/// Where each of `to` output pixels begins among `from` input pixels, and where the last ends.
fn edges(from: usize, to: usize) -> Vec<usize> {
    (0..=to).map(|i| i * from / to).collect()
}

/// Makes each output pixel the mean of the rectangle that it covers.
fn shrink<const CHANNELS: usize>(
    pixels: &[u8],
    from_width: usize,
    columns: &[usize],
    rows: &[usize],
) -> Zeroizing<Vec<[u8; CHANNELS]>> {
    let mut out = Zeroizing::new(Vec::with_capacity((columns.len() - 1) * (rows.len() - 1)));
    for row in rows.windows(2) {
        for column in columns.windows(2) {
            let mut sums = [0_u32; CHANNELS];
            for y in row[0]..row[1] {
                let line = &pixels[(y * from_width + column[0]) * CHANNELS
                    ..(y * from_width + column[1]) * CHANNELS];
                for pixel in line.chunks_exact(CHANNELS) {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += u32::from(value);
                    }
                }
            }
            let count = ((row[1] - row[0]) * (column[1] - column[0])) as u32;
            out.push(sums.map(|sum| (sum / count) as u8));
        }
    }
    out
}
