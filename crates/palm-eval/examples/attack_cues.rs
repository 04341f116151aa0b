//! What liveness makes of drawn hands and attacks, and of folders of real hands, and the weights that
//! fit them: `cargo run --release -p handfast-palm-eval --example attack_cues -- CAPTURES [DIR...]`.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::path::Path;

use handfast_palm::{Cue, CueModel, Side, decode};
use handfast_palm_eval::{AttackReport, PresentedCues, SampleSet, Way, fit, model_source};
use handfast_palm_synth::{Attack, CAPTURE_FRAMES, Held, Identity, Species};
use rayon::prelude::*;

fn presented(first: u64, captures: u64, way: Way) -> Vec<PresentedCues> {
    let one = |seed: u64| {
        let side = if seed.is_multiple_of(2) { Side::Left } else { Side::Right };
        let hand = Identity::from_seed(seed).hand(side);
        let mut all = Vec::new();
        let (width, height) = way.size();
        for visit in 0..6 {
            let held = Held::new(hand.clone(), seed * 10 + visit);
            let frames = (0..CAPTURE_FRAMES).step_by(2);
            let frames = frames.map(|k| way.take(held.frame(k, width, height)));
            all.push(PresentedCues::of(None, frames));
        }
        for species in Species::ALL {
            let attack = Attack::new(species, &hand, seed);
            let frames = (0..CAPTURE_FRAMES).step_by(2);
            let frames = frames.map(|k| way.take(attack.frame(k, width, height)));
            all.push(PresentedCues::of(Some(species.name()), frames));
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
    for way in Way::ALL {
        let judged = presented(60_000, captures, way);
        println!("== {}", way.name());
        for species in [None].into_iter().chain(Species::ALL.map(Some)) {
            let name = species.map(Species::name);
            let of: Vec<_> = judged.iter().filter(|it| it.species.as_deref() == name).collect();
            print_cues(name.unwrap_or("living"), &of);
        }
        println!("by these weights\n{}", AttackReport::of(&model, &fitted, &judged, &[]).text());
        all.extend(judged);
    }
    println!("== all ways");
    for (name, model) in [("these", &model), ("the shipped", &CueModel::SHIPPED)] {
        let report = AttackReport::of(model, &fitted, &all, &others);
        println!("by {name} weights\n{}", report.text());
    }
    for (name, cues) in &others {
        print_cues(name, &cues.iter().collect::<Vec<_>>());
    }
    Ok(())
}
