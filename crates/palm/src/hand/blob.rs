//! Connected parts of a mask.

use std::fmt;

use super::mask::Mask;
use super::view::Point;
use zeroize::Zeroizing;

/// One connected part of a mask, holes filled.
#[derive(Clone)]
pub struct Blob {
    mask: Mask,
    area: usize,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} pixels)", self.area)
    }
}

impl Blob {
    pub fn width(&self) -> usize {
        self.mask.width
    }

    pub fn height(&self) -> usize {
        self.mask.height
    }

    pub fn area(&self) -> usize {
        self.area
    }

    /// The part of the picture's edge that it covers.
    pub fn edge_part(&self) -> f32 {
        let (width, height) = (self.width(), self.height());
        let rows = self.bits().chunks_exact(width);
        let sides: usize =
            rows.clone().map(|row| usize::from(row[0]) + usize::from(row[width - 1])).sum();
        let (first, last) = (rows.clone().next(), rows.last());
        let ends = first.into_iter().chain(last).flatten().filter(|&&bit| bit).count();
        (sides + ends) as f32 / (2 * (width + height)) as f32
    }

    pub fn bits(&self) -> &[bool] {
        &self.mask.bits
    }

    /// Whether a point of the view is in the blob; none outside the view.
    pub fn contains(&self, point: Point) -> Option<bool> {
        let inside = point.x >= 0.0
            && point.y >= 0.0
            && point.x < self.width() as f32
            && point.y < self.height() as f32;
        inside.then(|| self.bits()[point.y as usize * self.width() + point.x as usize])
    }

    /// Whether a point is at the view's edge.
    pub fn touches_edge(&self, point: Point) -> bool {
        self.edge_bounds(point, 1.0)
    }

    /// Whether the view's edge is as near to a point as a circle around it is large.
    pub fn edge_bounds(&self, centre: Point, radius: f32) -> bool {
        let reach = radius + 0.5;
        centre.x < reach
            || centre.y < reach
            || centre.x > self.width() as f32 - 1.0 - reach
            || centre.y > self.height() as f32 - 1.0 - reach
    }
}

/// A blob is at least this part of the picture.
const AREA_MIN: f32 = 0.01;

/// The largest connected parts of a mask, at most `count`, largest first.
pub fn largest(mask: Mask, count: usize) -> Vec<Blob> {
    let (width, height) = (mask.width, mask.height);
    let labels = label(&mask);
    let mut areas: Vec<(usize, u32)> = Vec::new();
    for &label in labels.iter().filter(|&&label| label > 0) {
        let at = label as usize - 1;
        if at >= areas.len() {
            areas.resize(at + 1, (0, 0));
        }
        areas[at] = (areas[at].0 + 1, label);
    }
    areas.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let area_min = (AREA_MIN * (width * height) as f32) as usize;
    areas
        .into_iter()
        .take(count)
        .filter(|&(area, _)| area >= area_min)
        .map(|(_, wanted)| {
            let bits = labels.iter().map(|&label| label == wanted).collect();
            fill_holes(Mask { width, height, bits: Zeroizing::new(bits) })
        })
        .collect()
}

/// The connected part of a mask that holds a point.
pub fn around(mask: Mask, point: Point) -> Option<Blob> {
    let (width, height) = (mask.width, mask.height);
    let x = (point.x.max(0.0) as usize).min(width - 1);
    let y = (point.y.max(0.0) as usize).min(height - 1);
    let labels = label(&mask);
    let wanted = labels[y * width + x];
    (wanted > 0).then(|| {
        let bits = labels.iter().map(|&label| label == wanted).collect();
        fill_holes(Mask { width, height, bits: Zeroizing::new(bits) })
    })
}

/// Numbers the connected parts from 1, in the order in which they are met; 0 is ground.
fn label(mask: &Mask) -> Zeroizing<Vec<u32>> {
    let mut labels = Zeroizing::new(vec![0_u32; mask.bits.len()]);
    let mut stack = Vec::new();
    let mut next = 0;
    for start in 0..mask.bits.len() {
        if !mask.bits[start] || labels[start] > 0 {
            continue;
        }
        next += 1;
        labels[start] = next;
        stack.push(start);
        while let Some(at) = stack.pop() {
            for neighbour in neighbours(at, mask.width, mask.height).into_iter().flatten() {
                if mask.bits[neighbour] && labels[neighbour] == 0 {
                    labels[neighbour] = next;
                    stack.push(neighbour);
                }
            }
        }
    }
    labels
}

/// The four neighbours of a pixel that are inside the picture.
fn neighbours(at: usize, width: usize, height: usize) -> [Option<usize>; 4] {
    let (x, y) = (at % width, at / width);
    [
        (x > 0).then(|| at - 1),
        (x + 1 < width).then(|| at + 1),
        (y > 0).then(|| at - width),
        (y + 1 < height).then(|| at + width),
    ]
}

/// Fills what the picture's edge cannot be reached from.
fn fill_holes(mut mask: Mask) -> Blob {
    let (width, height) = (mask.width, mask.height);
    let mut outside = Zeroizing::new(vec![false; mask.bits.len()]);
    let mut stack: Vec<usize> = (0..mask.bits.len())
        .filter(|at| {
            let (x, y) = (at % width, at / width);
            x == 0 || y == 0 || x + 1 == width || y + 1 == height
        })
        .filter(|&at| !mask.bits[at])
        .collect();
    for &at in &stack {
        outside[at] = true;
    }
    while let Some(at) = stack.pop() {
        for neighbour in neighbours(at, width, height).into_iter().flatten() {
            if !mask.bits[neighbour] && !outside[neighbour] {
                outside[neighbour] = true;
                stack.push(neighbour);
            }
        }
    }
    let mut area = 0;
    for (bit, &outside) in mask.bits.iter_mut().zip(outside.iter()) {
        *bit = !outside;
        area += usize::from(*bit);
    }
    Blob { mask, area }
}
