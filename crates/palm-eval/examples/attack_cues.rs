//! What liveness makes of drawn hands and attacks, and of folders of real hands, and the weights that
//! fit them: `cargo run --release -p handfast-palm-eval --example attack_cues -- CAPTURES [DIR...]`.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::path::Path;

use handfast_palm::{Cue, CueModel, Side, decode};
use handfast_palm_eval::{
    AttackRate, AttackReport, PACES, PresentedCues, SampleSet, Way, fit, model_source,
};
use handfast_palm_synth::{Attack, CAPTURE_STEP_MS, Held, Identity, Species};
use rayon::prelude::*;

/// Visits of each person: people differ more from each other than from visit to visit, so that many
/// people say more than many visits.
const VISITS: u64 = 3;
/// Limits that are compared.
const LIMITS: [f32; 7] = [3.6, 4.0, 4.4, 4.8, 5.2, 5.6, 6.0];

fn presented(first: u64, captures: u64, way: Way) -> Vec<PresentedCues> {
    let one = |seed: u64| {
        let side = if seed.is_multiple_of(2) { Side::Left } else { Side::Right };
        let hand = Identity::from_seed(seed).hand(side);
        let mut all = Vec::new();
        let (width, height) = way.size();
        for visit in 0..VISITS {
            let held = Held::new(hand.clone(), seed * 10 + visit);
            let frame = |k| way.take(held.frame(k, width, height));
            all.extend(PresentedCues::at_paces(None, frame));
        }
        for species in Species::ALL {
            let attack = Attack::new(species, &hand, seed);
            let frame = |k| way.take(attack.frame(k, width, height));
            all.extend(PresentedCues::at_paces(Some(species.name()), frame));
        }
        all
    };
    (first..first + captures).into_par_iter().flat_map(one).collect()
}

fn print_cues(name: &str, all: &[&PresentedCues]) {
    print!("{name:<22} {:>3}", all.len());
    for cue in Cue::ALL {
        let mut values: Vec<f32> =
            all.iter().filter_map(|it| it.cues.as_ref()?.0[cue as usize]).collect();
        values.sort_by(f32::total_cmp);
        let at = |share: f32| {
            values.get(((values.len() as f32 - 1.0) * share) as usize).copied().unwrap_or(f32::NAN)
        };
        print!(" | {} {:.3} {:.3} {:.3}", cue.name(), at(0.02), at(0.5), at(0.98));
    }
    println!();
}

/// The shipped weights' table, as documents have it.
fn print_table(report: &AttackReport, by_way: &[AttackReport], by_pace: &[AttackReport]) {
    let words = |rate: Option<AttackRate>| {
        rate.map_or_else(
            || "–".to_owned(),
            |AttackRate { rate, interval: (low, high), presentations }| {
                let [rate, low, high] = [rate, low, high].map(|it| it * 100.0);
                format!("{rate:.1} % ({low:.1}–{high:.1}) of {presentations}")
            },
        )
    };
    let short = |rate: Option<AttackRate>| {
        rate.map_or("–".to_owned(), |it| format!("{:.1}", it.rate * 100.0))
    };
    let paces = PACES.map(|pace| format!("{} ms", pace[pace.len() - 1] * CAPTURE_STEP_MS));
    println!(
        "| species (drawn) | APCER, all ways | as a species never seen | kiosk | 640x480 | page | {} |",
        paces.join(" | ")
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (i, it) in report.species.iter().enumerate() {
        let parts = by_way.iter().chain(by_pace);
        let ways: Vec<String> = parts.map(|part| short(part.species[i].apcer)).collect();
        let (all, unseen) = (words(it.apcer), words(it.apcer_unseen));
        println!("| {} | {all} | {unseen} | {} |", it.species, ways.join(" | "));
    }
    println!("\n| living hands | BPCER |\n|---|---|");
    for (pace, it) in paces.iter().zip(by_pace) {
        println!("| drawn, frames over {pace} | {} |", words(it.genuine[0].bpcer));
    }
    for it in &report.genuine {
        println!("| {} | {} |", it.source, words(it.bpcer));
    }
    println!("| drawn, a species left out at worst | {} |\n", words(report.bpcer_unseen));
}

/// What the shipped weights would do at other limits.
fn print_limits(drawn: &[PresentedCues], others: &[(String, Vec<PresentedCues>)]) {
    for limit in LIMITS {
        let model = CueModel { limit, ..CueModel::SHIPPED };
        let refused = |all: &[PresentedCues], species: Option<&str>| {
            let of = all.iter().filter(|it| it.species.as_deref() == species);
            let judged: Vec<bool> =
                of.filter_map(|it| it.cues.as_ref()).map(|it| model.excess(it) >= 0.0).collect();
            let count = judged.iter().filter(|&&it| it).count();
            100.0 * count as f64 / judged.len().max(1) as f64
        };
        print!("limit {limit:.1}: refused % drawn hands {:.1}", refused(drawn, None));
        for (name, all) in others {
            print!(", {name} {:.1}", refused(all, None));
        }
        print!("; passed %");
        for species in Species::ALL {
            print!(" {} {:.1}", species.name(), 100.0 - refused(drawn, Some(species.name())));
        }
        println!();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let captures: u64 = arguments.next().ok_or("say how many people")?.parse()?;
    let mut others = Vec::new();
    for dir in arguments {
        let set = SampleSet::read(Path::new(&dir), None)?;
        let files: Vec<_> = set.palms.iter().flat_map(|palm| &palm.samples).collect();
        let cues = files.par_iter().filter_map(|file| {
            let picture = decode(&std::fs::read(&file.path).ok()?).ok()?;
            Some(PresentedCues::of(None, std::iter::once(picture)))
        });
        others.push((set.name.clone(), cues.collect::<Vec<_>>()));
    }
    let fitted: Vec<PresentedCues> =
        Way::ALL.into_iter().flat_map(|way| presented(50_000, captures, way)).collect();
    let model = fit(fitted.iter());
    println!("{}", model_source(&model));
    let mut all = Vec::new();
    let mut by_way = Vec::new();
    for way in Way::ALL {
        let judged = presented(60_000, captures, way);
        println!("== {}", way.name());
        for species in [None].into_iter().chain(Species::ALL.map(Some)) {
            let name = species.map(Species::name);
            let of: Vec<_> = judged.iter().filter(|it| it.species.as_deref() == name).collect();
            print_cues(name.unwrap_or("living"), &of);
        }
        by_way.push(AttackReport::of(&CueModel::SHIPPED, &fitted, &judged, &[]));
        all.extend(judged);
    }
    println!("== all ways, by these weights");
    println!("{}", AttackReport::of(&model, &fitted, &all, &others).text());
    println!("== all ways, by the shipped weights");
    let report = AttackReport::of(&CueModel::SHIPPED, &fitted, &all, &others);
    println!("{}", report.text());
    let by_pace: Vec<AttackReport> = (0..PACES.len())
        .map(|pace| {
            let own: Vec<_> = all.iter().skip(pace).step_by(PACES.len()).cloned().collect();
            AttackReport::of(&CueModel::SHIPPED, &fitted, &own, &[])
        })
        .collect();
    print_table(&report, &by_way, &by_pace);
    print_limits(&all, &others);
    for (name, cues) in &others {
        print_cues(name, &cues.iter().collect::<Vec<_>>());
    }
    Ok(())
}
