//! Captures: samples put together as they are presented: frames into one visit's reference or
//! probe, and the parts of one presentation (two palms of a person, or two pictures of a palm).

use std::num::NonZeroUsize;

use handfast_palm::{LENGTH, Probe, Reference, reference, score, score_rows};
use rayon::prelude::*;

use crate::acquisition::{Attempts, Encodings, Outcome, Taken};
use crate::score::Encoded;
use crate::set::{Pairing, Session};
use crate::timing::{Laps, Stopwatch, Timing};

/// Probes whose comparisons are timed ...
const TIMED_PROBES_MAX: usize = 50;
/// ... each with so many references at once, since one comparison is too short for a watch.
const TIMED_REFERENCES_MAX: usize = 200;

/// How many samples go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Samples that are fused into one reference; more than one needs a set with two sessions.
    pub enrolled: NonZeroUsize,
    /// Frames of one probe, the best of which counts; more than one needs a set with two sessions.
    pub frames: NonZeroUsize,
}

impl Grouping {
    /// One sample against one sample.
    pub const SINGLE: Self = Self { enrolled: NonZeroUsize::MIN, frames: NonZeroUsize::MIN };

    /// `samples` on both sides.
    #[must_use]
    pub fn of_each(samples: NonZeroUsize) -> Self {
        Self { enrolled: samples, frames: samples }
    }

    /// Whether single samples are compared.
    #[must_use]
    pub fn is_single(self) -> bool {
        self == Self::SINGLE
    }
}

/// The references of one presentation, one for each part.
pub type PartReferences = Vec<Reference>;
/// The probes of one presentation: of each part, the frames.
pub type PartProbes<'a> = Vec<Vec<&'a Probe>>;

/// A set as it is presented.
pub struct Captures<'a> {
    /// References, by palm.
    pub references: Vec<Encoded<PartReferences>>,
    /// Probes, by palm.
    pub probes: Vec<Encoded<PartProbes<'a>>>,
    /// Attempts at single samples, by palm.
    pub attempts: Vec<Attempts>,
}

impl<'a> Captures<'a> {
    /// Groups the samples of one set.
    #[must_use]
    pub fn of(encodings: &'a Encodings, pairing: Pairing, grouping: Grouping) -> Self {
        let side = |session: Session| {
            let outcomes = encodings.outcomes.iter();
            let on_side = move |outcome: &&Outcome| match pairing {
                Pairing::WithinSession => true,
                Pairing::AcrossSessions => outcome.session == session,
            };
            outcomes.filter(on_side).map(|outcome| Encoded {
                palm: outcome.palm,
                sample: outcome.sample,
                template: outcome.taken.as_ref(),
            })
        };
        let references = group(side(Session::First), grouping.enrolled);
        let references = references
            .into_par_iter()
            .map(|Encoded { palm, sample, template }| {
                // Samples of both hands cannot be fused; what cannot be enrolled is missed.
                let template = template.and_then(|taken| fuse(&taken)).map(|it| vec![it]);
                Encoded { palm, sample, template }
            })
            .collect();
        let probes = group(side(Session::Second), grouping.frames).into_iter();
        let probes = probes.map(|Encoded { palm, sample, template }| {
            let frames = template.map(|taken: Vec<&'a Taken>| {
                vec![taken.into_iter().filter_map(|taken| taken.probe.as_ref()).collect()]
            });
            Encoded { palm, sample, template: frames }
        });
        Self { references, probes: probes.collect(), attempts: encodings.attempts.clone() }
    }

    /// Puts each capture together with the one at the same place of `other`: the parts of one
    /// presentation. It is acquired where both are.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let attempts = self.attempts.into_iter().zip(other.attempts);
        Self {
            references: join(self.references, other.references),
            probes: join(self.probes, other.probes),
            attempts: attempts.map(|(a, b)| a + b).collect(),
        }
    }

    /// Of each part, the references one after the other, as searches want them.
    #[must_use]
    pub fn galleries(&self) -> Vec<Vec<i8>> {
        let mut galleries = Vec::new();
        for parts in self.references.iter().filter_map(|r| r.template.as_ref()) {
            galleries.resize_with(parts.len().max(galleries.len()), Vec::new);
            for (gallery, reference) in galleries.iter_mut().zip(parts) {
                gallery.extend_from_slice(reference.vector());
            }
        }
        galleries
    }

    /// What one comparison of one part takes.
    #[must_use]
    pub fn time_comparisons(&self, watch: &dyn Stopwatch) -> Option<Timing> {
        let mut gallery = self.galleries().into_iter().next()?;
        gallery.truncate(TIMED_REFERENCES_MAX * LENGTH);
        let mut laps = Laps::default();
        let probes = self.probes.iter().filter_map(|p| p.template.as_ref()).flatten().flatten();
        for probe in probes.take(TIMED_PROBES_MAX) {
            let references = gallery.len() / LENGTH;
            let scores = laps.time_each(watch, references, || score_rows(&gallery, probe));
            std::hint::black_box(scores);
        }
        laps.timing()
    }
}

fn fuse(taken: &[&Taken]) -> Option<Reference> {
    let samples: Vec<_> = taken.iter().map(|taken| taken.sample.clone()).collect();
    reference(&samples).ok()
}

fn join<T>(first: Vec<Encoded<Vec<T>>>, second: Vec<Encoded<Vec<T>>>) -> Vec<Encoded<Vec<T>>> {
    let pairs = first.into_iter().zip(second);
    let join = |(first, second): (Encoded<Vec<T>>, Encoded<Vec<T>>)| {
        debug_assert_eq!(first.palm, second.palm, "the parts are in one order");
        let template = first.template.zip(second.template).map(|(mut parts, mut more)| {
            parts.append(&mut more);
            parts
        });
        Encoded { palm: first.palm, sample: first.sample, template }
    };
    pairs.map(join).collect()
}

