//! A small picture of the whole frame: where the hand is in it, and what is around it.

use zeroize::Zeroizing;

use crate::{Found, Picture};

/// Cells along the longer side, about: a palm's radius is then some 25 of them, and a cell the mean of so
/// many pixels that a sensor's noise is small beside an edge.
const LONGER: u32 = 213;
/// Pixels that a cell is the mean of, each way, at most.
const TAPS: usize = 3;
/// The side of the region of interest in palm radii.
const REGION_RADII: f32 = 1.55;

/// A place in palm radii: 0, 0 is the middle of the palm, x to the right of the fingers, y to the wrist.
pub type Place = [f32; 2];

/// One frame, small. Zeroed when dropped.
#[derive(Clone)]
pub struct Coarse {
    pub columns: usize,
    pub rows: usize,
    /// Brightness, 0 to 255, row by row.
    pub light: Zeroizing<Vec<f32>>,
    pub axes: Axes,
    /// The valleys between the four fingers.
    pub valleys: [Place; 3],
}

/// Where a hand is in a small frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes {
    /// The palm's middle, in cells.
    pub middle: [f32; 2],
    /// A palm's radius to the right of the fingers, in cells.
    pub right: [f32; 2],
}

impl Axes {
    /// The cell at a place.
    pub fn to_cell(self, [x, y]: Place) -> [f32; 2] {
        let [rx, ry] = self.right;
        [self.middle[0] + x * rx - y * ry, self.middle[1] + x * ry + y * rx]
    }

    /// The place of a cell.
    pub fn to_place(self, [column, row]: [f32; 2]) -> Place {
        let [rx, ry] = self.right;
        let (dx, dy) = (column - self.middle[0], row - self.middle[1]);
        let square = rx * rx + ry * ry;
        [(dx * rx + dy * ry) / square, (dy * rx - dx * ry) / square]
    }
}

impl Coarse {
    pub fn of(picture: &Picture, found: &Found) -> Self {
        let side = (picture.width().max(picture.height()) / LONGER).max(1) as usize;
        let (columns, rows) = (picture.width() as usize / side, picture.height() as usize / side);
        let corners = found.corners();
        // Cells are counted from the middle of the first.
        let cell = |(x, y): (f32, f32)| [x / side as f32 - 0.5, y / side as f32 - 0.5];
        let [first, right, opposite, _] = corners.map(cell);
        let axes = Axes {
            middle: [0, 1].map(|k| (first[k] + opposite[k]) / 2.0),
            right: [0, 1].map(|k| (right[k] - first[k]) / REGION_RADII),
        };
        let valleys = found.valleys().map(|valley| axes.to_place(cell(valley)));
        let light = shrunk(picture, side, (columns, rows));
        Self { columns, rows, light, axes, valleys }
    }

    /// The brightness at whole cells.
    pub fn at(&self, column: usize, row: usize) -> f32 {
        self.light[row * self.columns + column]
    }

    /// The brightness between cells; none outside.
    pub fn between(&self, [x, y]: [f32; 2]) -> Option<f32> {
        between(&self.light, self.columns, self.rows, [x, y])
    }
}

/// Between the cells of a grid; none outside.
pub fn between(cells: &[f32], columns: usize, rows: usize, [x, y]: [f32; 2]) -> Option<f32> {
    let inside = x >= 0.0 && y >= 0.0 && x < (columns - 1) as f32 && y < (rows - 1) as f32;
    if !inside {
        return None;
    }
    let (column, row) = (x as usize, y as usize);
    let (fx, fy) = (x - column as f32, y - row as f32);
    let first = row * columns + column;
    let (above, below) = (&cells[first..first + 2], &cells[first + columns..first + columns + 2]);
    let upper = above[0] + fx * (above[1] - above[0]);
    let lower = below[0] + fx * (below[1] - below[0]);
    Some(upper + fy * (lower - upper))
}

/// Each cell the mean of at most [`TAPS`] pixels each way, spread evenly over it.
fn shrunk(picture: &Picture, side: usize, (columns, rows): (usize, usize)) -> Zeroizing<Vec<f32>> {
    let (width, pixels) = (picture.width() as usize, picture.pixels());
    let depth = if picture.is_grey() { 1 } else { 3 };
    let taps = side.min(TAPS);
    let offsets: Vec<usize> = (0..taps).map(|k| (2 * k + 1) * side / (2 * taps)).collect();
    let share = 1.0 / (4 * taps * taps) as f32;
    let mut light = Zeroizing::new(Vec::with_capacity(columns * rows));
    let mut sums = Zeroizing::new(vec![0_u32; columns]);
    for row in 0..rows {
        sums.fill(0);
        for down in &offsets {
            let line = &pixels[(row * side + down) * width * depth..][..width * depth];
            for (sum, cell) in sums.iter_mut().zip(line.chunks_exact(side * depth)) {
                for across in &offsets {
                    *sum += match &cell[across * depth..across * depth + depth] {
                        [red, green, blue] => {
                            u32::from(*red) + 2 * u32::from(*green) + u32::from(*blue)
                        }
                        grey => 4 * u32::from(grey[0]),
                    };
                }
            }
        }
        light.extend(sums.iter().map(|&sum| sum as f32 * share));
    }
    light
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_its_cell_are_each_others() {
        let axes = Axes { middle: [80.0, 60.5], right: [20.0, -6.0] };
        let [column, row] = axes.to_cell([0.7, -2.1]);
        let [x, y] = axes.to_place([column, row]);
        assert!((x - 0.7).abs() < 1e-5 && (y + 2.1).abs() < 1e-5);
        assert_eq!(axes.to_cell([0.0, 0.0]), [80.0, 60.5]);
    }

    #[test]
    fn cells_are_means_of_their_pixels() {
        let (width, height, side) = (96, 80, 3);
        let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 37 % 251) as u8).collect();
        let picture = Picture::from_rgb(width as u32, height as u32, pixels.clone()).unwrap();
        let light = shrunk(&picture, side, (width / side, height / side));
        let (column, row) = (7, 4);
        let mut sum = 0.0;
        for i in 0..side * side {
            let at = 3 * ((row * side + i / side) * width + column * side + i % side);
            let [r, g, b] = [0, 1, 2].map(|k| f32::from(pixels[at + k]));
            sum += (r + 2.0 * g + b) / 4.0;
        }
        let found = light[row * (width / side) + column];
        assert!((found - sum / 9.0).abs() < 1e-3, "{found}");
        let grey = Picture::from_grey(70, 70, vec![77; 70 * 70]).unwrap();
        assert!(shrunk(&grey, 7, (10, 10)).iter().all(|it| *it == 77.0));
    }

    #[test]
    fn between_cells_is_between_their_values_and_outside_is_nothing() {
        let cells = [0.0, 10.0, 20.0, 30.0];
        assert_eq!(between(&cells, 2, 2, [0.5, 0.5]), Some(15.0));
        assert_eq!(between(&cells, 2, 2, [0.25, 0.0]), Some(2.5));
        for outside in [[-0.1, 0.0], [1.0, 0.0], [0.0, 1.5], [f32::NAN, 0.0]] {
            assert_eq!(between(&cells, 2, 2, outside), None);
        }
    }
}
