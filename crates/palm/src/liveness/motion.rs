//! How a hand moves from one frame to another: as a plane, and its fingers beyond that.
//!
//! A sheet moves by one projective map. A living hand's fingers sway against the palm.

use zeroize::Zeroizing;

use super::coarse::{Coarse, Place};

/// Numbers of a plane's motion before a camera, for small motions (Longuet-Higgins 1981).
const PLANE: usize = 8;
/// Fingers that may lean.
const FINGERS: usize = 4;
/// All that is fitted: also how much lighter the frame is, by a factor and by a shift.
const NUMBERS: usize = PLANE + FINGERS + 2;
/// Where the fingers' axes meet: about the wrist, in palm radii below the palm's middle.
const FAN: Place = [0.0, 1.5];
/// How long fingers are above their valleys, in palm radii.
const LENGTH: f32 = 1.9;
/// A finger's share fades to its neighbour's over this part of its angle.
const FADE: f32 = 0.15;
/// The least change of brightness from cell to cell that is followed.
const STEP_MIN: f32 = 3.0;
/// Farther from the fit than this, in levels, something else is seen: it pulls no harder.
const OFF_MAX: f32 = 6.0;
/// Points that must be followed.
const POINTS_MIN: usize = 150;
/// ... and at most: a room's texture behind the fingers adds nothing.
const POINTS_MAX: usize = 6_000;
/// Steps of the fit.
const STEPS: usize = 6;
/// A motion larger than this, in palm radii, was lost.
const MOTION_MAX: f32 = 0.5;
/// Fingers that lean more than this from frame to frame, in radians, were lost.
const LEAN_MAX: f32 = 0.12;

/// What became of a hand from one frame to another.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    numbers: [f32; NUMBERS],
}

/// What is kept of a cell that is followed: its place, its brightness, and what each number changes in it.
const POINT: usize = 3 + NUMBERS;

/// The cells of a hand that are followed to other frames.
pub struct Followed<'a> {
    first: &'a Coarse,
    fan: Fan,
    /// [`POINT`] numbers each.
    points: Zeroizing<Vec<f32>>,
}

/// The angles between fingers, seen from where their axes meet.
#[derive(Clone, Copy)]
struct Fan {
    /// From left to right; the outer ones as far out as their neighbours are in.
    bounds: [f32; FINGERS + 1],
    /// How far from there the valleys are.
    reach: f32,
}

impl Fan {
    fn of(valleys: &[Place; 3]) -> Option<Self> {
        let polar = valleys.map(polar);
        let [a, b, c] = polar.map(|it| it.0);
        let bounds = [2.0 * a - b - 0.03, a, b, c, 2.0 * c - b + 0.03];
        let ordered = bounds.windows(2).all(|it| it[1] - it[0] > 0.02);
        let reach = polar.iter().map(|it| it.1).sum::<f32>() / 3.0;
        ordered.then_some(Self { bounds, reach })
    }

    /// How much of each finger's lean a place takes part in, in palm radii across its axis.
    fn shares(&self, place: Place) -> [f32; FINGERS] {
        let (angle, far) = polar(place);
        let beyond = far - self.reach;
        let mut shares = [0.0; FINGERS];
        if beyond <= 0.0 {
            return shares;
        }
        for (k, share) in shares.iter_mut().enumerate() {
            let (from, to) = (self.bounds[k], self.bounds[k + 1]);
            let fade = FADE * (to - from);
            let rise = ((angle - from) / fade + 0.5).clamp(0.0, 1.0);
            let fall = ((to - angle) / fade + 0.5).clamp(0.0, 1.0);
            *share = beyond * rise.min(fall);
        }
        shares
    }

    /// Whether a place is in the palm or in a finger's sector.
    fn holds(&self, place: Place) -> bool {
        let [x, y] = place;
        let palm = x.abs() < 1.0 && y > -0.9 && y < 1.0;
        let (angle, far) = polar(place);
        let sector = angle > self.bounds[0] && angle < self.bounds[FINGERS];
        palm || (sector && far > self.reach - 0.6 && far < self.reach + LENGTH)
    }
}

