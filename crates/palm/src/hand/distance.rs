//! How far inside a blob is: the palm is where it is thickest.

use zeroize::Zeroizing;

use super::blob::Blob;
use super::view::Point;

/// How far every pixel of a blob is from the nearest one outside it or outside the view. Zeroed when
/// dropped, as the blob is.
#[derive(Clone)]
pub struct Distances {
    width: usize,
    squared: Zeroizing<Vec<i32>>,
}

impl Distances {
    /// The distances in a blob.
    pub fn of(blob: &Blob) -> Self {
        Self { width: blob.width(), squared: squared_distances(blob) }
    }

    /// The largest circle inside the blob and inside the view: centre and radius.
    pub fn largest_circle(&self) -> (Point, f32) {
        let (width, height) = (self.width as f32, (self.squared.len() / self.width) as f32);
        let middle = Point { x: width / 2.0, y: height / 2.0 };
        let all = self.largest_circle_near(middle, width + height);
        all.unwrap_or((Point { x: 0.0, y: 0.0 }, 0.0))
    }

    /// The largest such circle whose centre is within a reach of a point.
    pub fn largest_circle_near(&self, point: Point, reach: f32) -> Option<(Point, f32)> {
        let height = self.squared.len() / self.width;
        let span = |middle: f32, length: usize| {
            let from = (middle - reach).max(0.0) as usize;
            from..((middle + reach + 1.0).max(0.0) as usize).min(length)
        };
        let mut best: Option<(Point, i32)> = None;
        for y in span(point.y, height) {
            for x in span(point.x, self.width) {
                let distance = self.squared[y * self.width + x];
                if best.is_none_or(|(_, held)| distance > held) {
                    let centre = Point { x: x as f32, y: y as f32 };
                    if (centre - point).length() <= reach {
                        best = Some((centre, distance));
                    }
                }
            }
        }
        best.map(|(centre, squared)| (centre, (squared as f32).sqrt()))
    }
}

/// The squared distance of every pixel to the nearest one outside the blob; the outside of the
/// picture is outside the blob. Exact, in linear time (Felzenszwalb and Huttenlocher 2012).
fn squared_distances(blob: &Blob) -> Zeroizing<Vec<i32>> {
    let width = blob.width();
    let mut distances = Zeroizing::new(vec![0_i32; width * blob.height()]);
    let (columns, rows) = (&blob.bounds().columns, &blob.bounds().rows);
    let part = |y: usize| y * width + columns.start..y * width + columns.end;
    // Down, then up: the distance to the nearest outside pixel of the same column.
    let mut runs = Zeroizing::new(vec![0_i32; columns.len()]);
    for y in rows.clone() {
        let line = distances[part(y)].iter_mut().zip(&blob.bits()[part(y)]);
        for (run, (distance, &bit)) in runs.iter_mut().zip(line) {
            *run = if bit { *run + 1 } else { 0 };
            *distance = *run;
        }
    }
    runs.fill(0);
    let mut envelope = Envelope::for_width(columns.len());
    for y in rows.clone().rev() {
        let row = &mut distances[part(y)];
        for (run, distance) in runs.iter_mut().zip(row.iter_mut()) {
            *run = if *distance > 0 { *run + 1 } else { 0 };
            let nearest = (*distance).min(*run);
            *distance = nearest * nearest;
        }
        // Between two places outside the blob nothing beyond them is nearer.
        for stretch in row.split_mut(|&distance| distance == 0).filter(|it| !it.is_empty()) {
            envelope.lower(stretch);
        }
    }
    distances
}

/// The lower envelope of parabolas, one rooted at each pixel of a row.
struct Envelope {
    roots: Zeroizing<Vec<(i32, i32)>>,
    /// From which pixel on the root of the same place is the lowest.
    starts: Zeroizing<Vec<i32>>,
}

impl Envelope {
    /// Room for a row of this width, so that nothing grows.
    fn for_width(width: usize) -> Self {
        let places = width + 2;
        Self {
            roots: Zeroizing::new(Vec::with_capacity(places)),
            starts: Zeroizing::new(Vec::with_capacity(places)),
        }
    }

    /// Replaces heights by the lowest parabola above each pixel.
    fn lower(&mut self, row: &mut [i32]) {
        self.roots.clear();
        self.starts.clear();
        let width = row.len() as i32;
        // The outside stands beyond both ends of the row, at height 0.
        self.add(-1, 0);
        for (x, &height) in row.iter().enumerate() {
            self.add(x as i32, height);
        }
        self.add(width, 0);
        let mut lowest = 0;
        for x in 0..width {
            while lowest + 1 < self.starts.len() && self.starts[lowest + 1] <= x {
                lowest += 1;
            }
            let (root, height) = self.roots[lowest];
            row[x as usize] = (x - root) * (x - root) + height;
        }
    }

    fn add(&mut self, x: i32, height: i32) {
        while let (Some(&(root, root_height)), Some(&start)) =
            (self.roots.last(), self.starts.last())
        {
            // The first pixel at which the new parabola is lower than the last one.
            let numerator = (height + x * x) - (root_height + root * root);
            // Most often the last one is rooted at the pixel before, and dividing is slow.
            let rounded = match x - root {
                1 => numerator >> 1,
                2 => numerator >> 2,
                apart => numerator.div_euclid(2 * apart),
            };
            let crossing = rounded + 1;
            if crossing > start {
                self.roots.push((x, height));
                self.starts.push(crossing);
                return;
            }
            self.roots.pop();
            self.starts.pop();
        }
        self.roots.push((x, height));
        self.starts.push(i32::MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::super::blob;
    use super::super::mask::Mask;
    use super::*;

    /// The nearest outside pixel, looked for among all of them and the picture's surroundings.
    fn nearest(blob: &Blob, x: i32, y: i32) -> i32 {
        let (width, height) = (blob.width() as i32, blob.height() as i32);
        let mut least = i32::MAX;
        for oy in -1..=height {
            for ox in -1..=width {
                let within = ox >= 0 && oy >= 0 && ox < width && oy < height;
                if !within || !blob.bits()[(oy * width + ox) as usize] {
                    least = least.min((x - ox) * (x - ox) + (y - oy) * (y - oy));
                }
            }
        }
        least
    }

    #[test]
    fn agrees_with_looking_everywhere() {
        let (width, height) = (37, 23);
        // A shape with bays and a border that touches the picture's edge.
        let bits = (0..width * height)
            .map(|at| {
                let (x, y) = ((at % width) as i32, (at / width) as i32);
                (x * x + 3 * y) % 29 > 4 || (x - 20).abs() < 6
            })
            .collect();
        let mask = Mask { width, height, bits: Zeroizing::new(bits) };
        let blob = blob::largest(&mask, 1).pop().expect("one large blob");
        let distances = squared_distances(&blob);
        for (at, &distance) in distances.iter().enumerate() {
            let (x, y) = ((at % width) as i32, (at / width) as i32);
            assert_eq!(distance, nearest(&blob, x, y), "at {x}, {y}");
        }
    }
}
