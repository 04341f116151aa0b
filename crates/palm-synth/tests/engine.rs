//! The real engine looks at synthetic palms: samples of one palm must be nearer to each other than
//! to any other palm, in crops and in whole pictures, and the hand's side must be seen.

use handfast_palm::{Probe, Reference, Sample, Side, acquire, probe, reference, score};
use handfast_palm_synth::{Approach, Camera, Hand, HandPose, Identity, Scene, Spectrum};

const PALMS: u64 = 20;

/// Scores of every reference against every probe, split into genuine and impostor.
fn scores(references: &[(u64, Reference)], probes: &[(u64, Probe)]) -> (Vec<i32>, Vec<i32>) {
    let mut genuine = Vec::new();
    let mut impostor = Vec::new();
    for (palm, reference) in references {
        for (other, probe) in probes {
            let list = if palm == other { &mut genuine } else { &mut impostor };
            list.push(score(reference, probe));
        }
    }
    genuine.sort_unstable();
    impostor.sort_unstable();
    (genuine, impostor)
}

/// Smallest genuine and largest impostor score, and both distributions in words.
fn extremes(genuine: &[i32], impostor: &[i32]) -> (i32, i32, String) {
    let mean = |list: &[i32]| list.iter().map(|&s| f64::from(s)).sum::<f64>() / list.len() as f64;
    let (low, high) = (genuine[0], impostor[impostor.len() - 1]);
    let words = format!(
        "genuine {} mean {:.0} min {low}, impostor {} mean {:.0} max {high}",
        genuine.len(),
        mean(genuine),
        impostor.len(),
        mean(impostor)
    );
    (low, high, words)
}

#[test]
fn crops_of_one_palm_are_nearer_than_any_other_palm() {
    for spectrum in [Spectrum::Visible, Spectrum::NearInfrared] {
        let mut references = Vec::new();
        let mut probes = Vec::new();
        for seed in 0..PALMS {
            let palm = Identity::from_seed(1_000 + seed).palm(Side::Left);
            let sample = |k| Sample::from_roi_picture(&palm.roi(k, spectrum, 128), Side::Left);
            references.push((seed, reference(&[sample(1)]).unwrap()));
            probes.extend([2, 3].map(|k| (seed, probe(&sample(k)))));
        }
        let (genuine, impostor) = scores(&references, &probes);
        let (low, high, words) = extremes(&genuine, &impostor);
        println!("crops, {spectrum:?}: {words}");
        assert!(low > high, "the worst genuine {low} is not above the best impostor {high}");
    }
}

/// A visit's frame, `k` tenths of a second into its hover.
fn hover(hand: &Hand, visit: u64, k: u64) -> Scene {
    Approach::new(hand.clone(), visit).scene_at(1_000 + 100 * k)
}

#[test]
fn whole_hands_are_acquired_with_their_side_and_match() {
    let (mut asked, mut got, mut right_side) = (0, 0, 0);
    let mut references = Vec::new();
    let mut probes = Vec::new();
    for seed in 0..PALMS {
        let side = if seed % 2 == 0 { Side::Left } else { Side::Right };
        let hand = Identity::from_seed(2_000 + seed).hand(side);
        let mut visit = |visit: u64| {
            let mut samples = Vec::new();
            for k in 0..3 {
                asked += 1;
                let picture = Camera::default().render(&hover(&hand, visit, 5 * k), k, 640, 480);
                match acquire(&picture) {
                    Ok(capture) => {
                        got += 1;
                        right_side += usize::from(capture.side == side);
                        samples.push(capture.sample);
                    }
                    Err(refused) => println!("palm {seed}, visit {visit}: {:?}", refused.refusal),
                }
            }
            samples
        };
        let enrolled = visit(1);
        if !enrolled.is_empty() {
            references.push((seed, reference(&enrolled).unwrap()));
        }
        for later in [2, 3] {
            probes.extend(visit(later).iter().take(1).map(|sample| (seed, probe(sample))));
        }
    }
    println!("acquired {got} of {asked}, side right in {right_side}");
    assert!(got * 100 >= asked * 98, "acquired {got} of {asked}");
    assert_eq!(right_side, got, "a hand was taken for the other one");
    let (genuine, impostor) = scores(&references, &probes);
    let (low, high, words) = extremes(&genuine, &impostor);
    println!("whole hands: {words}");
    assert!(low > high, "the worst genuine {low} is not above the best impostor {high}");
}

#[test]
fn the_two_hands_of_a_person_are_two_palms() {
    let sample = |side, k| {
        Sample::from_roi_picture(
            &Identity::from_seed(77).roi(side, k, Spectrum::Visible, 128),
            side,
        )
    };
    let left = reference(&[sample(Side::Left, 1)]).unwrap();
    let (same, other) = (
        score(&left, &probe(&sample(Side::Left, 2))),
        score(&left, &probe(&sample(Side::Right, 2))),
    );
    assert!(same > 2 * other, "left against left {same}, against right {other}");
}

#[test]
fn an_empty_pedestal_has_no_hand() {
    assert!(acquire(&Camera::default().render(&Scene::Empty, 1, 640, 480)).is_err());
}

#[test]
fn the_engine_sees_the_pose_that_was_drawn() {
    let hand = Identity::from_seed(5).hand(Side::Right);
    let seen = |rotation: f32, centre: (f32, f32), radius: f32| {
        let pose = HandPose { rotation, centre, radius, ..HandPose::default() };
        let scene = Scene::Hand { hand: hand.clone(), pose, sample_seed: 1 };
        acquire(&Camera::default().render(&scene, 1, 640, 480))
            .expect("a plain hand is acquired")
            .placement
    };
    // a palm's own asymmetry cancels: only what changes is compared
    let plain = seen(0.0, (0.5, 0.61), 0.16);
    for (rotation, centre, radius) in
        [(0.0, (0.47, 0.6), 0.15), (0.25, (0.45, 0.62), 0.16), (-0.25, (0.55, 0.62), 0.14)]
    {
        let other = seen(rotation, centre, radius);
        assert!(
            (other.angle - plain.angle - rotation).abs() < 0.06,
            "turned by {rotation}: {plain:?} {other:?}"
        );
        assert!((other.radius / plain.radius - radius / 0.16).abs() < 0.03, "{plain:?} {other:?}");
        let moved = (other.centre.0 - plain.centre.0, other.centre.1 - plain.centre.1);
        assert!(
            (moved.0 - centre.0 + 0.5).abs() < 0.03 && (moved.1 - centre.1 + 0.61).abs() < 0.04
        );
    }
}