/// The angle from straight up and the distance, from where the fingers' axes meet.
fn polar([x, y]: Place) -> (f32, f32) {
    let (dx, dy) = (x - FAN[0], FAN[1] - y);
    // Fingers are within a right angle of straight up: the tangent's half does for the angle.
    let far = (dx * dx + dy * dy).sqrt();
    (2.0 * dx / (far + dy.max(0.0)).max(1e-6), far)
}

impl<'a> Followed<'a> {
    pub fn of(first: &'a Coarse) -> Option<Self> {
        let fan = Fan::of(&first.valleys)?;
        let mut points = Zeroizing::new(Vec::with_capacity(POINT * POINTS_MAX));
        let [rx, ry] = first.axes.right;
        for row in 1..first.rows.saturating_sub(1) {
            for column in 1..first.columns.saturating_sub(1) {
                let place = first.axes.to_place([column as f32, row as f32]);
                if !fan.holds(place) {
                    continue;
                }
                let across = (first.at(column + 1, row) - first.at(column - 1, row)) / 2.0;
                let down = (first.at(column, row + 1) - first.at(column, row - 1)) / 2.0;
                if across * across + down * down < STEP_MIN * STEP_MIN {
                    continue;
                }
                // By palm radius, along the hand's own axes.
                let slope = [across * rx + down * ry, down * rx - across * ry];
                let value = first.at(column, row);
                if points.len() < POINT * POINTS_MAX {
                    points.extend([place[0], place[1], value]);
                    points.extend(slopes(place, slope, value, &fan));
                }
            }
        }
        (points.len() >= POINT * POINTS_MIN).then_some(Self { first, fan, points })
    }

    /// How the hand moved to another frame; none where it was lost.
    pub fn to(&self, other: &Coarse) -> Option<Motion> {
        let mut motion = Motion { numbers: [0.0; NUMBERS] };
        for _ in 0..STEPS {
            let mut normal = [[0.0_f64; NUMBERS + 1]; NUMBERS];
            for point in self.points.as_chunks::<POINT>().0 {
                let [x, y, value, slopes @ ..] = point;
                let cell = other.axes.to_cell(motion.applied([*x, *y], &self.fan));
                let Some(seen) = other.between(cell) else { continue };
                let off = value + motion.light(*value) - seen;
                add(&mut normal, slopes, off, OFF_MAX / off.abs().max(OFF_MAX));
            }
            let change = solve(normal)?;
            for (number, change) in motion.numbers.iter_mut().zip(change) {
                *number += change as f32;
            }
            if !motion.numbers[..PLANE].iter().all(|it| it.abs() < MOTION_MAX) {
                return None;
            }
        }
        let leans = &motion.numbers[PLANE..PLANE + FINGERS];
        leans.iter().all(|it| it.abs() < LEAN_MAX).then_some(motion)
    }

    /// How far the hand moved in the other frame, in cells: the farthest of its valleys and its middle.
    pub fn moved(&self, other: &Coarse, motion: &Motion) -> f32 {
        let [a, b, c] = self.first.valleys;
        let far = [[0.0, 0.0], a, b, c].map(|place| {
            let from = self.first.axes.to_cell(place);
            let to = other.axes.to_cell(motion.as_plane(place));
            (to[0] - from[0]).hypot(to[1] - from[1])
        });
        far.into_iter().fold(0.0, f32::max)
    }

    /// The frame that is followed from.
    pub fn first(&self) -> &Coarse {
        self.first
    }
}

/// What each number of a motion changes where the brightness changes by `slope` a palm radius.
fn slopes(place: Place, slope: [f32; 2], value: f32, fan: &Fan) -> [f32; NUMBERS] {
    let mut slopes = [0.0; NUMBERS];
    let [across, down] = rows(place);
    for k in 0..PLANE {
        slopes[k] = slope[0] * across[k] + slope[1] * down[k];
    }
    let (dx, dy) = (place[0] - FAN[0], FAN[1] - place[1]);
    let far = (dx * dx + dy * dy).sqrt();
    let aside = (slope[0] * dy + slope[1] * dx) / far;
    for (k, share) in fan.shares(place).into_iter().enumerate() {
        slopes[PLANE + k] = aside * share;
    }
    // What is seen gets lighter where the motion takes away: the signs are those of `off`.
    slopes[PLANE + FINGERS] = -value / 255.0;
    slopes[PLANE + FINGERS + 1] = -1.0;
    slopes
}

