//! The part of the performance card that says what was reached: measured, wanted, published.

use std::fmt::Write as _;

use crate::anchors::{Aim, Figure, aims, anchors};
use crate::report::{Report, percent};
use crate::search::FPIRS;

/// Every wanted figure of every set, measured, beside what is published for its database, and how
/// misses fall when the lowest quality is rejected.
#[must_use]
pub fn card_targets(reports: &[&Report]) -> String {
    let mut out = String::from("## Wanted and published\n\n");
    out.push_str(
        "| set | figure | measured % (95 % interval) | wanted % | published % | |\n\
         |---|---|---|---|---|---|\n",
    );
    for report in reports.iter().filter(|it| is_single(it)) {
        for Aim { figure, bound } in aims(&report.set) {
            let of = match figure {
                Figure::FnirOfThree => three(reports, &report.set),
                _ => Some(*report),
            };
            let (found, interval) = of.map_or((None, None), |report| measured(report, figure));
            let interval = interval
                .map(|(low, high)| format!(" ({}–{})", percent(Some(low)), percent(Some(high))))
                .unwrap_or_default();
            let (sign, holds) = match figure {
                Figure::Tar(_) => ("≥", found.map(|it| it >= bound)),
                _ => ("≤", found.map(|it| it <= bound)),
            };
            let verdict = match holds {
                None => "too few pairs",
                Some(true) => "holds",
                Some(false) => "**missed**",
            };
            let _ = writeln!(
                out,
                "| {} | {} | {}{interval} | {sign} {} | {} | {verdict} |",
                report.set,
                words(figure),
                percent(found),
                percent(Some(bound)),
                percent(published(&report.set, figure)),
            );
        }
    }
    out.push_str(
        "\nPublished: a network trained on other real palms of the same database, identities apart, \
         ready-made crops (ResNet-50 and ArcFace); none is known for whole pictures of these sets. \
         \"Too few pairs\": fewer than 10 false matches are expected, so the rate would be luck.\n\n",
    );
    write_quality(&mut out, reports);
    out
}

fn write_quality(out: &mut String, reports: &[&Report]) {
    out.push_str(
        "## Quality\n\n| set | at FMR | FNMR % of all pairs | without the lowest 4 % | 10 % | 20 % |\n\
         |---|---|---|---|---|---|\n",
    );
    for report in reports.iter().filter(|it| is_single(it)) {
        let Some(curve) = &report.reject else { continue };
        let [all, few, some, many] =
            [0.0, 0.04, 0.1, 0.2].map(|rejected| percent(curve.fnmr_at(rejected)));
        let (set, fmr) = (&report.set, curve.fmr);
        let _ = writeln!(out, "| {set} | {fmr:.0e} | {all} | {few} | {some} | {many} |");
    }
    out.push_str(
        "\nPairs are rejected by the lower quality of their two samples; failures to acquire are left \
         out. Where quality says nothing of the misses, the rate stays.\n",
    );
}

/// One sample of one palm against another: what the wanted figures are of.
fn is_single(report: &Report) -> bool {
    report.fused.is_none() && report.enrolled_samples.get() == 1 && report.probe_samples.get() == 1
}

/// The same set presented with three samples and three frames, where it is in the card.
fn three<'a>(reports: &[&'a Report], set: &str) -> Option<&'a Report> {
    reports.iter().copied().find(|it| {
        it.set == set
            && it.fused.is_none()
            && it.enrolled_samples.get() == 3
            && it.probe_samples.get() == 3
    })
}

fn measured(report: &Report, figure: Figure) -> (Option<f64>, Option<(f64, f64)>) {
    match figure {
        Figure::Tar(fmr) => (
            report.rates.tar_at_fmr.get(fmr).copied().flatten(),
            report.ci.tar_at_fmr.get(fmr).copied().flatten(),
        ),
        Figure::Eer => (report.rates.eer, report.ci.eer),
        Figure::Fta => (report.fta, report.ci.fta),
        Figure::FnirOfThree => {
            let strictest = FPIRS.into_iter().fold(f64::INFINITY, f64::min);
            let rates = report.fpir_fnir.get(&10_000);
            let rate = rates.and_then(|it| it.iter().find(|it| it.fpir <= strictest));
            (rate.and_then(|it| it.fnir), None)
        }
    }
}

fn words(figure: Figure) -> String {
    match figure {
        Figure::Tar(fmr) => format!("TAR at FMR {fmr}"),
        Figure::Eer => "EER".to_owned(),
        Figure::Fta => "FTA".to_owned(),
        Figure::FnirOfThree => {
            "FNIR at FPIR 1e-3 of 10,000, three samples fused, best of three".into()
        }
    }
}

/// What is published for the set's own database.
fn published(set: &str, figure: Figure) -> Option<f64> {
    let Figure::Tar(fmr) = figure else { return None };
    let fmr: f64 = fmr.parse().ok()?;
    let own = anchors(set).into_iter().find(|anchor| anchor.name.starts_with("ResNet"))?;
    own.points.iter().find(|(at, _)| (at / fmr - 1.0).abs() < 1e-6).map(|(_, tar)| *tar)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use handfast_palm_synth::{Identity, Spectrum};

    use super::*;
    use crate::evaluation::{Input, Options, evaluate};
    use crate::{Grouping, SampleSet, timing::tests::Ticking};

    #[test]
    fn a_card_says_what_is_wanted_published_and_whether_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("tongji-roi");
        for palm in 0..6 {
            let hand = Identity::from_seed(palm).palm(handfast_palm::Side::Left);
            let own = dir.join(format!("p{palm}"));
            std::fs::create_dir_all(&own).unwrap();
            for (session, sample) in [(1, 1), (2, 2), (2, 3)] {
                let picture = hand.roi(sample, Spectrum::Visible, 128);
                let path = own.join(format!("s{session}_{sample}.png"));
                let rgb = picture.rgb().to_vec();
                image::RgbImage::from_raw(128, 128, rgb).unwrap().save(path).unwrap();
            }
        }
        let set = SampleSet::read(&dir, None).unwrap();
        let watch = Ticking::default();
        let options = Options {
            input: Input::Crops,
            effort: handfast_palm::Effort::Light,
            threads: NonZeroUsize::MIN,
            seed: 1,
            stopwatch: &watch,
            progress: &|_| {},
        };
        let report = evaluate(&set, Grouping::SINGLE, &options).unwrap();
        assert_eq!(report.title(), "tongji-roi, 6 probe vectors");
        let card = card_targets(&[&report]);
        assert!(
            card.contains("| TAR at FMR 1e-4 | – | ≥ 99.70 | 97.24 | too few pairs |"),
            "{card}"
        );
        assert!(
            card.contains("| tongji-roi | EER | 0.00 (0.00–0.00) | ≤ 0.05 | – | holds |"),
            "{card}"
        );
    }
}
