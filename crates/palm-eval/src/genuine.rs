//! The pairs within palms, one by one: with what quality each was taken, and which were missed.

use std::collections::HashMap;

use handfast_palm::score;

use crate::acquisition::Encodings;
use crate::captures::Captures;
use crate::set::{Pairing, SampleSet};

/// Two samples of one palm.
#[derive(Clone, Debug, PartialEq)]
pub struct GenuinePair {
    /// The comparison score.
    pub score: i32,
    /// The lower quality of the two.
    pub quality: f32,
    /// The palm's folder.
    pub palm: String,
    /// The reference's file.
    pub reference: String,
    /// The probe's file.
    pub probe: String,
}

/// Every pair of acquired samples within a palm, worst score first.
pub fn genuine_pairs(
    set: &SampleSet,
    encodings: &Encodings,
    captures: &Captures<'_>,
) -> Vec<GenuinePair> {
    let files: Vec<(&str, &str)> = set
        .palms
        .iter()
        .flat_map(|palm| palm.samples.iter().map(|sample| (&*palm.name, &*sample.name)))
        .collect();
    let quality: HashMap<u32, f32> = encodings
        .outcomes
        .iter()
        .filter_map(|it| Some((it.sample, it.taken.as_ref()?.quality)))
        .collect();
    let mut pairs = Vec::new();
    for reference in &captures.references {
        let Some([template]) = reference.template.as_deref() else { continue };
        for probe in captures.probes.iter().filter(|probe| probe.palm == reference.palm) {
            if set.pairing == Pairing::WithinSession && reference.sample >= probe.sample {
                continue;
            }
            let Some([frames]) = probe.template.as_deref() else { continue };
            let [frame] = frames.as_slice() else { continue };
            let of = |sample: u32| quality.get(&sample).copied().unwrap_or(0.0);
            let (palm, reference_file) = files[reference.sample as usize];
            pairs.push(GenuinePair {
                score: score(template, frame),
                quality: of(reference.sample).min(of(probe.sample)),
                palm: palm.to_owned(),
                reference: reference_file.to_owned(),
                probe: files[probe.sample as usize].1.to_owned(),
            });
        }
    }
    pairs.sort_by(|a, b| {
        (a.score, &a.palm, &a.reference, &a.probe).cmp(&(b.score, &b.palm, &b.reference, &b.probe))
    });
    pairs
}

/// A point of the error-against-reject curve (ISO/IEC 29794-1).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct RejectPoint {
    /// The part of the pairs that is rejected: those of the lowest quality.
    pub rejected: f64,
    /// The rate of the others that do not match.
    pub fnmr: f64,
}

/// An error-against-reject curve at one operating point.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RejectCurve {
    /// The FMR at whose threshold a pair is a miss.
    pub fmr: f64,
    /// The curve, from nothing rejected on.
    pub points: Vec<RejectPoint>,
}

impl RejectCurve {
    /// The FNMR of what is left once at least this part is rejected.
    #[must_use]
    pub fn fnmr_at(&self, rejected: f64) -> Option<f64> {
        self.points.iter().find(|it| it.rejected >= rejected - 1e-9).map(|it| it.fnmr)
    }
}

/// The part of all pairs up to which the curve is drawn: what remains must still be a sample.
const REJECTED_MAX: f64 = 0.5;
/// Points of the curve.
const POINTS: usize = 26;

/// How the misses at `threshold` fall as pairs of low quality are rejected; empty with too few
/// pairs. Where quality predicts misses, it falls faster than what is rejected.
#[must_use]
pub fn error_against_reject(pairs: &[GenuinePair], threshold: i32) -> Vec<RejectPoint> {
    let mut rated: Vec<(f32, i32)> = pairs.iter().map(|pair| (pair.quality, pair.score)).collect();
    if rated.len() < POINTS {
        return Vec::new();
    }
    rated.sort_by(|a, b| a.0.total_cmp(&b.0));
    let point = |step: usize| {
        let rejected = REJECTED_MAX * step as f64 / (POINTS - 1) as f64;
        let kept = &rated[(rejected * rated.len() as f64) as usize..];
        let missed = kept.iter().filter(|(_, score)| *score < threshold).count();
        RejectPoint { rejected, fnmr: missed as f64 / kept.len() as f64 }
    };
    (0..POINTS).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(quality: f32, score: i32) -> GenuinePair {
        let [palm, reference, probe] = ["p", "a", "b"].map(str::to_owned);
        GenuinePair { score, quality, palm, reference, probe }
    }

    #[test]
    fn rejecting_the_blurred_ones_takes_their_misses_away() {
        let pairs: Vec<_> =
            (0..100).map(|i| pair(i as f32 / 100.0, if i < 10 { 1 } else { 9 })).collect();
        let curve = error_against_reject(&pairs, 5);
        assert_eq!(curve[0], RejectPoint { rejected: 0.0, fnmr: 0.1 });
        assert!((curve[5].rejected - 0.1).abs() < 1e-12 && curve[5].fnmr == 0.0);
        assert!(curve.windows(2).all(|w| w[0].fnmr >= w[1].fnmr));
    }

    #[test]
    fn a_useless_quality_takes_nothing_away() {
        let pairs: Vec<_> =
            (0..1_000).map(|i| pair(i as f32, if i % 10 == 0 { 1 } else { 9 })).collect();
        let curve = error_against_reject(&pairs, 5);
        assert!(curve.iter().all(|point| (point.fnmr - 0.1).abs() < 0.01));
    }

    #[test]
    fn too_few_pairs_have_no_curve() {
        assert!(error_against_reject(&vec![pair(0.0, 1); POINTS - 1], 5).is_empty());
    }
}
