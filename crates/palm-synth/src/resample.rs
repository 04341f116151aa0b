//! Shrinking by area: every source pixel counts by how much of it a target pixel covers.

/// `source` of `from` (width, height) at `to`, where a target pixel covers `step` source pixels.
pub(crate) fn shrink<const N: usize>(
    source: &[[u8; N]],
    from: (usize, usize),
    to: (usize, usize),
    step: (f32, f32),
) -> Vec<[u8; N]> {
    let columns: Vec<Cover> = (0..to.0).map(|x| Cover::of(x, step.0, from.0)).collect();
    let mut target = Vec::with_capacity(to.0 * to.1);
    for y in 0..to.1 {
        let rows = Cover::of(y, step.1, from.1);
        for column in &columns {
            let mut sums = [0.0f32; N];
            let mut total = 0.0;
            for row in rows.first..=rows.last {
                let line = &source[row * from.0..(row + 1) * from.0];
                for (x, pixel) in (column.first..).zip(&line[column.first..=column.last]) {
                    let weight = rows.weight(row) * column.weight(x);
                    total += weight;
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += weight * f32::from(value);
                    }
                }
            }
            target.push(sums.map(|sum| (sum / total + 0.5) as u8));
        }
    }
    target
}

/// The source pixels that one target pixel covers.
struct Cover {
    from: f32,
    to: f32,
    first: usize,
    last: usize,
}

impl Cover {
    fn of(target: usize, step: f32, limit: usize) -> Self {
        let from = target as f32 * step;
        let to = (from + step).min(limit as f32);
        let first = (from as usize).min(limit - 1);
        let last = ((to - 1e-3).max(from) as usize).clamp(first, limit - 1);
        Self { from, to, first, last }
    }

    fn weight(&self, source: usize) -> f32 {
        let (left, right) = (source as f32, source as f32 + 1.0);
        (right.min(self.to) - left.max(self.from)).max(1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_takes_the_mean_of_four() {
        let source = [[0u8], [100], [200], [100], [50], [50], [60], [80]];
        assert_eq!(shrink(&source, (4, 2), (2, 1), (2.0, 2.0)), [[50], [110]]);
    }

    #[test]
    fn an_even_picture_stays_even_at_odd_ratios() {
        let source = vec![[77u8, 3]; 31 * 17];
        let target = shrink(&source, (31, 17), (21, 12), (31.0 / 21.0, 17.0 / 12.0));
        assert_eq!(target.len(), 21 * 12);
        assert!(target.iter().all(|&p| p == [77, 3]));
    }

    #[test]
    fn enlarging_keeps_the_values() {
        let source = [[10u8], [20]];
        assert_eq!(shrink(&source, (2, 1), (4, 1), (0.5, 1.0)), [[10], [10], [20], [20]]);
    }
}
