//! Error rates of comparisons, as ISO/IEC 19795-1 defines them: EER, TAR at an FMR, DET.
//!
//! A pair matches at a threshold where its score reaches it (`score >= threshold`). A genuine pair
//! in which a sample failed to be acquired never matches; beside that, the rates of the comparisons
//! that took place can be asked for, which is what most publications print. Impostor pairs of
//! failed samples are no pairs: counting them as rightly rejected would flatter the FMR.

use crate::score::{PalmCounts, Scores};
use crate::set::Pairing;

/// The false match rates that a report names, with their names.
pub const FMRS: [(&str, f64); 5] =
    [("1e-2", 1e-2), ("1e-3", 1e-3), ("1e-4", 1e-4), ("1e-5", 1e-5), ("1e-6", 1e-6)];

/// False matches (or false positive searches) that must be expected before a rate is called
/// measured. At 10 expected ones the Poisson spread is 1/sqrt(10), a third of the rate; with fewer,
/// one mislabelled folder decides the figure.
pub const EXPECTED_FALSE_MATCHES_MIN: f64 = 10.0;

/// Slack for the rounding of `rate * pairs`, far below one pair.
const COUNT_EPSILON: f64 = 1e-6;

/// DET points for each factor of ten of the FMR: enough for a smooth line on a logarithmic axis.
const DET_POINTS_PER_DECADE: i32 = 10;

/// Whether `trials` are enough to speak of errors at `rate`.
#[must_use]
pub fn trials_suffice(rate: f64, trials: u64) -> bool {
    rate * trials as f64 + COUNT_EPSILON >= EXPECTED_FALSE_MATCHES_MIN
}

/// A threshold with the error rates at it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct OperatingPoint {
    /// The least score that is called a match.
    pub threshold: i32,
    /// The rate of impostor pairs that match.
    pub fmr: f64,
    /// The rate of genuine pairs that do not, failures to acquire among them.
    pub fnmr: f64,
}

/// Scores, each palm counted as often as its weight says: 1 for all palms is the set itself, other
/// weights are what a bootstrap draws.
pub struct Weighted<'a> {
    scores: &'a Scores,
    weights: &'a [u32],
    /// Weight of the best `i` genuine scores, by `i`.
    genuine_prefix: Vec<u64>,
    genuine_total: u64,
    impostor_total: u64,
}

impl<'a> Weighted<'a> {
    /// Weighs `scores` by palm; failures to acquire count as misses.
    ///
    /// # Panics
    /// Where the weights are not one for each palm.
    #[must_use]
    pub fn new(scores: &'a Scores, weights: &'a [u32]) -> Self {
        assert_eq!(scores.palms.len(), weights.len(), "one weight for each palm");
        let mut genuine_prefix = Vec::with_capacity(scores.genuine.len() + 1);
        let mut sum = 0;
        genuine_prefix.push(sum);
        for genuine in &scores.genuine {
            sum += u64::from(weights[usize::from(genuine.palm)]);
            genuine_prefix.push(sum);
        }
        let missed: u64 =
            scores.palms.iter().zip(weights).map(|(palm, &w)| palm.missed * u64::from(w)).sum();
        let impostor_total = impostor_total(scores.pairing, &scores.palms, weights);
        Self { scores, weights, genuine_prefix, genuine_total: sum + missed, impostor_total }
    }

    /// The same without the failures to acquire: only comparisons that took place.
    #[must_use]
    pub fn of_comparisons(self) -> Self {
        let genuine_total = self.genuine_prefix.last().copied().unwrap_or(0);
        Self { genuine_total, ..self }
    }

    /// The rate of genuine pairs that match at `threshold`; none where there are no such pairs.
    #[must_use]
    pub fn tar(&self, threshold: i32) -> Option<f64> {
        ratio(self.genuine_matching(threshold), self.genuine_total)
    }

    /// The rate of genuine pairs that do not match at `threshold`; none where there are no such
    /// pairs.
    #[must_use]
    pub fn fnmr(&self, threshold: i32) -> Option<f64> {
        ratio(self.genuine_total - self.genuine_matching(threshold), self.genuine_total)
    }

