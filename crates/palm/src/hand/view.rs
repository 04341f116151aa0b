//! A picture made small enough to look at as a whole.

use std::cell::OnceCell;
use std::ops::{Add, Mul, Sub};
use std::rc::Rc;

use zeroize::Zeroizing;

use super::tints::Tints;
use crate::Picture;
use crate::picture::luma;

/// Longest side of the view in which a hand is looked for: the gaps between the fingers of the
/// smallest palm that is taken are then two pixels wide.
pub const SEARCH_PX: usize = 320;
/// Longest side of the view in which a hand that was small in the first one is looked for again: its palm's
/// radius is then some fifty-five pixels, about what a hand that fills the picture has in the first. Sixty took a
/// millisecond more and measured no better; fifty took another's closed fingers for open ones.
pub const NEAR_PX: usize = 450;
/// Longest side of the view of a palm that was found, in which its valleys are measured: a radius is
/// then about eighty pixels.
pub const MEASURE_PX: usize = 360;

/// A point or direction on the screen: x to the right, y down.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// An outline is a biometric too.
impl zeroize::DefaultIsZeroes for Point {}

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

impl Plane {
    /// The value at a point between pixels, the edge's beyond the edge.
    pub fn at(&self, point: Point) -> f32 {
        let x = point.x.clamp(0.0, (self.width - 1) as f32);
        let y = point.y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let value = |x: usize, y: usize| f32::from(self.values[y * self.width + x]);
        let (fx, fy) = (x - left as f32, y - top as f32);
        let above = value(left, top) + fx * (value(right, top) - value(left, top));
        let below = value(left, bottom) + fx * (value(right, bottom) - value(left, bottom));
        above + fy * (below - above)
    }
}

/// A rectangle of a picture's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

impl Region {
    /// All of a picture.
    pub fn whole(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { left: 0, top: 0, width, height }
    }

    /// The square around a point, as far as it is inside the picture; at least a pixel of it is.
    pub fn around(centre: Point, reach: f32, picture: &Picture) -> Self {
        let span = |middle: f32, length: u32| {
            let length = length as usize;
            let from = ((middle - reach).max(0.0) as usize).min(length - 1);
            let to = ((middle + reach + 1.0).max(1.0) as usize).clamp(from + 1, length);
            (from, to - from)
        };
        let (left, width) = span(centre.x, picture.width());
        let (top, height) = span(centre.y, picture.height());
        Self { left, top, width, height }
    }
}

/// A part of a picture at a size to work on, its brightness and its colours.
pub struct View {
    region: Region,
    /// Pixels of the picture that a pixel of the view is wide and high.
    scale: Point,
    luma: Plane,
    /// Red, green, blue for every pixel, where the picture has colour.
    rgb: Option<Zeroizing<Vec<[u8; 3]>>>,
    has_colour: OnceCell<bool>,
    tints: OnceCell<Option<Rc<Tints>>>,
    /// The picture's size.
    whole: (usize, usize),
}

