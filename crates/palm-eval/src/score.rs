//! Every pair, scored: the fast way to all genuine and impostor scores of a set.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::set::Pairing;

/// Pairs held at once: at 8 bytes each this is 0.6 GB, which a machine with 2 GB has to spare.
pub const PAIRS_MAX: u64 = 80_000_000;

/// A sample of a palm, encoded; `None` where it failed to be acquired.
#[derive(Clone, Debug)]
pub struct Encoded<T> {
    /// The palm's number in its set.
    pub palm: u16,
    /// The sample's number in its set: orders the pairs within one session.
    pub sample: u32,
    /// The template.
    pub template: Option<T>,
}

/// The score of two samples of one palm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GenuineScore {
    /// The comparison score.
    pub score: i32,
    /// The palm.
    pub palm: u16,
}

/// The score of samples of two palms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImpostorScore {
    /// The comparison score.
    pub score: i32,
    /// The palm of the reference.
    pub reference: u16,
    /// The palm of the probe.
    pub probe: u16,
}

/// What a palm brings to a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PalmCounts {
    /// Samples that became references.
    pub references: u64,
    /// Samples that became probes.
    pub probes: u64,
    /// Genuine pairs in which a sample failed to be acquired: misses at every threshold.
    pub missed: u64,
}

/// All scores of a set, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scores {
    /// How the pairs were chosen.
    pub pairing: Pairing,
    /// What each palm brought, by its number.
    pub palms: Vec<PalmCounts>,
    /// Scores within palms, best first.
    pub genuine: Vec<GenuineScore>,
    /// Scores between palms, best first.
    pub impostor: Vec<ImpostorScore>,
}

impl Scores {
    /// Genuine pairs, those counted where a sample failed to be acquired.
    #[must_use]
    pub fn genuine_pairs(&self) -> u64 {
        self.genuine.len() as u64 + self.palms.iter().map(|palm| palm.missed).sum::<u64>()
    }
}

/// Whether a reference and a probe make a pair.
fn is_pair<R, P>(pairing: Pairing, reference: &Encoded<R>, probe: &Encoded<P>) -> bool {
    match pairing {
        Pairing::AcrossSessions => true,
        Pairing::WithinSession => reference.sample < probe.sample,
    }
}

/// Scores every pair, on the rayon pool that this is called in. `compare` gives a probe's scores with
/// all references that were acquired, in their order; `on_probe` hears how many probes are done.
pub fn score_all<R: Sync, P: Sync>(
    pairing: Pairing,
    palms: usize,
    references: &[Encoded<R>],
    probes: &[Encoded<P>],
    compare: impl Fn(&P) -> Vec<i32> + Sync,
    on_probe: impl Fn(usize) + Sync,
) -> Scores {
    let done = AtomicUsize::new(0);
    let part = probes
        .par_iter()
        .fold(
            || Part::new(palms),
            |mut part, probe| {
                part.score_probe(pairing, references, probe, &compare);
                on_probe(done.fetch_add(1, Ordering::Relaxed) + 1);
                part
            },
        )
        .reduce(|| Part::new(palms), Part::merge);
    part.into_scores(pairing, references, probes)
}

/// The scores of some of the probes.
struct Part {
    missed: Vec<u64>,
    genuine: Vec<GenuineScore>,
    impostor: Vec<ImpostorScore>,
}

impl Part {
    fn new(palms: usize) -> Self {
        Self { missed: vec![0; palms], genuine: Vec::new(), impostor: Vec::new() }
    }

    fn score_probe<R, P>(
        &mut self,
        pairing: Pairing,
        references: &[Encoded<R>],
        probe: &Encoded<P>,
        compare: &impl Fn(&P) -> Vec<i32>,
    ) {
        let palm = probe.palm;
        let Some(template) = &probe.template else {
            let own = references.iter().filter(|r| r.palm == palm && is_pair(pairing, r, probe));
            self.missed[usize::from(palm)] += own.count() as u64;
            return;
        };
        let mut scores = compare(template).into_iter();
        for reference in references {
            // Every acquired reference has its score, whether or not it makes a pair.
            let score = reference.template.as_ref().and_then(|_| scores.next());
            if !is_pair(pairing, reference, probe) {
                continue;
            }
            match (score, reference.palm == palm) {
                (Some(score), true) => self.genuine.push(GenuineScore { score, palm }),
                (Some(score), false) => {
                    let reference = reference.palm;
                    self.impostor.push(ImpostorScore { score, reference, probe: palm });
                }
                (None, true) => self.missed[usize::from(palm)] += 1,
                (None, false) => {}
            }
        }
    }

    fn merge(mut self, mut other: Self) -> Self {
        if self.impostor.len() < other.impostor.len() {
            std::mem::swap(&mut self, &mut other);
        }
        self.genuine.append(&mut other.genuine);
        self.impostor.append(&mut other.impostor);
        for (mine, theirs) in self.missed.iter_mut().zip(other.missed) {
            *mine += theirs;
        }
        self
    }

