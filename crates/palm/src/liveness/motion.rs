//! Whether what moves is a body: the places of a plane move by one projective map from frame to
//! frame, while a hand's cushions move against its hollow.

use zeroize::Zeroizing;

use super::patch::ALIGNED_PX;

/// Blocks on a side whose motion is followed.
const BLOCKS: usize = 6;
/// Half a block's side in pixels.
const REACH: usize = 9;
/// How far a block may seem to move between two aligned frames: what goes farther was lost.
const MOTION_MAX: f32 = 5.0;
/// Steps of following a block.
const STEPS: usize = 6;
/// The least detail of a block, as the smaller eigenvalue of its gradients a pixel.
const DETAIL_MIN: f32 = 1.5;
/// Blocks that must be followed for a plane to be fitted: it takes eight numbers of two a block.
const BLOCKS_MIN: usize = 14;

/// How far, in pixels of an aligned palm, the blocks are from moving as a plane: the greatest over the
/// pairs of frames. None with fewer than two frames, or too little to follow.
pub fn depth(frames: &[&[u8]]) -> Option<f32> {
    let (first, others) = frames.split_first()?;
    others.iter().filter_map(|other| off_plane(first, other)).reduce(f32::max)
}

/// A block's place and its motion, in pixels.
type Motion = ([f32; 2], [f32; 2]);

fn off_plane(first: &[u8], other: &[u8]) -> Option<f32> {
    let mut motions = Vec::with_capacity(BLOCKS * BLOCKS);
    let step = (ALIGNED_PX - 2 * REACH - 8) as f32 / (BLOCKS - 1) as f32;
    for i in 0..BLOCKS * BLOCKS {
        let place = |k: usize| (REACH + 4) as f32 + step * k as f32;
        let centre = [place(i % BLOCKS).floor(), place(i / BLOCKS).floor()];
        if let Some(motion) = follow(first, other, centre) {
            motions.push((centre, motion));
        }
    }
    let fit = Plane::fit(&motions)?;
    // Once without the blocks that were followed to a wrong place.
    let spread = fit.spread(&motions);
    motions.retain(|motion| fit.rest(motion) <= 2.5 * spread);
    let fit = Plane::fit(&motions)?;
    Some(fit.spread(&motions))
}

/// Where a block of `first` went in `other` (Lucas and Kanade 1981); none where it cannot be told.
fn follow(first: &[u8], other: &[u8], centre: [f32; 2]) -> Option<[f32; 2]> {
    let (cx, cy) = (centre[0] as usize, centre[1] as usize);
    let at = |x: usize, y: usize| f32::from(first[y * ALIGNED_PX + x]);
    let pixels = (2 * REACH + 1) * (2 * REACH + 1);
    let mut gradients = Zeroizing::new(Vec::with_capacity(pixels));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for y in cy - REACH..=cy + REACH {
        for x in cx - REACH..=cx + REACH {
            let gx = (at(x + 1, y) - at(x - 1, y)) / 2.0;
            let gy = (at(x, y + 1) - at(x, y - 1)) / 2.0;
            (xx, xy, yy) = (xx + gx * gx, xy + gx * gy, yy + gy * gy);
            gradients.push((x, y, gx, gy, at(x, y)));
        }
    }
    let count = gradients.len() as f32;
    let (sum, gap) = (xx + yy, ((xx - yy) * (xx - yy) + 4.0 * xy * xy).sqrt());
    if (sum - gap) / 2.0 < DETAIL_MIN * count {
        return None;
    }
    let mean = gradients.iter().map(|it| it.4).sum::<f32>() / count;
    let determinant = xx * yy - xy * xy;
    let mut motion = [0.0_f32; 2];
    for _ in 0..STEPS {
        let seen = gradients
            .iter()
            .map(|it| between(other, it.0 as f32 + motion[0], it.1 as f32 + motion[1]));
        let seen: Zeroizing<Vec<f32>> = Zeroizing::new(seen.collect());
        // The light may change from frame to frame: only what differs within the block counts.
        let seen_mean = seen.iter().sum::<f32>() / count;
        let (mut bx, mut by) = (0.0, 0.0);
        for (&(_, _, gx, gy, value), seen) in gradients.iter().zip(seen.iter()) {
            let off = (value - mean) - (seen - seen_mean);
            (bx, by) = (bx + off * gx, by + off * gy);
        }
        motion[0] += (yy * bx - xy * by) / determinant;
        motion[1] += (xx * by - xy * bx) / determinant;
        if motion.iter().any(|it| it.is_nan() || it.abs() > MOTION_MAX) {
            return None;
        }
    }
    Some(motion)
}

