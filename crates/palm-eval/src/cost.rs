//! What recognition costs on one core, step by step, beside what is wanted.

use std::fmt::Write as _;

use handfast_palm::{
    Capture, Effort, Found, Glimpse, Picture, Sample, find, glimpse, liveness, probe_with, quality,
    reference,
};
use serde::Serialize;

use crate::timing::{Laps, Stopwatch, Timing};

/// Frames of one capture.
const FRAMES: usize = 3;

/// One step and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepCost {
    /// The step.
    pub step: &'static str,
    /// What it should take at most, in milliseconds, in 95 % of the runs.
    pub wanted_ms: Option<f64>,
    /// What it takes.
    pub ms: Timing,
}

/// The cost of recognition, from a frame to a template.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecognitionCost {
    /// Width and height of the frames.
    pub frame: (u32, u32),
    /// Frames with a hand that was taken, and frames without one.
    pub frames: (usize, usize),
    /// The steps, and the whole.
    pub steps: Vec<StepCost>,
    /// The most memory that the process held meanwhile, in MiB, the frames among it; none where the
    /// system does not say.
    pub peak_mib: Option<f64>,
}

#[derive(Default)]
struct StepLaps {
    find: Laps,
    cut: Laps,
    judge: Laps,
    full: Laps,
    light: Laps,
    fuse: Laps,
    whole: Laps,
    guide: Laps,
}

impl RecognitionCost {
    /// Times every step `runs` times over frames with a hand and frames without a usable one, one at
    /// a time on the thread that calls. None where no frame has a hand that is taken.
    #[must_use]
    pub fn measure(
        hands: &[Picture],
        others: &[Picture],
        runs: usize,
        watch: &dyn Stopwatch,
    ) -> Option<Self> {
        let mut laps = StepLaps::default();
        let mut taken = 0;
        for _ in 0..runs {
            taken = 0;
            let mut capture: Vec<(Sample, Glimpse)> = Vec::new();
            for picture in hands {
                if let Some(seen) = laps.hand(picture, watch) {
                    taken += 1;
                    capture.push(seen);
                }
                if capture.len() == FRAMES {
                    laps.capture(&std::mem::take(&mut capture), watch);
                }
            }
            for picture in others {
                // Whatever comes of it, it is what guidance waits for.
                let _ = laps.guide.time(watch, || find(picture).is_ok());
            }
        }
        let first = hands.first()?;
        let steps = laps.steps();
        (taken > 0).then_some(Self {
            frame: (first.width(), first.height()),
            frames: (taken, others.len()),
            steps,
            peak_mib: None,
        })
    }

    /// As a Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let (width, height) = self.frame;
        let _ = writeln!(
            out,
            "One core, frames of {width}x{height}, {} with a hand and {} without a usable one.\n\n\
             | step | median ms | p95 ms | wanted p95 | |\n|---|---|---|---|---|",
            self.frames.0, self.frames.1
        );
        for StepCost { step, wanted_ms, ms } in &self.steps {
            let (wanted, holds) = match wanted_ms {
                Some(wanted) if ms.p95 <= *wanted => (format!("{wanted}"), "holds"),
                Some(wanted) => (format!("{wanted}"), "**missed**"),
                None => ("–".to_owned(), ""),
            };
            let _ =
                writeln!(out, "| {step} | {:.2} | {:.2} | {wanted} | {holds} |", ms.median, ms.p95);
        }
        if let Some(peak) = self.peak_mib {
            let holds = if peak <= PEAK_MIB_MAX { "holds" } else { "**missed**" };
            let _ = writeln!(
                out,
                "| peak memory, MiB, the frames among it | {peak:.0} | | {PEAK_MIB_MAX} | {holds} |"
            );
        }
        out
    }
}

/// What recognition may hold.
const PEAK_MIB_MAX: f64 = 150.0;

