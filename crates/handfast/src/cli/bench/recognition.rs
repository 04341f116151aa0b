//! `handfast bench recognition`: what a frame costs on one core, step by step, on drawn hands.

use std::io::Write;

use anyhow::Context as _;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use handfast_palm::{Picture, Side};
use handfast_palm_eval::RecognitionCost;
use handfast_palm_synth::{Camera, Ground, HandPose, Held, Identity, Scene};

use crate::cli::stopwatch::SystemStopwatch;
use crate::cli::{Answer, print_json};

/// As a kiosk's camera gives them.
const FRAME: (u32, u32) = (1_280, 720);
/// Seeds far from those that tests look at.
const FIRST_SEED: u64 = 910_000;
/// Frames of each person's capture.
const FRAMES: u64 = 3;
/// Rooms that are looked at without a hand.
const ROOMS: u64 = 4;

/// Arguments of `handfast bench recognition`.
#[derive(Debug, Args)]
pub struct Recognition {
    /// People whose hands are drawn, three frames each
    #[arg(
        long,
        value_name = "N",
        default_value = "8",
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=200)
    )]
    people: u64,
    /// How often every frame is looked at
    #[arg(
        long,
        value_name = "N",
        default_value = "5",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000)
    )]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Recognition {
    /// Draws the frames, times the steps and prints the table.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        // Progress is a courtesy: where stderr is gone, the work goes on.
        let _ = writeln!(std::io::stderr(), "drawing {} hands", self.people);
        let hands: Vec<Picture> = (0..self.people).flat_map(hand).collect();
        let others = without_a_capture();
        forget_peak();
        let watch = SystemStopwatch::start();
        let cost = RecognitionCost::measure(&hands, &others, self.runs, &watch)
            .context("no drawn hand was taken; this build's engine is broken")?;
        let cost = RecognitionCost { peak_mib: peak_mib(), ..cost };
        if self.json {
            print_json(out, &cost)?;
        } else {
            write!(out, "{}", cost.markdown())?;
        }
        Ok(Answer::Positive)
    }
}

fn hand(person: u64) -> impl Iterator<Item = Picture> {
    let seed = FIRST_SEED + person;
    let side = if seed.is_multiple_of(2) { Side::Left } else { Side::Right };
    let held = Held::new(Identity::from_seed(seed).hand(side), person);
    (0..FRAMES).map(move |k| held.frame(k, FRAME.0, FRAME.1))
}

/// What guidance looks at most of the time: nobody, rooms, a hand that is too far away.
fn without_a_capture() -> Vec<Picture> {
    let far = Scene::Hand {
        hand: Identity::from_seed(FIRST_SEED).hand(Side::Left),
        pose: HandPose { radius: 0.05, ..HandPose::default() },
        sample_seed: 1,
    };
    let shoot = |ground, scene: &Scene| {
        Camera { ground, ..Camera::default() }.render(scene, 1, FRAME.0, FRAME.1)
    };
    let empty = [Ground::Dark, Ground::Light].into_iter().chain((0..ROOMS).map(Ground::Room));
    empty.map(|ground| shoot(ground, &Scene::Empty)).chain([shoot(Ground::Dark, &far)]).collect()
}

/// Lets the kernel count the process's peak anew, so that drawing does not count; where it cannot,
/// the figure is an upper bound all the same.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak of resident memory since then; none where there is no such file.
pub(super) fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1_024.0)
}
