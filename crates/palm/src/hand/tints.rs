//! What a hand's colours are like and what its ground's: learned from the one picture.
//!
//! A hand is held to the picture's middle, and its ground is seen around it. Both are taken for clouds of
//! colours, and every pixel belongs to the likelier one; then the clouds are measured again over what
//! belongs to them. Skin that is as dark and as red as the wall behind it still has a tint of its own. A
//! hand has one colour and a room many, so each part of the picture has a ground of its own.

use zeroize::Zeroizing;

use super::view::{Point, View};
use crate::maths;

/// A pixel's tint twice, and its brightness.
const PARTS: usize = 3;
/// Every so many pixels across and down take part in that.
const STRIDE: usize = 3;
/// Where a hand is looked for at first, as parts of the width and height: a palm in the middle.
const MIDDLE: [f32; 4] = [0.4, 0.6, 0.4, 0.75];
/// Where it may be afterwards.
const WITHIN: [f32; 4] = [0.2, 0.8, 0.08, 1.0];
/// Ground at first: beside this and above it. Below there is the arm.
const AROUND: [f32; 4] = [0.15, 0.85, 0.1, 1.0];
/// The least deviation of a tint, and of the brightness: what a sensor's noise is.
const DEVIATION_MIN: [f32; PARTS] = [2.0, 2.0, 3.0];
/// Pixels that a cloud is measured from, at least.
const PIXELS_MIN: f64 = 50.0;
/// Cells of the picture across and down: each has a ground of its own, learned from it and its neighbours.
const COLUMNS: usize = 8;
const ROWS: usize = 6;
const CELLS: usize = COLUMNS * ROWS;
/// From how many cells around a cell its ground is learned, each time that the clouds are measured anew:
/// all first, or a cell full of hand would take the hand for its ground.
const REACHES: [usize; 5] = [COLUMNS, 3, 2, 1, 1];
/// Within this many radii of a palm's centre all is palm...
const PALM_RADII: f32 = 0.95;
/// ... beyond these what is not of its mask is taken for ground at first...
const BESIDE_RADII: f32 = 1.3;
/// ... and within these there may be more of the hand.
const REACH_RADII: f32 = 4.0;
/// Steps of a plane for each unit of the logarithm of odds.
const STEPS: f32 = 8.0;
/// What a plane has where both are as likely.
pub const EVEN: u8 = 128;

/// A cloud of colours: how far a colour is from its middle in its own spread (Mahalanobis 1936), its
/// volume counted in, as a polynomial of second degree.
#[derive(Debug, Clone, Copy)]
struct Cloud {
    constant: f32,
    linear: [f32; PARTS],
    square: [[f32; PARTS]; PARTS],
}

/// A hand's colours against its ground's in every cell of the picture: logarithms of odds, as such
/// polynomials.
#[derive(Debug, Clone)]
pub struct Tints(Box<[Cloud; CELLS]>);

/// One pixel that the clouds are measured from. Zeroed when dropped.
#[derive(Clone, Copy, Default)]
struct Seen {
    parts: [f32; PARTS],
    cell: usize,
    /// Whether a hand is looked for there.
    within: bool,
    is_hand: bool,
    is_ground: bool,
}

impl zeroize::DefaultIsZeroes for Seen {}

impl Tints {
    /// What the middle of a view differs in from what is around it; none without colour.
    pub fn of(view: &View) -> Option<Self> {
        let inside = |[left, right, top, bottom]: [f32; 4], place: Point| {
            (left..right).contains(&place.x) && (top..bottom).contains(&place.y)
        };
        let size = Point { x: view.width() as f32, y: view.height() as f32 };
        Self::learned(view, |at, seen| {
            let place = Point { x: at.x / size.x, y: at.y / size.y };
            seen.within = inside(WITHIN, place);
            seen.is_hand = inside(MIDDLE, place);
            seen.is_ground = !inside(AROUND, place);
        })
    }

    /// What a palm that was seen differs in from what is not hand around it: its circle is a hand's, and
    /// what lies beside it and was not told for hand is ground. Where there is none it is nowhere a hand's.
    pub fn anew(
        view: &View,
        (centre, radius): (Point, f32),
        is_hand: impl Fn(Point) -> Option<bool>,
    ) -> Option<Self> {
        Self::learned(view, |at, seen| {
            let far = (at - centre).length() / radius;
            let is_hand = is_hand(at);
            seen.within = far < REACH_RADII && is_hand.is_some();
            seen.is_hand = far < PALM_RADII;
            seen.is_ground = far > BESIDE_RADII && is_hand != Some(true);
        })
    }

