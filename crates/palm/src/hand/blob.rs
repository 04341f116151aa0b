//! Connected parts of a mask.

use std::fmt;
use std::ops::Range;

use super::mask::Mask;
use super::view::Point;
use zeroize::Zeroizing;

/// One connected part of a mask, holes filled.
#[derive(Clone)]
pub struct Blob {
    mask: Mask,
    area: usize,
    bounds: Bounds,
}

/// The columns and the rows that something lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub columns: Range<usize>,
    pub rows: Range<usize>,
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

    /// What all of it lies in.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
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
pub fn largest(mask: &Mask, count: usize) -> Vec<Blob> {
    let whole = Bounds { columns: 0..mask.width, rows: 0..mask.height };
    let parts = Parts::of(mask, true, &whole);
    let mut areas = parts.areas();
    // Of equal ones the one that is met first.
    areas.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let area_min = (AREA_MIN * (mask.width * mask.height) as f32) as usize;
    let large = areas.into_iter().take(count).filter(|&(area, _)| area >= area_min);
    large.map(|(area, part)| parts.blob(mask, part, area)).collect()
}

/// The connected part of a mask that holds a point.
pub fn around(mask: &Mask, point: Point) -> Option<Blob> {
    let x = (point.x.max(0.0) as usize).min(mask.width - 1);
    let y = (point.y.max(0.0) as usize).min(mask.height - 1);
    let whole = Bounds { columns: 0..mask.width, rows: 0..mask.height };
    let parts = Parts::of(mask, true, &whole);
    let at = parts.runs.iter().position(|run| run.row == y && (run.from..run.to).contains(&x))?;
    let part = parts.root(at);
    let area = parts.areas().into_iter().find(|&(_, other)| other == part)?.0;
    Some(parts.blob(mask, part, area))
}

/// Pixels of a row side by side, all of a mask or all of its ground.
#[derive(Clone, Copy, Default)]
struct Run {
    row: usize,
    from: usize,
    to: usize,
}

impl zeroize::DefaultIsZeroes for Run {}

/// The connected parts of a mask, or of its ground, in some bounds: its runs, row by row, and of each
/// one that is connected to it and comes earlier, or itself. Pixels are connected to the four beside
/// them.
struct Parts {
    runs: Zeroizing<Vec<Run>>,
    earlier: Zeroizing<Vec<usize>>,
}

impl Parts {
    fn of(mask: &Mask, kind: bool, bounds: &Bounds) -> Self {
        // Counted first: a vector that grows leaves copies behind that nobody zeroes.
        let count = bounds.rows.clone().map(|row| mask.starts(row, kind, bounds)).sum();
        let mut parts = Self {
            runs: Zeroizing::new(Vec::with_capacity(count)),
            earlier: Zeroizing::new(Vec::with_capacity(count)),
        };
        let mut above = 0..0;
        for row in bounds.rows.clone() {
            let start = parts.runs.len();
            let bits = mask.row(row, bounds);
            let mut at = 0;
            while let Some(begins) = bits[at..].iter().position(|&bit| bit == kind) {
                let from = at + begins;
                let length = bits[from..].iter().position(|&bit| bit != kind);
                at = length.map_or(bits.len(), |length| from + length);
                let left = bounds.columns.start;
                parts.earlier.push(parts.runs.len());
                parts.runs.push(Run { row, from: left + from, to: left + at });
            }
            parts.connect(above, start);
            above = start..parts.runs.len();
        }
        parts
    }

    /// Connects a row's runs, from `start` on, to those of the row above.
    fn connect(&mut self, mut above: Range<usize>, start: usize) {
        for at in start..self.runs.len() {
            let run = self.runs[at];
            while above.start < above.end && self.runs[above.start].to <= run.from {
                above.start += 1;
            }
            for other in above.clone() {
                if self.runs[other].from >= run.to {
                    break;
                }
                let (a, b) = (self.root(at), self.root(other));
                self.earlier[a.max(b)] = a.min(b);
                self.earlier[at] = a.min(b);
            }
        }
    }

    /// The first run of the part that a run belongs to: it stands for the part.
    fn root(&self, mut at: usize) -> usize {
        while self.earlier[at] != at {
            at = self.earlier[at];
        }
        at
    }

    /// The area of each part, and the run that stands for it.
    fn areas(&self) -> Vec<(usize, usize)> {
        let mut areas = vec![0; self.runs.len()];
        for (at, run) in self.runs.iter().enumerate() {
            areas[self.root(at)] += run.to - run.from;
        }
        let parts = areas.into_iter().enumerate().filter(|&(_, area)| area > 0);
        parts.map(|(part, area)| (area, part)).collect()
    }

