//! Who is told to turn the hand: drawn backs, drawn palms, and pictures of palms.
//! `cargo run --release -p handfast-palm-eval --example backs_of_hands -- PEOPLE [PICTURE...]`
//!
//! Every person holds a palm and a back, right and left by turns, to the cameras of venues, whose grounds,
//! focus and light differ; then the same tilted to 25 degrees.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::collections::BTreeMap;

use handfast_palm::{Picture, Refusal, Side, acquire, decode};
use handfast_palm_synth::{Camera, Hand, HandPose, Held, Identity, Scene};
use rayon::prelude::*;

const SIZE: (u32, u32) = (1_280, 720);
/// The first of them: nobody whom the numbers of the finder were chosen by.
const FIRST_PERSON: u64 = 5_000;
/// Tilts of the second round, in radians about the upright and the level axis.
const TILTS: [(f32, f32); 4] = [(0.44, 0.0), (-0.44, 0.0), (0.0, 0.35), (0.0, -0.35)];

fn outcome(picture: &Picture) -> String {
    match acquire(picture) {
        Ok(_) => "taken".to_owned(),
        Err(refused) => format!("{:?}", refused.refusal),
    }
}

fn tilted(hand: &Hand, person: u64) -> Picture {
    let tilt = TILTS[person as usize % TILTS.len()];
    let pose = HandPose { radius: 0.155, tilt, ..HandPose::default() };
    let scene = Scene::Hand { hand: hand.clone(), pose, sample_seed: person };
    let camera = Camera { depth: 1.0, ..Camera::default() };
    camera.render(&scene, person, SIZE.0, SIZE.1)
}

fn counted(what: &str, outcomes: impl IntoIterator<Item = String>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
        all += 1;
    }
    println!("{what}: of {all} {counts:?}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let people: u64 =
        arguments.next().ok_or("backs_of_hands PEOPLE [PICTURE...]: PEOPLE is missing")?.parse()?;
    let seen: Vec<[String; 4]> = (FIRST_PERSON..FIRST_PERSON + people)
        .into_par_iter()
        .map(|person| {
            let side = if person % 2 == 0 { Side::Right } else { Side::Left };
            let palm = Identity::from_seed(person).hand(side);
            let back = palm.back();
            let held = |hand: &Hand| Held::new(hand.clone(), person).frame(0, SIZE.0, SIZE.1);
            [held(&palm), held(&back), tilted(&palm, person), tilted(&back, person)]
                .map(|picture| outcome(&picture))
        })
        .collect();
    for (k, what) in ["palms", "backs", "tilted palms", "tilted backs"].into_iter().enumerate() {
        counted(what, seen.iter().map(|outcomes| outcomes[k].clone()));
    }
    let mut pictures = Vec::new();
    for path in arguments {
        let found = outcome(&decode(&std::fs::read(&path)?)?);
        if found == format!("{:?}", Refusal::BackOfHand) {
            println!("{path}: {found}");
        }
        pictures.push(found);
    }
    counted("pictures", pictures);
    Ok(())
}