    fn learned(view: &View, label: impl Fn(Point, &mut Seen)) -> Option<Self> {
        let rgb = view.rgb().filter(|_| view.has_colour())?;
        let (columns, rows) = (view.width().div_ceil(STRIDE), view.height().div_ceil(STRIDE));
        let mut seen = Zeroizing::new(Vec::with_capacity(columns * rows));
        for y in (0..view.height()).step_by(STRIDE) {
            for x in (0..view.width()).step_by(STRIDE) {
                let cell = view.row_of(y, ROWS) * COLUMNS + view.column_of(x, COLUMNS);
                let parts = parts(rgb[y * view.width() + x]);
                let mut it = Seen { parts, cell, ..Seen::default() };
                label(Point { x: x as f32, y: y as f32 }, &mut it);
                seen.push(it);
            }
        }
        let mut tints = Self::between(&seen, COLUMNS)?;
        for reach in REACHES {
            for it in seen.iter_mut() {
                it.is_hand = it.within && tints.0[it.cell].at(it.parts) > 0.0;
                it.is_ground = !it.is_hand;
            }
            tints = Self::between(&seen, reach)?;
        }
        Some(tints)
    }

    fn between(seen: &[Seen], reach: usize) -> Option<Self> {
        let mut hand = Moments::default();
        let mut grounds = [Moments::default(); CELLS];
        for it in seen {
            if it.is_hand {
                hand.add(it.parts);
            }
            if it.is_ground {
                grounds[it.cell].add(it.parts);
            }
        }
        let all = Cloud::of(&Moments::sum(grounds.iter()))?;
        let hand = Cloud::of(&hand)?;
        let half = |ground: f32, hand: f32| (ground - hand) / 2.0;
        let cells = std::array::from_fn(|cell| {
            let near = || {
                let (row, column) = (cell / COLUMNS, cell % COLUMNS);
                let rows = row.saturating_sub(reach)..(row + reach + 1).min(ROWS);
                let columns = column.saturating_sub(reach)..(column + reach + 1).min(COLUMNS);
                Moments::sum(rows.flat_map(|y| grounds[y * COLUMNS..][columns.clone()].iter()))
            };
            let ground = if reach >= COLUMNS { all } else { Cloud::of(&near()).unwrap_or(all) };
            Cloud {
                constant: half(ground.constant, hand.constant),
                linear: std::array::from_fn(|i| half(ground.linear[i], hand.linear[i])),
                square: std::array::from_fn(|i| {
                    std::array::from_fn(|j| half(ground.square[i][j], hand.square[i][j]))
                }),
            }
        });
        Some(Self(Box::new(cells)))
    }

    /// How much likelier the colours of a view are a hand's, as a plane's values: even odds are [`EVEN`].
    pub fn values(&self, view: &View) -> Option<Zeroizing<Vec<u8>>> {
        let rgb = view.rgb()?;
        let width = view.width();
        // Pixels side by side in one column of cells are compared with one cloud.
        let columns: Vec<usize> = (0..width).map(|x| view.column_of(x, COLUMNS)).collect();
        let mut values = Zeroizing::new(vec![0; rgb.len()]);
        let mut own = Zeroizing::new(vec![[0.0; PARTS]; width]);
        let rows = rgb.chunks_exact(width).zip(values.chunks_exact_mut(width));
        for (y, (row, values)) in rows.enumerate() {
            own.iter_mut().zip(row).for_each(|(own, &pixel)| *own = parts(pixel));
            let clouds = &self.0[view.row_of(y, ROWS) * COLUMNS..][..COLUMNS];
            let mut at = 0;
            for cell in columns.chunk_by(|a, b| a == b) {
                let part = at..at + cell.len();
                at = part.end;
                clouds[cell[0]].odds(&own[part.clone()], &mut values[part]);
            }
        }
        Some(values)
    }
}