/// What each number of a plane's motion adds to a place's, across and down.
fn rows([x, y]: Place) -> [[f32; PLANE]; 2] {
    [[1.0, x, y, 0.0, 0.0, 0.0, x * x, x * y], [0.0, 0.0, 0.0, 1.0, x, y, x * y, y * y]]
}

impl Motion {
    /// Where a place of the hand went.
    fn applied(&self, place: Place, fan: &Fan) -> Place {
        let [mut x, mut y] = self.as_plane(place);
        let (dx, dy) = (place[0] - FAN[0], FAN[1] - place[1]);
        let far = (dx * dx + dy * dy).sqrt();
        for (share, lean) in fan.shares(place).into_iter().zip(&self.numbers[PLANE..]) {
            x += lean * share * dy / far;
            y += lean * share * dx / far;
        }
        [x, y]
    }

    /// Where a place went that moves with the palm's plane.
    pub fn as_plane(&self, place: Place) -> Place {
        let [across, down] = rows(place);
        let sum =
            |row: [f32; PLANE]| row.iter().zip(&self.numbers).map(|(a, b)| a * b).sum::<f32>();
        [place[0] + sum(across), place[1] + sum(down)]
    }

    /// How much lighter what was this bright is seen.
    fn light(&self, value: f32) -> f32 {
        self.numbers[PLANE + FINGERS] * (value / 255.0) + self.numbers[PLANE + FINGERS + 1]
    }

    /// How far the fingers lean each on its own, in radians: beyond the plane, and beyond turning or fanning
    /// out together, which paper fingers that bend to the camera seem to do.
    pub fn leaning(&self) -> f32 {
        let leans = &self.numbers[PLANE..PLANE + FINGERS];
        let mean = leans.iter().sum::<f32>() / FINGERS as f32;
        let along = |k: usize| k as f32 - (FINGERS - 1) as f32 / 2.0;
        let square: f32 = (0..FINGERS).map(|k| along(k) * along(k)).sum();
        let fan = leans.iter().enumerate().map(|(k, it)| it * along(k)).sum::<f32>() / square;
        let own = leans.iter().enumerate().map(|(k, it)| it - mean - fan * along(k));
        (own.map(|it| it * it).sum::<f32>() / (FINGERS - 2) as f32).sqrt()
    }
}

fn add(normal: &mut [[f64; NUMBERS + 1]; NUMBERS], slopes: &[f32; NUMBERS], off: f32, weight: f32) {
    for (i, row) in normal.iter_mut().enumerate() {
        let left = f64::from(weight * slopes[i]);
        for (sum, &slope) in row[i..NUMBERS].iter_mut().zip(&slopes[i..]) {
            *sum += left * f64::from(slope);
        }
        row[NUMBERS] += left * f64::from(off);
    }
}

/// Gauss's elimination of symmetric equations with a little weight on 0.
fn solve(mut rows: [[f64; NUMBERS + 1]; NUMBERS]) -> Option<[f64; NUMBERS]> {
    let upper = rows;
    for (i, row) in rows.iter_mut().enumerate() {
        for (value, above) in row.iter_mut().zip(&upper).take(i) {
            *value = above[i];
        }
        row[i] = row[i] * (1.0 + 1e-6) + 1e-3;
    }
    for column in 0..NUMBERS {
        if rows[column][column].abs() < 1e-9 {
            return None;
        }
        let lead = rows[column];
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let share = row[column] / lead[column];
                for (value, lead) in row.iter_mut().zip(lead) {
                    *value -= share * lead;
                }
            }
        }
    }
    let solved = std::array::from_fn(|i| rows[i][NUMBERS] / rows[i][i]);
    solved.iter().all(|it: &f64| it.is_finite()).then_some(solved)
}

#[cfg(test)]
mod tests {
    use super::super::coarse::Axes;
    use super::*;

    const COLUMNS: usize = 160;
    const ROWS: usize = 160;

    const VALLEYS: [Place; 3] = [[-0.45, -1.05], [0.0, -1.15], [0.45, -1.0]];