    /// The rate of impostor pairs that match at `threshold`; none where there are no such pairs.
    #[must_use]
    pub fn fmr(&self, threshold: i32) -> Option<f64> {
        let matching = self.scores.impostor.partition_point(|it| it.score >= threshold);
        let matching = self.scores.impostor[..matching].iter();
        ratio(
            matching.map(|it| self.pair_weight(it.reference, it.probe)).sum(),
            self.impostor_total,
        )
    }

    fn genuine_matching(&self, threshold: i32) -> u64 {
        self.genuine_prefix[self.scores.genuine.partition_point(|g| g.score >= threshold)]
    }

    /// The lowest threshold at which no more than `fmr` of the impostor pairs match; none where
    /// there are no impostor or no genuine pairs.
    #[must_use]
    pub fn at_fmr(&self, fmr: f64) -> Option<OperatingPoint> {
        let allowed = (fmr * self.impostor_total as f64 + COUNT_EPSILON) as u64;
        let mut matching = 0;
        // Weight of the scores strictly above the one looked at: they share a threshold with it.
        let mut above = 0;
        let mut last = None;
        for impostor in &self.scores.impostor {
            if last != Some(impostor.score) {
                above = matching;
                last = Some(impostor.score);
            }
            matching += self.pair_weight(impostor.reference, impostor.probe);
            if matching > allowed {
                return self.point(impostor.score.saturating_add(1), above);
            }
        }
        self.point(last?, matching)
    }

    fn point(&self, threshold: i32, matching: u64) -> Option<OperatingPoint> {
        let fmr = ratio(matching, self.impostor_total)?;
        Some(OperatingPoint { threshold, fmr, fnmr: self.fnmr(threshold)? })
    }

    /// The rate at which FMR and FNMR are equal, on the straight line between the two thresholds
    /// around that place; none where there are no impostor or no genuine pairs.
    #[must_use]
    pub fn eer(&self) -> Option<f64> {
        let mut genuine = self.scores.genuine.iter().peekable();
        let mut impostor = self.scores.impostor.iter().peekable();
        let (mut genuine_at, mut impostor_sum) = (0, 0);
        let mut before = (0.0, 1.0);
        loop {
            let next = [genuine.peek().map(|g| g.score), impostor.peek().map(|i| i.score)];
            let threshold = next.into_iter().flatten().max()?;
            while genuine.next_if(|g| g.score == threshold).is_some() {
                genuine_at += 1;
            }
            while let Some(i) = impostor.next_if(|i| i.score == threshold) {
                impostor_sum += self.pair_weight(i.reference, i.probe);
            }
            let fmr = ratio(impostor_sum, self.impostor_total)?;
            let missed = self.genuine_total - self.genuine_prefix[genuine_at];
            let fnmr = ratio(missed, self.genuine_total)?;
            if let Some(eer) = crossing(before, (fmr, fnmr)) {
                return Some(eer);
            }
            before = (fmr, fnmr);
        }
    }

    /// Points of the DET curve: the operating point at each of a row of falling FMRs, down to one
    /// false match in all pairs.
    #[must_use]
    pub fn det(&self) -> Vec<OperatingPoint> {
        let fmr_min = 1.0 / self.impostor_total.max(1) as f64;
        let mut points: Vec<OperatingPoint> = (1..)
            .map(|step| 10_f64.powf(-f64::from(step) / f64::from(DET_POINTS_PER_DECADE)))
            .take_while(|&fmr| fmr * 10_f64.powf(0.05) >= fmr_min)
            .filter_map(|fmr| self.at_fmr(fmr))
            .collect();
        points.dedup_by_key(|point| point.threshold);
        points
    }

    fn pair_weight(&self, reference: u16, probe: u16) -> u64 {
        u64::from(self.weights[usize::from(reference)])
            * u64::from(self.weights[usize::from(probe)])
    }
}

/// Where the line from one (FMR, FNMR) to the next reaches FMR = FNMR.
fn crossing(before: (f64, f64), after: (f64, f64)) -> Option<f64> {
    let (gap_before, gap_after) = (before.1 - before.0, after.0 - after.1);
    if gap_after < 0.0 {
        return None;
    }
    let sum = gap_before + gap_after;
    let share = if sum > 0.0 { gap_before / sum } else { 1.0 };
    Some(before.0 + share * (after.0 - before.0))
}