/// Red and blue as parts of the brightness, and the brightness.
fn parts([red, green, blue]: [u8; 3]) -> [f32; PARTS] {
    /// What keeps dark pixels from having wild tints.
    const DARK: f32 = 24.0;
    let [red, green, blue] = [red, green, blue].map(f32::from);
    let sum = red + green + blue;
    let scale = 512.0 / (sum + DARK);
    [red * scale, blue * scale, sum / 3.0]
}

/// What a cloud is made of: how many colours, their sums, and the sums of their products.
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    sums: [f64; PARTS],
    products: [[f64; PARTS]; PARTS],
}

impl Moments {
    fn add(&mut self, colour: [f32; PARTS]) {
        let colour = colour.map(f64::from);
        self.count += 1.0;
        for (i, own) in colour.into_iter().enumerate() {
            self.sums[i] += own;
            self.products[i].iter_mut().zip(colour).for_each(|(sum, other)| *sum += own * other);
        }
    }

    fn sum<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        parts.fold(Self::default(), |mut all, part| {
            all.count += part.count;
            for i in 0..PARTS {
                all.sums[i] += part.sums[i];
                (0..PARTS).for_each(|j| all.products[i][j] += part.products[i][j]);
            }
            all
        })
    }
}

impl Cloud {
    /// The cloud of some colours; none of too few.
    fn of(moments: &Moments) -> Option<Self> {
        let Moments { count, sums, products } = moments;
        if *count < PIXELS_MIN {
            return None;
        }
        let mean = sums.map(|sum| sum / count);
        let spread = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let noise = if i == j { DEVIATION_MIN[i] * DEVIATION_MIN[i] } else { 0.0 };
                (products[i][j] / count - mean[i] * mean[j]) as f32 + noise
            })
        });
        Some(Self::with(mean.map(|it| it as f32), &spread))
    }

    fn with(mean: [f32; PARTS], spread: &[[f32; PARTS]; PARTS]) -> Self {
        // A symmetric matrix of three is inverted by its cofactors.
        let minor = |i: usize, j: usize| {
            let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
            spread[a][c] * spread[b][d] - spread[a][d] * spread[b][c]
        };
        let determinant = (0..PARTS).map(|j| spread[0][j] * minor(0, j)).sum::<f32>();
        // Every variance is at least a sensor's, so it is above 0 but for rounding.
        let determinant = determinant.max(1.0);
        let square: [[f32; PARTS]; PARTS] =
            std::array::from_fn(|i| std::array::from_fn(|j| minor(i, j) / determinant));
        let dot = |row: &[f32; PARTS]| row.iter().zip(mean).map(|(a, b)| a * b).sum::<f32>();
        let linear = square.map(|row| -2.0 * dot(&row));
        let volume = maths::ln(f64::from(determinant)) as f32;
        Self { constant: volume - dot(&linear) / 2.0, linear, square }
    }

    fn at(&self, [a, b, c]: [f32; PARTS]) -> f32 {
        let [[aa, ab, ac], [_, bb, bc], [_, _, cc]] = self.square;
        let [la, lb, lc] = self.linear;
        // What is off the diagonal counts twice.
        let of_a = a * (la + aa * a + 2.0 * (ab * b + ac * c));
        let of_b = b * (lb + bb * b + 2.0 * bc * c);
        self.constant + of_a + of_b + c * (lc + cc * c)
    }

    fn odds(&self, colours: &[[f32; PARTS]], values: &mut [u8]) {
        let even = f32::from(EVEN);
        for (value, &colour) in values.iter_mut().zip(colours) {
            *value = (even + STEPS * self.at(colour)).clamp(0.0, 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::{Region, SEARCH_PX};
    use super::*;
    use crate::Picture;

    /// The oracle: the distance written out.
    fn slow(colours: &[[f32; PARTS]], at: [f32; PARTS]) -> f64 {
        let count = colours.len() as f64;
        let mean: [f64; 3] = std::array::from_fn(|i| {
            colours.iter().map(|colour| f64::from(colour[i])).sum::<f64>() / count
        });
        let mut m: [[f64; 3]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let off = |c: &[f32; 3], k: usize| f64::from(c[k]) - mean[k];
                colours.iter().map(|c| off(c, i) * off(c, j)).sum::<f64>() / count
            })
        });
        (0..3).for_each(|i| m[i][i] += f64::from(DEVIATION_MIN[i] * DEVIATION_MIN[i]));
        // Gauss's elimination of m y = off; the determinant is the pivots' product.
        let off: [f64; 3] = std::array::from_fn(|i| f64::from(at[i]) - mean[i]);
        let (mut rest, mut volume) = (off, 1.0);
        for i in 0..3 {
            volume *= m[i][i];
            for k in i + 1..3 {
                let share = m[k][i] / m[i][i];
                (0..3).for_each(|j| m[k][j] -= share * m[i][j]);
                rest[k] -= share * rest[i];
            }
        }
        (0..3).map(|i| rest[i] * rest[i] / m[i][i]).sum::<f64>() + volume.ln()
    }

    #[test]
    fn a_cloud_measures_distances_as_they_are_defined() {
        let colours: Vec<[f32; 3]> = (0..200)
            .map(|k| {
                let (a, b) = ((k * 37 % 101) as f32, (k * 53 % 89) as f32);
                [150.0 + 0.2 * a, 90.0 - 0.1 * a + 0.1 * b, 80.0 + 0.5 * b]
            })
            .collect();
        let mut moments = Moments::default();
        colours.iter().for_each(|&colour| moments.add(colour));
        let cloud = Cloud::of(&moments).expect("enough of them");
        for at in [[160.0, 88.0, 100.0], [150.0, 90.0, 80.0], [200.0, 60.0, 30.0]] {
            let (fast, slow) = (f64::from(cloud.at(at)), slow(&colours, at));
            assert!((fast - slow).abs() < 0.02 * (1.0 + slow.abs()), "{at:?}: {fast}, {slow}");
        }
    }

    const WIDTH: u32 = 320;
    const HEIGHT: u32 = 180;
    const SKIN: [f32; 3] = [116.0, 76.0, 60.0];

    fn is_hand(i: usize) -> bool {
        let (x, y) = (i as u32 % WIDTH, i as u32 / WIDTH);
        (130..190).contains(&x) && (60..150).contains(&y)
    }

    /// A hand before a wall that has a colour at every place across it, under uneven light.
    fn view(wall: impl Fn(f32) -> [f32; 3]) -> View {
        let pixels = (0..(WIDTH * HEIGHT) as usize).flat_map(|i| {
            let across = (i as u32 % WIDTH) as f32 / WIDTH as f32;
            let own = if is_hand(i) { SKIN } else { wall(across) };
            own.map(|value| (value * (0.8 + 0.4 * across)) as u8)
        });
        let picture = Picture::from_rgb(WIDTH, HEIGHT, pixels.collect()).expect("fits");
        View::of(&picture, Region::whole(&picture), SEARCH_PX)
    }

    /// The part of a view's pixels that are told for what they are.
    fn right(view: &View, tints: &Tints) -> f32 {
        let values = tints.values(view).expect("it has colours");
        let right = (0..values.len()).filter(|&i| (values[i] > EVEN) == is_hand(i)).count();
        right as f32 / values.len() as f32
    }

    #[test]
    fn skin_is_told_from_a_wall_as_dark_and_as_red() {
        let view = view(|_| [112.0, 82.0, 68.0]);
        let found = right(&view, &Tints::of(&view).expect("it has colours"));
        assert!(found > 0.97, "{found}");
    }

    #[test]
    fn a_wall_of_many_colours_is_told_from_skin_that_lies_between_them() {
        // Redder than the hand on the left, greener on the right: as one cloud it would hold the hand.
        let view = view(|across| [122.0 - 22.0 * across, 68.0 + 24.0 * across, 58.0]);
        let found = right(&view, &Tints::of(&view).expect("it has colours"));
        assert!(found > 0.97, "{found}");
    }

    #[test]
    fn what_was_seen_of_a_hand_shows_the_rest_of_it() {
        let view = view(|across| [122.0 - 22.0 * across, 68.0 + 24.0 * across, 58.0]);
        // Its left half was taken for wall.
        let seen = |at: Point| Some(at.x > 160.0 && is_hand(at.y as usize * 320 + at.x as usize));
        let palm = (Point { x: 165.0, y: 105.0 }, 22.0);
        let found = right(&view, &Tints::anew(&view, palm, seen).expect("it has colours"));
        assert!(found > 0.97, "{found}");
    }
}