impl View {
    /// The view of a part of a picture, its longest side at most `longest` pixels.
    pub fn of(picture: &Picture, region: Region, longest: usize) -> Self {
        let shrunk = (region.width.max(region.height) as f32 / longest as f32).max(1.0);
        let width = ((region.width as f32 / shrunk) as usize).max(1);
        let height = ((region.height as f32 / shrunk) as usize).max(1);
        let scale = Point {
            x: region.width as f32 / width as f32,
            y: region.height as f32 / height as f32,
        };
        let columns = edges(region.left, region.width, width);
        let rows = edges(region.top, region.height, height);
        let from_width = picture.width() as usize;
        let plane = |values| Plane { width, height, values };
        let (has_colour, tints) = (OnceCell::new(), OnceCell::new());
        let whole = (picture.width() as usize, picture.height() as usize);
        if picture.is_grey() {
            let values = shrink::<1>(picture.pixels(), from_width, &columns, &rows);
            let values = Zeroizing::new(values.iter().map(|&[grey]| grey).collect());
            return Self {
                region,
                scale,
                luma: plane(values),
                rgb: None,
                has_colour,
                tints,
                whole,
            };
        }
        let rgb = shrink::<3>(picture.pixels(), from_width, &columns, &rows);
        let values = Zeroizing::new(rgb.iter().map(|&[r, g, b]| luma(r, g, b)).collect());
        Self { region, scale, luma: plane(values), rgb: Some(rgb), has_colour, tints, whole }
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

    /// Width and height of the whole picture, in its pixels.
    pub fn picture_size(&self) -> Point {
        Point { x: self.whole.0 as f32, y: self.whole.1 as f32 }
    }

    /// How many pixels of the picture one pixel of the view is wide.
    pub fn scale(&self) -> f32 {
        (self.scale.x + self.scale.y) / 2.0
    }

    /// From the view's pixels to the picture's.
    pub fn to_picture(&self, point: Point) -> Point {
        Point {
            x: (point.x + 0.5) * self.scale.x - 0.5 + self.region.left as f32,
            y: (point.y + 0.5) * self.scale.y - 0.5 + self.region.top as f32,
        }
    }

    /// From the picture's pixels to the view's.
    pub fn of_picture(&self, point: Point) -> Point {
        Point {
            x: (point.x + 0.5 - self.region.left as f32) / self.scale.x - 0.5,
            y: (point.y + 0.5 - self.region.top as f32) / self.scale.y - 0.5,
        }
    }

    /// Whether there is colour in the picture: an infrared camera may send three equal channels.
    pub fn has_colour(&self) -> bool {
        /// The least mean difference between two channels, of 255: less is a sensor's noise.
        const COLOUR_MIN: u64 = 3;
        let told = |rgb: &[[u8; 3]]| {
            let apart = |&[red, green, blue]: &[u8; 3]| {
                u64::from(red.abs_diff(green)) + u64::from(green.abs_diff(blue))
            };
            rgb.iter().map(apart).sum::<u64>() >= COLOUR_MIN * rgb.len() as u64
        };
        *self.has_colour.get_or_init(|| self.rgb().is_some_and(told))
    }

    /// What the hand's colours are like and what its ground's, learned once.
    pub fn tints(&self) -> Option<Rc<Tints>> {
        self.tints.get_or_init(|| Tints::of(self).map(Rc::new)).clone()
    }

    /// Which of the picture's `count` equal columns a pixel lies in.
    pub fn column_of(&self, x: usize, count: usize) -> usize {
        let at = ((x as f32 + 0.5) * self.scale.x) as usize + self.region.left;
        (at * count / self.whole.0).min(count - 1)
    }

    /// Which of the picture's `count` equal rows it lies in.
    pub fn row_of(&self, y: usize, count: usize) -> usize {
        let at = ((y as f32 + 0.5) * self.scale.y) as usize + self.region.top;
        (at * count / self.whole.1).min(count - 1)
    }

    pub fn mean_luma(&self) -> f32 {
        let sum: u64 = self.luma.values.iter().map(|&value| u64::from(value)).sum();
        sum as f32 / self.area()
    }
}

/// Where each of `to` output pixels begins among `from` input pixels, and where the last ends.
fn edges(first: usize, from: usize, to: usize) -> Vec<usize> {
    (0..=to).map(|i| first + i * from / to).collect()
}

/// Makes each output pixel the mean of the rectangle that it covers.
fn shrink<const CHANNELS: usize>(
    pixels: &[u8],
    from_width: usize,
    columns: &[usize],
    rows: &[usize],
) -> Zeroizing<Vec<[u8; CHANNELS]>> {
    let mut out = Zeroizing::new(Vec::with_capacity((columns.len() - 1) * (rows.len() - 1)));
    let (left, right) = (columns[0], columns[columns.len() - 1]);
    let mut sums = Zeroizing::new(vec![0_u32; (right - left) * CHANNELS]);
    for row in rows.windows(2) {
        // The rows first, side by side.
        sums.fill(0);
        for y in row[0]..row[1] {
            let line = &pixels[(y * from_width + left) * CHANNELS..][..sums.len()];
            sums.iter_mut().zip(line).for_each(|(sum, &value)| *sum += u32::from(value));
        }
        for column in columns.windows(2) {
            let mut total = [0_u32; CHANNELS];
            let part = &sums[(column[0] - left) * CHANNELS..(column[1] - left) * CHANNELS];
            for pixel in part.chunks_exact(CHANNELS) {
                total.iter_mut().zip(pixel).for_each(|(total, sum)| *total += sum);
            }
            let count = ((row[1] - row[0]) * (column[1] - column[0])) as u32;
            out.push(total.map(|sum| (sum / count) as u8));
        }
    }
    out
}
