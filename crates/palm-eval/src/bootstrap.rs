//! Confidence intervals by bootstrap over palms.
//!
//! Palms are drawn with replacement, and all their pairs with them: pairs share palms, so drawing
//! pairs as if they were independent would give intervals several times too narrow. Where no error
//! was seen at all an interval has no width; that says how little was tested, not how sure it is.

use handfast_model::Random;
use rayon::prelude::*;

/// Draws; the ends of a 95 % interval then rest on 25 draws each, and repeat to about a tenth of
/// its width.
pub const REPLICATES: usize = 1_000;

/// The probability that an interval covers.
pub const CONFIDENCE: f64 = 0.95;

/// How often each palm is drawn, for each replicate.
pub struct Draws(Vec<Vec<u32>>);

impl Draws {
    /// Draws as many palms as there are, with replacement, [`REPLICATES`] times.
    #[must_use]
    pub fn new(palms: usize, random: &dyn Random) -> Self {
        let mut buffer = vec![0; palms * size_of::<u64>()];
        let draw = |_| {
            random.fill(&mut buffer);
            let mut weights = vec![0; palms];
            for chunk in buffer.as_chunks().0 {
                weights[below(palms, u64::from_le_bytes(*chunk))] += 1;
            }
            weights
        };
        Self((0..REPLICATES).map(draw).collect())
    }

    /// The intervals of the values that `measure` finds, replicate by replicate; none where no
    /// replicate had such a value.
    pub fn intervals<const N: usize>(
        &self,
        measure: impl Fn(&[u32]) -> [Option<f64>; N] + Sync,
    ) -> [Option<(f64, f64)>; N] {
        let measured: Vec<[Option<f64>; N]> =
            self.0.par_iter().map(|weights| measure(weights)).collect();
        std::array::from_fn(|i| {
            let mut values: Vec<f64> = measured.iter().filter_map(|m| m[i]).collect();
            values.sort_by(f64::total_cmp);
            let tail = (1.0 - CONFIDENCE) / 2.0;
            Some((quantile(&values, tail)?, quantile(&values, 1.0 - tail)?))
        })
    }
}

/// A number below `limit` from 64 random bits; uneven by less than limit / 2^64.
fn below(limit: usize, bits: u64) -> usize {
    ((u128::from(bits) * limit as u128) >> 64) as usize
}

/// The value below which `share` of the sorted values lie, on the line between neighbours.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(last);
    Some(sorted[low] + part * (sorted[high] - sorted[low]))
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn quantiles_by_hand() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0], 0.975), Some(3.0));
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0], 0.5), Some(1.5));
        assert_eq!(quantile(&[0.0, 1.0], 1.0), Some(1.0));
    }

    #[test]
    fn every_replicate_draws_as_many_palms_as_there_are() {
        let draws = Draws::new(7, &SeededRandom::new(1));
        assert_eq!(draws.0.len(), REPLICATES);
        assert!(draws.0.iter().all(|weights| weights.iter().sum::<u32>() == 7));
        let again = Draws::new(7, &SeededRandom::new(1));
        assert_eq!(draws.0, again.0, "the same seed draws the same palms");
        assert_ne!(draws.0, Draws::new(7, &SeededRandom::new(2)).0);
    }

    /// The mean of n values has a known spread: the interval must come out as the textbook's.
    #[test]
    fn the_interval_of_a_mean_is_the_textbooks() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let draws = Draws::new(values.len(), &SeededRandom::new(3));
        let [interval, never] = draws.intervals(|weights| {
            let sum: f64 = weights.iter().zip(&values).map(|(&w, v)| f64::from(w) * v).sum();
            [Some(sum / values.len() as f64), None]
        });
        let (low, high) = interval.unwrap();
        let half_width = 1.96 * 0.5 / 20.0;
        assert!((low - (0.5 - half_width)).abs() < 0.006, "{low}");
        assert!((high - (0.5 + half_width)).abs() < 0.006, "{high}");
        assert_eq!(never, None);
    }
}