/// The scores of one presentation with every reference of the galleries: the sum over its parts of
/// the best of each part's frames.
#[must_use]
pub fn fused_scores(galleries: &[Vec<i8>], probe: &PartProbes<'_>) -> Vec<i32> {
    let mut sums = vec![0_i32; galleries.first().map_or(0, |gallery| gallery.len() / LENGTH)];
    for (gallery, frames) in galleries.iter().zip(probe) {
        let mut best = vec![i32::MIN; sums.len()];
        for frame in frames {
            for (best, score) in best.iter_mut().zip(score_rows(gallery, frame)) {
                *best = score.max(*best);
            }
        }
        for (sum, best) in sums.iter_mut().zip(best) {
            *sum = sum.saturating_add(best);
        }
    }
    sums
}

/// The score of one presentation with one reference.
#[must_use]
pub fn fused_score(reference: &PartReferences, probe: &PartProbes<'_>) -> i32 {
    let best = |(reference, frames): (&Reference, &Vec<&Probe>)| {
        frames.iter().map(|frame| score(reference, frame)).max().unwrap_or(i32::MIN)
    };
    reference.iter().zip(probe).map(best).fold(0, i32::saturating_add)
}

/// Puts each palm's samples into groups of `size`, in their order; of a group, those that were
/// acquired. What is left over makes a group only where the palm has no other.
fn group<T>(
    samples: impl IntoIterator<Item = Encoded<T>>,
    size: NonZeroUsize,
) -> Vec<Encoded<Vec<T>>> {
    let mut groups: Vec<Encoded<Vec<T>>> = Vec::new();
    // Attempts in the last group, acquired or not.
    let mut filled = 0;
    let drop_partial = |groups: &mut Vec<Encoded<Vec<T>>>, filled: usize| {
        let is_other =
            groups.len() >= 2 && groups[groups.len() - 2].palm == groups[groups.len() - 1].palm;
        if filled < size.get() && is_other {
            groups.pop();
        }
    };
    for Encoded { palm, sample, template } in samples {
        let goes_on = groups.last().is_some_and(|group| group.palm == palm);
        if !goes_on || filled == size.get() {
            if !goes_on {
                drop_partial(&mut groups, filled);
            }
            groups.push(Encoded { palm, sample, template: None });
            filled = 0;
        }
        filled += 1;
        if let (Some(group), Some(template)) = (groups.last_mut(), template) {
            group.template.get_or_insert_default().push(template);
        }
    }
    drop_partial(&mut groups, filled);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_grouped_by_palm() {
        let numbers = |size, samples: &[(u16, Option<u8>)]| {
            let numbered = samples.iter().zip(0..);
            let samples =
                numbered.map(|(&(palm, template), sample)| Encoded { palm, sample, template });
            let groups = group(samples, NonZeroUsize::new(size).unwrap());
            groups.into_iter().map(|g| (g.palm, g.sample, g.template)).collect::<Vec<_>>()
        };
        let samples = [(0, Some(1)), (0, None), (0, Some(3)), (1, Some(4)), (2, None), (2, None)];
        assert_eq!(
            numbers(2, &samples),
            [(0, 0, Some(vec![1])), (1, 3, Some(vec![4])), (2, 4, None)],
            "palm 0 has a sample left over, palm 1 has no full group, palm 2 nothing"
        );
        assert_eq!(numbers(1, &samples[..2]), [(0, 0, Some(vec![1])), (0, 1, None)]);
        assert_eq!(numbers(3, &[]), []);
    }

    #[test]
    fn a_presentation_is_acquired_where_both_parts_are() {
        let part = |templates: &[Option<u8>]| {
            let numbered = templates.iter().zip(0..);
            let one = |(&template, sample): (&Option<u8>, u32)| Encoded {
                palm: 0,
                sample,
                template: template.map(|it| vec![it]),
            };
            numbered.map(one).collect::<Vec<_>>()
        };
        let joined = join(part(&[Some(1), Some(2), None]), part(&[Some(5), None, None]));
        let templates: Vec<_> = joined.into_iter().map(|it| it.template).collect();
        assert_eq!(templates, [Some(vec![1, 5]), None, None]);
    }

    #[test]
    fn the_fast_sum_is_the_plain_one() {
        let vector = |seed: usize| {
            let number = |i: usize| ((i * 31 + seed * 17 + i * i % 7) % 3) as i8 - 1;
            (0..LENGTH).map(number).collect::<Vec<i8>>()
        };
        let reference = |seed| Reference::from_vector(vector(seed)).unwrap();
        let probe = |seed| {
            let vectors = (0..handfast_palm::PROBE_VECTORS).flat_map(|k| vector(seed + k));
            Probe::from_vectors(vectors.collect()).unwrap()
        };
        let references: Vec<PartReferences> =
            (0..4).map(|k| vec![reference(k), reference(k + 9)]).collect();
        let frames = [probe(3), probe(5), probe(8)];
        let presented: PartProbes<'_> = vec![vec![&frames[0], &frames[1]], vec![&frames[2]]];
        let captures = Captures {
            references: (0..)
                .zip(&references)
                .map(|(sample, parts)| Encoded { palm: 0, sample, template: Some(parts.clone()) })
                .collect(),
            probes: Vec::new(),
            attempts: Vec::new(),
        };
        let fast = fused_scores(&captures.galleries(), &presented);
        let plain: Vec<i32> =
            references.iter().map(|reference| fused_score(reference, &presented)).collect();
        assert_eq!(fast, plain);
    }
}