    /// A part alone, its holes filled.
    fn blob(&self, of: &Mask, part: usize, area: usize) -> Blob {
        let (width, height) = (of.width, of.height);
        let bits = Zeroizing::new(vec![false; of.bits.len()]);
        let mut mask = Mask { width, height, bits };
        let first = self.runs[part];
        let mut bounds = Bounds { columns: first.from..first.to, rows: first.row..first.row + 1 };
        for (at, &run) in self.runs.iter().enumerate().skip(part) {
            if self.root(at) == part {
                mask.fill(run);
                bounds.columns.start = bounds.columns.start.min(run.from);
                bounds.columns.end = bounds.columns.end.max(run.to);
                bounds.rows.end = run.row + 1;
            }
        }
        let filled = fill_holes(&mut mask, &bounds);
        Blob { mask, area: area + filled, bounds }
    }
}

impl Mask {
    /// A row's pixels inside some bounds.
    fn row(&self, row: usize, bounds: &Bounds) -> &[bool] {
        &self.bits[row * self.width..][bounds.columns.clone()]
    }

    /// How many runs of a kind a row has inside some bounds.
    fn starts(&self, row: usize, kind: bool, bounds: &Bounds) -> usize {
        let bits = self.row(row, bounds);
        let later = bits.windows(2).filter(|pair| pair[0] != kind && pair[1] == kind).count();
        later + usize::from(bits.first() == Some(&kind))
    }

    fn fill(&mut self, run: Run) {
        self.bits[run.row * self.width..][run.from..run.to].fill(true);
    }
}

/// Fills what the bounds of all that a mask holds cannot be reached from, and says how much that is.
fn fill_holes(mask: &mut Mask, bounds: &Bounds) -> usize {
    let ground = Parts::of(mask, false, bounds);
    let mut open = vec![false; ground.runs.len()];
    for (at, run) in ground.runs.iter().enumerate() {
        open[ground.root(at)] |= run.row == bounds.rows.start
            || run.row + 1 == bounds.rows.end
            || run.from == bounds.columns.start
            || run.to == bounds.columns.end;
    }
    let mut filled = 0;
    for (at, &run) in ground.runs.iter().enumerate() {
        if !open[ground.root(at)] {
            mask.fill(run);
            filled += run.to - run.from;
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle: what can be reached from a pixel by steps to one of the four beside it.
    fn reached(bits: &[bool], width: usize, start: usize) -> Vec<bool> {
        let mut seen = vec![false; bits.len()];
        let mut stack = vec![start];
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let x = at % width;
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                at.checked_sub(width),
                Some(at + width).filter(|&it| it < bits.len()),
            ];
            stack.extend(beside.into_iter().flatten().filter(|&it| bits[it] == bits[start]));
        }
        seen
    }

    /// The part around a pixel, its holes filled: all but the ground that reaches the picture's edge.
    fn slow(bits: &[bool], width: usize, start: usize) -> Vec<bool> {
        let own = reached(bits, width, start);
        let height = bits.len() / width;
        let mut filled = vec![true; bits.len()];
        for at in 0..bits.len() {
            let (x, y) = (at % width, at / width);
            let on_edge = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            if on_edge && !own[at] {
                let open = reached(&own, width, at);
                filled.iter_mut().zip(open).for_each(|(bit, open)| *bit &= !open);
            }
        }
        filled
    }

    #[test]
    fn parts_are_what_can_be_reached_and_have_no_holes() {
        let mut state = 7_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        for part in [60, 110, 150, 200] {
            let (width, height) = (31, 19);
            let bits: Vec<bool> = (0..width * height).map(|_| random() < part).collect();
            let mask = Mask { width, height, bits: Zeroizing::new(bits.clone()) };
            for at in (0..bits.len()).filter(|&at| bits[at]) {
                let point = Point { x: (at % width) as f32, y: (at / width) as f32 };
                let blob = around(&mask, point).expect("the pixel is in the mask");
                let wanted = slow(&bits, width, at);
                assert_eq!(blob.bits(), wanted, "{part} around {at}");
                assert_eq!(blob.area(), wanted.iter().filter(|&&bit| bit).count());
                let inside = (0..bits.len()).filter(|&at| wanted[at]);
                assert!(inside.into_iter().all(|at| blob.bounds().columns.contains(&(at % width))
                    && blob.bounds().rows.contains(&(at / width))));
            }
        }
    }
}