fn between(pixels: &[u8], x: f32, y: f32) -> f32 {
    let x = x.clamp(0.0, (ALIGNED_PX - 2) as f32);
    let y = y.clamp(0.0, (ALIGNED_PX - 2) as f32);
    let (column, row) = (x as usize, y as usize);
    let (fx, fy) = (x - column as f32, y - row as f32);
    let at = |x: usize, y: usize| f32::from(pixels[y * ALIGNED_PX + x]);
    let above = at(column, row) + fx * (at(column + 1, row) - at(column, row));
    let below = at(column, row + 1) + fx * (at(column + 1, row + 1) - at(column, row + 1));
    above + fy * (below - above)
}

/// The motion of a plane before a camera, for small motions: eight numbers (Longuet-Higgins 1981).
struct Plane([f32; 8]);

impl Plane {
    /// The least squares fit; none with too few blocks.
    fn fit(motions: &[Motion]) -> Option<Self> {
        if motions.len() < BLOCKS_MIN {
            return None;
        }
        let mut normal = [[0.0_f64; 9]; 8];
        for (place, motion) in motions {
            for (row, seen) in rows(*place).into_iter().zip(motion) {
                for i in 0..8 {
                    for j in 0..8 {
                        normal[i][j] += row[i] * row[j];
                    }
                    normal[i][8] += row[i] * f64::from(*seen);
                }
            }
        }
        solve(normal).map(|it| Self(it.map(|value| value as f32)))
    }

    /// How far a block is from moving with the plane.
    fn rest(&self, (place, motion): &Motion) -> f32 {
        let off = rows(*place).into_iter().zip(motion).map(|(row, seen)| {
            let fitted: f64 = row.iter().zip(self.0).map(|(a, b)| a * f64::from(b)).sum();
            seen - fitted as f32
        });
        off.map(|it| it * it).sum::<f32>().sqrt()
    }

    /// The root mean square of that, each fitted number taken off.
    fn spread(&self, motions: &[Motion]) -> f32 {
        let sum: f32 = motions.iter().map(|it| self.rest(it) * self.rest(it)).sum();
        (sum / (2 * motions.len() - 8) as f32).sqrt()
    }
}

/// What each number adds to a place's motion, across and down.
fn rows([x, y]: [f32; 2]) -> [[f64; 8]; 2] {
    let centred = |value: f32| f64::from(value) / (ALIGNED_PX as f64 / 2.0) - 1.0;
    let (x, y) = (centred(x), centred(y));
    [[1.0, x, y, 0.0, 0.0, 0.0, x * x, x * y], [0.0, 0.0, 0.0, 1.0, x, y, x * y, y * y]]
}

/// Gauss's elimination with the largest pivot; none where the equations are not independent.
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot =
            (column..8).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-9 {
            return None;
        }
        rows.swap(column, pivot);
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
    Some(std::array::from_fn(|i| rows[i][8] / rows[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A texture looked at through a motion.
    fn frame(motion: impl Fn(f32, f32) -> (f32, f32)) -> Vec<u8> {
        let texture = |x: f32, y: f32| {
            128.0 + 40.0 * (x * 0.35).sin() * (y * 0.28).cos() + 30.0 * (x * 0.11 + y * 0.23).sin()
        };
        (0..ALIGNED_PX * ALIGNED_PX)
            .map(|i| {
                let (x, y) = ((i % ALIGNED_PX) as f32, (i / ALIGNED_PX) as f32);
                let (dx, dy) = motion(x, y);
                texture(x - dx, y - dy) as u8
            })
            .collect()
    }

    #[test]
    fn a_plane_is_flat_and_a_dome_is_not() {
        let still = frame(|_, _| (0.0, 0.0));
        let plane = frame(|x, y| (0.8 + 0.01 * x - 0.006 * y, -0.5 + 0.004 * x));
        let flat = depth(&[&still, &plane]).unwrap();
        let dome = frame(|x, y| {
            let (dx, dy) = ((x - 48.0) / 30.0, (y - 48.0) / 30.0);
            (0.8 + 1.2 * (-(dx * dx + dy * dy)).exp(), -0.5)
        });
        let body = depth(&[&still, &dome]).unwrap();
        assert!(flat < 0.08, "a plane: {flat}");
        assert!(body > 3.0 * flat, "a body: {body} against {flat}");
    }

    #[test]
    fn one_frame_or_nothing_to_follow_says_nothing() {
        let still = frame(|_, _| (0.0, 0.0));
        assert_eq!(depth(&[&still]), None);
        let blank = vec![90; ALIGNED_PX * ALIGNED_PX];
        assert_eq!(depth(&[&blank, &blank]), None);
        assert_eq!(depth(&[]), None);
    }
}
