//! Score histograms: how genuine and impostor scores lie.

use crate::score::Scores;

/// Bars of a histogram: fine enough to see both ends, wide enough on a phone.
const BARS: usize = 72;

/// How many scores of each kind fall into each of a row of equally wide bars.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Histogram {
    /// The lowest score of the first bar.
    pub from: i32,
    /// The width of a bar.
    pub width: i32,
    /// Genuine scores in each bar.
    pub genuine: Vec<u64>,
    /// Impostor scores in each bar.
    pub impostor: Vec<u64>,
}

impl Histogram {
    /// The histogram of a set's scores; none where there are none.
    #[must_use]
    pub fn of(scores: &Scores) -> Option<Self> {
        // Both lists fall.
        let firsts =
            [scores.genuine.first().map(|g| g.score), scores.impostor.first().map(|i| i.score)];
        let lasts =
            [scores.genuine.last().map(|g| g.score), scores.impostor.last().map(|i| i.score)];
        let from = lasts.into_iter().flatten().min()?;
        let to = firsts.into_iter().flatten().max()?;
        let span = i64::from(to) - i64::from(from) + 1;
        let width = i32::try_from((span + BARS as i64 - 1) / BARS as i64).unwrap_or(i32::MAX);
        let bar = |score: i32| ((i64::from(score) - i64::from(from)) / i64::from(width)) as usize;
        let (mut genuine, mut impostor) = (vec![0; BARS], vec![0; BARS]);
        for it in &scores.genuine {
            genuine[bar(it.score)] += 1;
        }
        for it in &scores.impostor {
            impostor[bar(it.score)] += 1;
        }
        Some(Self { from, width, genuine, impostor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::scores;

    #[test]
    fn every_score_is_in_one_bar() {
        let impostor: Vec<i32> = (-500..1_500).collect();
        let histogram = Histogram::of(&scores(&[1_999, 1_000, -700], &impostor, 0)).unwrap();
        assert_eq!(histogram.genuine.iter().sum::<u64>(), 3);
        assert_eq!(histogram.impostor.iter().sum::<u64>(), 2_000);
        assert_eq!(
            (histogram.from, histogram.genuine[0], histogram.genuine[BARS - 1]),
            (-700, 1, 1)
        );
    }

    #[test]
    fn one_score_and_no_score() {
        assert!(Histogram::of(&scores(&[], &[], 0)).is_none());
        let one = Histogram::of(&scores(&[i32::MAX], &[i32::MIN], 0)).unwrap();
        assert_eq!((one.impostor[0], one.genuine.iter().sum::<u64>()), (1, 1));
    }
}
