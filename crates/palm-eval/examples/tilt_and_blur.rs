//! What tilt and blur take from a score, and from where on they are refused: twelve drawn people, each
//! enrolled flat and in focus, on another visit before a dark ground.
//! `cargo run --release -p handfast-palm-eval --example tilt_and_blur`

#![expect(clippy::print_stdout, reason = "a tool prints")]

use handfast_palm::{Picture, Side, acquire, probe, reference, score, threshold};
use handfast_palm_synth::{Camera, Hand, HandPose, Identity, Scene};
use rayon::prelude::*;

const PEOPLE: std::ops::Range<u64> = 300..312;
const SIZE: (u32, u32) = (1_280, 720);
/// Standard deviation of a lens's blur in focus, in pixels.
const IN_FOCUS: f32 = 0.5;
/// The gallery and the FPIR of an entrance.
const ENTRANCE: (usize, f64) = (10_000, 1e-3);

/// A way to hold a hand: its tilt in degrees about the upright and the level axis, and the blur.
type Held = (f32, f32, f32);

fn shoot(hand: &Hand, (upright, level, blur): Held, visit: u64) -> Picture {
    let tilt = (upright.to_radians(), level.to_radians());
    let pose = HandPose { radius: 0.155, tilt, ..HandPose::default() };
    let camera = Camera { depth: 1.0, blur, ..Camera::default() };
    let scene = Scene::Hand { hand: hand.clone(), pose, sample_seed: visit };
    camera.render(&scene, visit, SIZE.0, SIZE.1)
}

fn main() {
    let tilts = [10.0, 20.0, 30.0, 40.0].map(|it: f32| {
        [(it, 0.0, IN_FOCUS), (-it, 0.0, IN_FOCUS), (0.0, it, IN_FOCUS), (0.0, -it, IN_FOCUS)]
    });
    let blurs = [IN_FOCUS, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0].map(|it| (0.0, 0.0, it));
    let ways: Vec<Held> = blurs.into_iter().chain(tilts.into_iter().flatten()).collect();
    let hands: Vec<Hand> =
        PEOPLE.map(|person| Identity::from_seed(person).hand(Side::Right)).collect();
    let entrance = threshold(ENTRANCE.0, ENTRANCE.1);
    for way in ways {
        let compare = |hand: &Hand| {
            let enrolled = acquire(&shoot(hand, (0.0, 0.0, IN_FOCUS), 1)).ok()?.sample;
            let seen = acquire(&shoot(hand, way, 2)).ok()?.sample;
            Some(score(&reference(&[enrolled]).ok()?, &probe(&seen)))
        };
        let mut scores: Vec<i32> = hands.par_iter().filter_map(compare).collect();
        scores.sort_unstable();
        println!(
            "tilt {:3} about the upright axis, {:3} about the level one, blur {:.1} px: of {} {} refused, \
             {} below {}; median {}, lowest {}",
            way.0,
            way.1,
            way.2,
            hands.len(),
            hands.len() - scores.len(),
            scores.iter().filter(|&&it| !entrance.accepts(it)).count(),
            entrance.get(),
            scores.get(scores.len() / 2).copied().unwrap_or(0),
            scores.first().copied().unwrap_or(0),
        );
    }
}