impl StepLaps {
    /// One frame with a hand, by steps and then as a whole.
    fn hand(&mut self, picture: &Picture, watch: &dyn Stopwatch) -> Option<(Sample, Glimpse)> {
        let found: Found = self.find.time(watch, || find(picture)).ok()?;
        let capture: Capture = self.cut.time(watch, || found.cut(picture)).ok()?;
        let glimpse = self.judge.time(watch, || {
            let _ = quality(&capture.sample).value();
            glimpse(picture, &found)
        });
        // What came of the probes is not looked at; the engine has no way to skip it.
        drop(self.full.time(watch, || probe_with(&capture.sample, Effort::Full)));
        drop(self.light.time(watch, || probe_with(&capture.sample, Effort::Light)));
        self.whole.time(watch, || whole(picture));
        Some((capture.sample, glimpse))
    }

    fn capture(&mut self, capture: &[(Sample, Glimpse)], watch: &dyn Stopwatch) {
        let samples: Vec<Sample> = capture.iter().map(|it| it.0.clone()).collect();
        let glimpses: Vec<Glimpse> = capture.iter().map(|it| it.1.clone()).collect();
        self.fuse.time(watch, || {
            let _ = liveness(&glimpses).is_live();
            reference(&samples).is_ok()
        });
    }

    fn steps(self) -> Vec<StepCost> {
        let steps = [
            ("hand found", Some(8.0), self.find),
            ("palm cut out and checked", Some(2.0), self.cut),
            ("quality and a look for liveness", Some(5.0), self.judge),
            ("template, full effort", Some(10.0), self.full),
            ("template, light effort", None, self.light),
            ("**frame to template**", Some(25.0), self.whole),
            ("**guidance for a frame without a capture**", Some(10.0), self.guide),
            ("liveness and reference of three frames", None, self.fuse),
        ];
        let timed = steps.into_iter().filter_map(|(step, wanted_ms, laps)| {
            Some(StepCost { step, wanted_ms, ms: laps.timing()? })
        });
        timed.collect()
    }
}

/// From a frame to its template with all that a pedestal looks at on the way.
fn whole(picture: &Picture) -> Option<bool> {
    let found = find(picture).ok()?;
    let capture = found.cut(picture).ok()?;
    let quality = quality(&capture.sample).value();
    let glimpse = glimpse(picture, &found);
    let probe = probe_with(&capture.sample, Effort::Full);
    Some(quality >= 0.0 && liveness(&[glimpse]).is_live() && probe.vectors().len() > 0)
}

#[cfg(test)]
mod tests {
    use handfast_palm_synth::{Camera, HandPose, Identity, Scene};

    use super::*;
    use crate::timing::tests::Ticking;

    #[test]
    fn every_step_is_timed_and_the_table_says_what_is_wanted() {
        let hand = Identity::from_seed(11).hand(handfast_palm::Side::Left);
        let scene = Scene::Hand { hand, pose: HandPose::default(), sample_seed: 1 };
        let drawn = |scene: &Scene, k| Camera::default().render(scene, k, 640, 480);
        let hands: Vec<Picture> = (0..3).map(|k| drawn(&scene, k)).collect();
        let others = [drawn(&Scene::Empty, 1)];
        let watch = Ticking::default();
        let cost = RecognitionCost::measure(&hands, &others, 2, &watch).unwrap();
        assert_eq!((cost.frame, cost.frames, cost.steps.len()), ((640, 480), (3, 1), 8));
        assert!(cost.steps.iter().all(|step| step.ms.median == 1.0));
        let table = RecognitionCost { peak_mib: Some(200.0), ..cost }.markdown();
        assert!(table.contains("| hand found | 1.00 | 1.00 | 8 | holds |"), "{table}");
        assert!(table.contains("| 200 | | 150 | **missed** |"), "{table}");
        assert_eq!(RecognitionCost::measure(&others, &others, 1, &watch), None);
    }
}
