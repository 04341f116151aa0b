//! The steps from a frame of 1280x720 to a template, on drawn hands.
//! `handfast bench recognition` prints the same steps as a table beside what is wanted.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use handfast_palm::{
    Effort, Picture, Side, find, glimpse, liveness, probe_with, quality, reference,
};
use handfast_palm_synth::{Camera, Ground, Held, Identity, Scene};

/// As a kiosk's camera gives them.
const FRAME: (u32, u32) = (1_280, 720);
/// Seeds far from those that tests look at.
const PERSON: u64 = 910_000;

fn frame(k: u64) -> Picture {
    Held::new(Identity::from_seed(PERSON).hand(Side::Right), 1).frame(k, FRAME.0, FRAME.1)
}

fn steps(criterion: &mut Criterion) {
    let picture = frame(0);
    let found = find(&picture).expect("a drawn hand is found");
    let sample = found.cut(&picture).expect("a drawn hand is cut out").sample;
    let mut group = criterion.benchmark_group("recognition");
    group.sample_size(30);
    group.bench_function("find", |b| b.iter(|| find(black_box(&picture)).is_ok()));
    group.bench_function("roi", |b| b.iter(|| found.cut(black_box(&picture)).is_ok()));
    group.bench_function("quality", |b| b.iter(|| quality(black_box(&sample))));
    group.bench_function("glimpse", |b| b.iter(|| glimpse(black_box(&picture), &found)));
    group.bench_function("template, full effort", |b| {
        b.iter(|| probe_with(black_box(&sample), Effort::Full));
    });
    group.bench_function("template, light effort", |b| {
        b.iter(|| probe_with(black_box(&sample), Effort::Light));
    });
    group.finish();
}

fn wholes(criterion: &mut Criterion) {
    let pictures: Vec<Picture> = (0..3).map(frame).collect();
    let mut group = criterion.benchmark_group("recognition");
    group.sample_size(20);
    group.bench_function("frame to template", |b| {
        b.iter(|| {
            let found = find(black_box(&pictures[0])).ok()?;
            let sample = found.cut(&pictures[0]).ok()?.sample;
            let seen = (quality(&sample), glimpse(&pictures[0], &found));
            Some((seen, probe_with(&sample, Effort::Full)))
        });
    });
    let seen = |picture: &Picture| {
        let found = find(picture).ok()?;
        Some((found.cut(picture).ok()?.sample, glimpse(picture, &found)))
    };
    let (samples, glimpses): (Vec<_>, Vec<_>) = pictures.iter().filter_map(seen).unzip();
    group.bench_function("reference of three frames", |b| {
        b.iter(|| (liveness(black_box(&glimpses)), reference(&samples)));
    });
    for (name, ground) in [("dark", Ground::Dark), ("room", Ground::Room(3))] {
        let camera = Camera { ground, ..Camera::default() };
        let empty = camera.render(&Scene::Empty, 1, FRAME.0, FRAME.1);
        group.bench_function(format!("guidance, empty {name} ground"), |b| {
            b.iter(|| find(black_box(&empty)).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, steps, wholes);
criterion_main!(benches);