    /// Sorted by score and then by palm, so that the number of threads changes nothing.
    fn into_scores<R, P>(
        mut self,
        pairing: Pairing,
        references: &[Encoded<R>],
        probes: &[Encoded<P>],
    ) -> Scores {
        self.genuine.par_sort_unstable_by(|a, b| b.cmp(a));
        self.impostor.par_sort_unstable_by(|a, b| b.cmp(a));
        let mut palms: Vec<PalmCounts> = self
            .missed
            .into_iter()
            .map(|missed| PalmCounts { missed, ..PalmCounts::default() })
            .collect();
        for reference in references.iter().filter(|r| r.template.is_some()) {
            palms[usize::from(reference.palm)].references += 1;
        }
        for probe in probes.iter().filter(|p| p.template.is_some()) {
            palms[usize::from(probe.palm)].probes += 1;
        }
        Scores { pairing, palms, genuine: self.genuine, impostor: self.impostor }
    }
}

/// The best score of each probe in a gallery of `enrolled` other palms, one reference each: what a
/// stranger's search comes to. Empty where the set has too few palms for such a gallery.
pub fn search_maxima<R: Sync, P: Sync>(
    enrolled: usize,
    references: &[Encoded<R>],
    probes: &[Encoded<P>],
    compare: impl Fn(&R, &P) -> i32 + Sync,
) -> Vec<i32> {
    let mut gallery: Vec<(u16, &R)> = Vec::new();
    for reference in references {
        if gallery.last().is_some_and(|&(palm, _)| palm == reference.palm) {
            continue;
        }
        gallery.extend(reference.template.as_ref().map(|template| (reference.palm, template)));
    }
    // One more than enrolled, so that a palm of the gallery can step aside for its own probes.
    if gallery.len() <= enrolled || enrolled == 0 {
        return Vec::new();
    }
    probes
        .par_iter()
        .filter_map(|probe| probe.template.as_ref().map(|template| (probe.palm, template)))
        .filter_map(|(palm, probe)| {
            let others = gallery.iter().filter(|(enrolled, _)| *enrolled != palm).take(enrolled);
            others.map(|(_, reference)| compare(reference, probe)).max()
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The oracle: every pair, one after the other, in the plainest way.
    fn oracle(pairing: Pairing, refs: &[Encoded<i32>], probes: &[Encoded<i32>]) -> Scores {
        let mut scores = Scores {
            pairing,
            palms: vec![PalmCounts::default(); PALMS],
            genuine: Vec::new(),
            impostor: Vec::new(),
        };
        for r in refs {
            scores.palms[r.palm as usize].references += u64::from(r.template.is_some());
        }
        for p in probes {
            scores.palms[p.palm as usize].probes += u64::from(p.template.is_some());
        }
        for r in refs {
            for p in probes {
                if pairing == Pairing::WithinSession && r.sample >= p.sample {
                    continue;
                }
                match (r.template, p.template, r.palm == p.palm) {
                    (Some(a), Some(b), true) => {
                        scores.genuine.push(GenuineScore { score: a * b, palm: p.palm });
                    }
                    (Some(a), Some(b), false) => scores.impostor.push(ImpostorScore {
                        score: a * b,
                        reference: r.palm,
                        probe: p.palm,
                    }),
                    (_, _, true) => scores.palms[p.palm as usize].missed += 1,
                    (_, _, false) => {}
                }
            }
        }
        scores.genuine.sort();
        scores.genuine.reverse();
        scores.impostor.sort();
        scores.impostor.reverse();
        scores
    }

    const PALMS: usize = 5;

    /// Toy templates are numbers, and their score is their product.
    pub(crate) fn products(references: &[Encoded<i32>]) -> impl Fn(&i32) -> Vec<i32> {
        |probe| references.iter().filter_map(|r| Some(r.template? * probe)).collect()
    }

    fn encoded() -> impl Strategy<Value = Vec<Encoded<i32>>> {
        let one = (0..PALMS as u16, prop::option::weighted(0.8, -4..5_i32));
        prop::collection::vec(one, 0..25).prop_map(|mut samples| {
            samples.sort_by_key(|(palm, _)| *palm);
            let numbered = samples.into_iter().zip(0..);
            numbered.map(|((palm, template), sample)| Encoded { palm, sample, template }).collect()
        })
    }

    proptest! {
        #[test]
        fn all_pairs_agree_with_the_oracle(refs in encoded(), probes in encoded(), within: bool) {
            let pairing = if within { Pairing::WithinSession } else { Pairing::AcrossSessions };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            let fast = pool.install(|| {
                score_all(pairing, PALMS, &refs, &probes, products(&refs), |_| {})
            });
            prop_assert_eq!(fast, oracle(pairing, &refs, &probes));
        }

        #[test]
        fn searches_agree_with_the_oracle(refs in encoded(), probes in encoded(), enrolled in 1..6_usize) {
            let fast = search_maxima(enrolled, &refs, &probes, |a, b| a * b);
            let mut slow = Vec::new();
            for probe in &probes {
                let mut best = Vec::new();
                for palm in 0..PALMS as u16 {
                    let first = refs.iter().find(|r| r.palm == palm && r.template.is_some());
                    if let Some(first) = first
                        && palm != probe.palm
                        && best.len() < enrolled
                    {
                        best.push(first.template.unwrap());
                    }
                }
                if let Some(probe) = probe.template {
                    slow.extend(best.into_iter().map(|r| r * probe).max());
                }
            }
            let acquired = (0..PALMS as u16)
                .filter(|p| refs.iter().any(|r| r.palm == *p && r.template.is_some()))
                .count();
            prop_assert_eq!(fast, if acquired > enrolled { slow } else { Vec::new() });
        }
    }
}
