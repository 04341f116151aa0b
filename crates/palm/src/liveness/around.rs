//! Whether what is around a hand moves with it: a sheet's own ground and its edge do.

use zeroize::Zeroizing;

use super::coarse::{Coarse, Place, between};
use super::motion::{Followed, Motion};

/// Cells on a side of a block that is asked where it went.
const BLOCK: usize = 8;
/// Half the side of the square that a cell's brightness is seen against.
const REACH: usize = 3;
/// Added to a brightness by which another is divided: what is as dark has little to say.
const DARK: f32 = 16.0;
/// The least mean square of what changed in a block, as a part of its brightness.
const CHANGE_MIN: f32 = 0.0004;

/// A block moved with the hand where that leaves at most this part of what changed.
const EXPLAINED: f32 = 0.4;
/// So many blocks may seem to by chance, or because of a bag or another hand.
const BLOCKS_BY_CHANCE: f32 = 2.0;

/// Whether a place is beside hand and arm.
fn is_around([x, y]: Place) -> bool {
    let (a, b) = (x / 2.2, (y + 0.9) / 2.8);
    let arm = y > 0.5 && x.abs() < 1.6 + 0.6 * (y - 0.5);
    a * a + b * b > 1.0 && !arm
}

/// What is finer than its surroundings, against how bright it is.
pub fn detail(frame: &Coarse) -> Zeroizing<Vec<f32>> {
    let (columns, rows) = (frame.columns, frame.rows);
    let pass = |from: &[f32],
                lines: usize,
                cells: usize,
                at: &dyn Fn(usize, usize) -> usize,
                reach: usize| {
        let mut to = Zeroizing::new(vec![0.0; from.len()]);
        for line in 0..lines {
            let mut sum = 0.0;
            let mut count = 0.0;
            for k in 0..cells + reach {
                if k < cells {
                    sum += from[at(line, k)];
                    count += 1.0;
                }
                if k > 2 * reach {
                    sum -= from[at(line, k - 2 * reach - 1)];
                    count -= 1.0;
                }
                if k >= reach {
                    to[at(line, k - reach)] = sum / count;
                }
            }
        }
        to
    };
    let blur = |from: &[f32], reach: usize| {
        let across = pass(from, rows, columns, &|line, k| line * columns + k, reach);
        pass(&across, columns, rows, &|line, k| k * columns + line, reach)
    };
    let near = blur(&frame.light, 1);
    let ground = blur(&frame.light, REACH);
    Zeroizing::new(near.iter().zip(ground.iter()).map(|(n, g)| (n - g) / (g + DARK)).collect())
}

pub fn around(followed: &Followed, other: &Coarse, motion: &Motion, details: [&[f32]; 2]) -> f32 {
    let first = followed.first();
    let (columns, rows) = (first.columns, first.rows);
    let mut carried: f32 = 0.0;
    if (other.columns, other.rows) != (columns, rows) {
        return 0.0;
    }
    for top in (0..rows.saturating_sub(BLOCK - 1)).step_by(BLOCK) {
        for left in (0..columns.saturating_sub(BLOCK - 1)).step_by(BLOCK) {
            let (mut still, mut moved, mut count) = (0.0, 0.0, 0.0);
            for i in 0..BLOCK * BLOCK {
                let cell = [(left + i % BLOCK) as f32, (top + i / BLOCK) as f32];
                let place = first.axes.to_place(cell);
                if !is_around(place) {
                    continue;
                }
                let gone = other.axes.to_cell(motion.as_plane(place));
                let half = [0, 1].map(|k| (gone[k] - cell[k]) / 2.0);
                let from =
                    between(details[0], columns, rows, [cell[0] - half[0], cell[1] - half[1]]);
                let to = between(details[1], columns, rows, [cell[0] + half[0], cell[1] + half[1]]);
                let (Some(from), Some(to)) = (from, to) else { continue };
                let at = (top + i / BLOCK) * columns + left + i % BLOCK;
                let (a, b) = (details[0][at], details[1][at]);
                still += (a - b) * (a - b);
                moved += (from - to) * (from - to);
                count += 1.0;
            }
            if count < (BLOCK * BLOCK / 2) as f32 {
                continue;
            }
            if still > CHANGE_MIN * count && moved < EXPLAINED * still {
                carried += 1.0;
            }
        }
    }
    (carried - BLOCKS_BY_CHANCE).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::coarse::Axes;
    use super::*;

    const COLUMNS: usize = 208;
    const ROWS: usize = 160;
    const VALLEYS: [Place; 3] = [[-0.45, -1.05], [0.0, -1.15], [0.45, -1.0]];

    /// A hand whose middle is `moved` cells to the right, before a ground that is `carried` so far.
    fn frame(moved: f32, carried: f32, ground: impl Fn(f32, f32) -> f32) -> Coarse {
        let axes = Axes { middle: [104.0 + moved, 105.0], right: [22.0, 0.0] };
        let light = (0..COLUMNS * ROWS).map(|i| {
            let cell = [(i % COLUMNS) as f32, (i / COLUMNS) as f32];
            let [x, y] = axes.to_place(cell);
            let skin = 150.0 + 30.0 * (7.0 * x + y).sin() * (5.0 * y - x).cos();
            let hand = (x / 1.8).powi(2) + ((y + 0.9) / 2.2).powi(2) < 1.0;
            if hand { skin } else { ground(cell[0] - carried, cell[1]) }
        });
        let light = Zeroizing::new(light.collect());
        Coarse { columns: COLUMNS, rows: ROWS, light, axes, valleys: VALLEYS }
    }

    fn carried(first: &Coarse, other: &Coarse) -> f32 {
        let followed = Followed::of(first).unwrap();
        let motion = followed.to(other).unwrap();
        let details = [detail(first), detail(other)];
        around(&followed, other, &motion, [&details[0], &details[1]])
    }

    fn room(x: f32, y: f32) -> f32 {
        80.0 + 35.0 * (0.5 * x).sin() * (0.4 * y).cos()
    }

    #[test]
    fn a_room_stays_and_a_sheet_comes_along() {
        let rest = frame(0.0, 0.0, room);
        assert_eq!(carried(&rest, &frame(1.5, 0.0, room)), 0.0);
        assert!(carried(&rest, &frame(1.5, 1.5, room)) > 30.0);
    }

    #[test]
    fn a_sheets_edge_gives_it_away() {
        let sheet = |x: f32, _: f32| if x > 12.0 && x < 190.0 { 40.0 } else { 24.0 };
        let found = carried(&frame(0.0, 0.0, sheet), &frame(1.5, 1.5, sheet));
        assert!(found > 10.0, "{found} blocks along two edges");
    }

    #[test]
    fn a_plain_ground_and_a_soft_shadow_say_nothing() {
        let plain = |_: f32, _: f32| 22.0;
        assert_eq!(carried(&frame(0.0, 0.0, plain), &frame(1.5, 1.5, plain)), 0.0);
        let shadow = |x: f32, y: f32| {
            let off = ((x - 120.0) / 40.0).powi(2) + ((y - 80.0) / 50.0).powi(2);
            200.0 * (1.0 - 0.4 * (-off).exp())
        };
        assert_eq!(carried(&frame(0.0, 0.0, shadow), &frame(1.5, 1.5, shadow)), 0.0);
    }

    #[test]
    fn a_hand_that_did_not_move_says_nothing() {
        let rest = frame(0.0, 0.0, room);
        assert_eq!(carried(&rest, &rest), 0.0);
    }
}