/// The weight of all impostor pairs, without walking them: a palm is no impostor of its own copies.
fn impostor_total(pairing: Pairing, palms: &[PalmCounts], weights: &[u32]) -> u64 {
    let (mut references, mut probes, mut own) = (0, 0, 0);
    for (palm, &weight) in palms.iter().zip(weights) {
        let weight = u64::from(weight);
        references += weight * palm.references;
        probes += weight * palm.probes;
        own += weight * palm.references * weight * palm.probes;
    }
    let ordered = references * probes - own;
    match pairing {
        Pairing::AcrossSessions => ordered,
        Pairing::WithinSession => ordered / 2,
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::score::tests::products;
    use crate::score::{GenuineScore, ImpostorScore};

    /// Two palms, session against session, with these scores and misses.
    pub(crate) fn scores(genuine: &[i32], impostor: &[i32], missed: u64) -> Scores {
        let mut genuine: Vec<_> =
            genuine.iter().map(|&score| GenuineScore { score, palm: 0 }).collect();
        let mut impostor: Vec<_> =
            impostor.iter().map(|&score| ImpostorScore { score, reference: 0, probe: 1 }).collect();
        genuine.sort_by(|a, b| b.cmp(a));
        impostor.sort_by(|a, b| b.cmp(a));
        let palms = vec![
            PalmCounts { references: impostor.len() as u64, probes: 0, missed },
            PalmCounts { references: 0, probes: 1, missed: 0 },
        ];
        Scores { pairing: Pairing::AcrossSessions, palms, genuine, impostor }
    }

    fn eer(genuine: &[i32], impostor: &[i32], missed: u64) -> Option<f64> {
        Weighted::new(&scores(genuine, impostor, missed), &[1, 1]).eer()
    }

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-12)
    }

    #[test]
    fn eer_by_hand() {
        assert!(close(eer(&[5, 6], &[1, 2], 0), 0.0), "apart");
        assert!(close(eer(&[1, 3], &[0, 2], 0), 0.5), "one of two each way");
        assert!(close(eer(&[1, 2], &[5, 6], 0), 1.0), "the wrong way round");
        assert!(close(eer(&[7, 7, 7], &[7, 7], 0), 0.5), "all equal");
        // At 3: FMR 0, FNMR 1/4. At 2: FMR 1/2, FNMR 1/4. Equal at 1/4 between them.
        assert!(close(eer(&[4, 4, 4, 1], &[2, 0], 0), 0.25), "interpolated");
        // One pair missed of four: FNMR stays 1/4 until every impostor of one score comes in.
        assert!(close(eer(&[5, 5, 5], &[1], 1), 0.25), "missed pairs never match");
        assert!(close(eer(&[], &[3, 4], 2), 1.0), "everything missed");
    }

    #[test]
    fn rates_of_comparisons_leave_failures_out() {
        let scores = scores(&[5, 5, 5], &[1], 1);
        let weighted = Weighted::new(&scores, &[1, 1]);
        assert_eq!(weighted.tar(5), Some(0.75));
        let compared = weighted.of_comparisons();
        assert_eq!((compared.tar(5), compared.eer()), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn nothing_to_compare_has_no_rate() {
        assert_eq!(eer(&[1, 2], &[], 0), None);
        assert_eq!(eer(&[], &[1, 2], 0), None);
        let only_genuine = scores(&[1, 2], &[], 0);
        let weighted = Weighted::new(&only_genuine, &[1, 1]);
        assert_eq!(weighted.at_fmr(0.01), None);
        assert_eq!(weighted.tar(2), Some(0.5));
        assert!(weighted.det().is_empty());
    }

    #[test]
    fn tar_at_fmr_by_hand() {
        let impostor: Vec<i32> = (0..100).collect();
        let scores = scores(&[99, 98, 50, 150], &impostor, 1);
        let weighted = Weighted::new(&scores, &[1, 1]);
        // One of 100 may match: 99 may, 98 may not. Genuine 99 and 150 of five match.
        let point = weighted.at_fmr(0.01).unwrap();
        assert_eq!(point.threshold, 99);
        assert!((point.fmr - 0.01).abs() < 1e-12 && (point.fnmr - 0.6).abs() < 1e-12);
        // None may match below 1/100.
        assert_eq!(weighted.at_fmr(0.009).unwrap().threshold, 100);
        // Everything may match.
        assert_eq!(weighted.at_fmr(1.0).unwrap().threshold, 0);
    }

    #[test]
    fn tied_impostors_stand_or_fall_together() {
        let scores = scores(&[5, 9], &[5, 5, 5, 1], 0);
        let weighted = Weighted::new(&scores, &[1, 1]);
        // Two of four would be allowed, but a threshold of 5 lets three in.
        let point = weighted.at_fmr(0.5).unwrap();
        assert_eq!((point.threshold, point.fmr, point.fnmr), (6, 0.0, 0.5));
    }

    #[test]
    fn ten_expected_errors_suffice() {
        assert!(trials_suffice(1e-5, 1_000_000));
        assert!(!trials_suffice(1e-5, 999_000));
        assert!(!trials_suffice(1e-2, 0));
    }

    #[test]
    fn det_falls_from_left_to_right() {
        let impostor: Vec<i32> = (0..1000).collect();
        let genuine: Vec<i32> = (700..1100).collect();
        let scores = scores(&genuine, &impostor, 3);
        let det = Weighted::new(&scores, &[1, 1]).det();
        assert!(det.len() > 20);
        assert!(det.windows(2).all(|w| w[0].fmr > w[1].fmr && w[0].fnmr <= w[1].fnmr));
    }

    /// The oracle: rates at one threshold by counting all pairs, palm copies written out.
    fn count(scores: &Scores, weights: &[u32], threshold: i32) -> (f64, f64) {
        let (mut matching, mut impostors, mut missed, mut genuines) = (0, 0, 0, 0);
        for i in &scores.impostor {
            for _ in 0..weights[i.reference as usize] * weights[i.probe as usize] {
                impostors += 1;
                matching += u32::from(i.score >= threshold);
            }
        }
        for g in &scores.genuine {
            for _ in 0..weights[g.palm as usize] {
                genuines += 1;
                missed += u32::from(g.score < threshold);
            }
        }
        for (palm, weight) in scores.palms.iter().zip(weights) {
            genuines += palm.missed as u32 * weight;
            missed += palm.missed as u32 * weight;
        }
        (f64::from(matching) / f64::from(impostors), f64::from(missed) / f64::from(genuines))
    }

    fn encoded() -> impl Strategy<Value = Vec<crate::score::Encoded<i32>>> {
        let one = (0..4_u16, prop::option::weighted(0.9, -3..4_i32));
        prop::collection::vec(one, 4..20).prop_map(|samples| {
            let numbered = samples.into_iter().zip(0..);
            numbered
                .map(|((palm, template), sample)| crate::score::Encoded { palm, sample, template })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn weighted_rates_agree_with_counting(
            refs in encoded(),
            probes in encoded(),
            weights in prop::collection::vec(0..4_u32, 4),
            within: bool,
            fmr in 0.0..0.9_f64,
        ) {
            let (pairing, probes) = if within {
                (Pairing::WithinSession, refs.clone())
            } else {
                (Pairing::AcrossSessions, probes)
            };
            let scores =
                crate::score::score_all(pairing, 4, &refs, &probes, products(&refs), |_| {});
            let weighted = Weighted::new(&scores, &weights);
            let thresholds = -10..12;
            let counted: Vec<_> = thresholds.clone().map(|t| count(&scores, &weights, t)).collect();
            let usable = !counted[0].0.is_nan() && !counted[0].1.is_nan();
            prop_assert_eq!(weighted.eer().is_some(), usable);
            if usable {
                let lowest = counted.iter().position(|c| c.0 <= fmr + 1e-9).unwrap();
                let point = weighted.at_fmr(fmr).unwrap();
                prop_assert!((point.fmr - counted[lowest].0).abs() < 1e-12);
                prop_assert!((point.fnmr - counted[lowest].1).abs() < 1e-12);
                // The EER lies between the last point with FMR >= FNMR and the next one.
                let at = counted.iter().rposition(|c| c.0 >= c.1).unwrap();
                let (low, high) = (counted[at + 1], counted[at]);
                let eer = weighted.eer().unwrap();
                prop_assert!(eer >= low.0.max(high.1) - 1e-12 && eer <= high.0.min(low.1) + 1e-12);
            }
        }
    }
}