    /// A hand's picture as a texture over its own places, seen after a motion: `from` gives the place of the
    /// hand at rest that is seen at a place.
    fn frame(from: impl Fn(Place) -> Place) -> Coarse {
        let axes = Axes { middle: [80.0, 105.0], right: [24.0, 1.0] };
        let light = (0..COLUMNS * ROWS).map(|i| {
            let [x, y] = from(axes.to_place([(i % COLUMNS) as f32, (i / COLUMNS) as f32]));
            110.0 + 30.0 * (7.0 * x + y).sin() * (5.0 * y - x).cos() + 25.0 * (11.0 * x).sin()
        });
        let light = Zeroizing::new(light.collect());
        Coarse { columns: COLUMNS, rows: ROWS, light, axes, valleys: VALLEYS }
    }

    /// Turns what lies in a finger's sector about where the axes meet; the palm stays.
    fn leaning(place: Place, leans: [f32; FINGERS]) -> Place {
        let fan = Fan::of(&VALLEYS).unwrap();
        let (dx, dy) = (place[0] - FAN[0], FAN[1] - place[1]);
        let far = (dx * dx + dy * dy).sqrt();
        let aside: f32 =
            fan.shares(place).iter().zip(leans).map(|(share, lean)| share * lean).sum();
        [place[0] - aside * dy / far, place[1] - aside * dx / far]
    }

    fn followed(other: &Coarse) -> Motion {
        let rest = frame(|it| it);
        Followed::of(&rest).unwrap().to(other).unwrap()
    }

    #[test]
    fn a_sheet_is_stiff_and_fingers_that_sway_are_not() {
        let sheet = |[x, y]: Place| {
            let depth = 1.0 + 0.01 * x - 0.008 * y;
            [0.06 + (x - 0.02 * y) / depth, (y + 0.02 * x) / depth - 0.05]
        };
        let still = followed(&frame(sheet)).leaning();
        assert!(still < 0.001, "a sheet leans by {still}");
        let leans = [0.01, -0.012, 0.008, -0.004];
        let sways = followed(&frame(|it| leaning(sheet(it), leans))).leaning();
        assert!((0.006..0.02).contains(&sways), "fingers lean by {sways}");
        let together = followed(&frame(|it| leaning(sheet(it), [0.01; FINGERS]))).leaning();
        assert!(together < 0.003, "all together by {together}");
    }

    #[test]
    fn a_place_is_followed_through_another_light() {
        let shifted = frame(|[x, y]| [x - 0.05, y + 0.03]);
        let light = shifted.light.iter().map(|value| 0.95 * value + 4.0).collect();
        let darker = Coarse { light: Zeroizing::new(light), ..shifted };
        let [x, y] = followed(&darker).as_plane([0.4, 0.2]);
        assert!((x - 0.45).abs() < 0.004 && (y - 0.17).abs() < 0.004, "{x} {y}");
    }

    #[test]
    fn how_far_a_hand_moved_is_told_in_cells() {
        let rest = frame(|it| it);
        let followed = Followed::of(&rest).unwrap();
        let moved = |other: &Coarse| followed.moved(other, &followed.to(other).unwrap());
        assert!(moved(&rest) < 0.01);
        let shifted = moved(&frame(|[x, y]| [x - 0.05, y]));
        assert!((shifted - 0.05 * 24.0).abs() < 0.1, "{shifted} cells");
    }

    #[test]
    fn nothing_to_follow_says_nothing() {
        let blank = Coarse { light: Zeroizing::new(vec![90.0; COLUMNS * ROWS]), ..frame(|it| it) };
        assert!(Followed::of(&blank).is_none());
        let odd = Coarse { valleys: [[0.0, -1.0]; 3], ..frame(|it| it) };
        assert!(Followed::of(&odd).is_none());
    }

    #[test]
    fn equations_are_solved_as_written_out() {
        let mut rows = [[0.0; NUMBERS + 1]; NUMBERS];
        let wanted: [f64; NUMBERS] = std::array::from_fn(|k| k as f64 - 3.0);
        for (i, row) in rows.iter_mut().enumerate() {
            for (j, wanted) in wanted.iter().enumerate() {
                let both = if i == j { 400.0 + i as f64 } else { 7.0 / (1.0 + (i + j) as f64) };
                row[NUMBERS] += both * wanted;
                // Only what is on the diagonal and right of it is looked at.
                row[j] = if j >= i { both } else { f64::NAN };
            }
        }
        let solved = solve(rows).unwrap();
        for (found, wanted) in solved.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-3, "{found} instead of {wanted}");
        }
    }
}
