//! Whatever a person can do wrong in front of a pedestal can be drawn, and the engine says so.

use handfast_palm::{Picture, Refusal, Side, acquire, probe, reference, score};
use handfast_palm_synth::{Camera, Fingers, Ground, HandPose, Identity, Scene};

fn hand(pose: HandPose) -> Scene {
    Scene::Hand { hand: Identity::from_seed(11).hand(Side::Left), pose, sample_seed: 1 }
}

fn refusal(picture: &Picture) -> Option<Refusal> {
    acquire(picture).err().map(|refused| refused.refusal)
}

fn shoot(camera: &Camera, scene: &Scene) -> Option<Refusal> {
    refusal(&camera.render(scene, 1, 640, 480))
}

#[test]
fn a_good_hand_is_taken_on_dark_and_on_light_ground() {
    for ground in [Ground::Dark, Ground::Light] {
        let camera = Camera { ground, ..Camera::default() };
        assert_eq!(shoot(&camera, &hand(HandPose::default())), None, "on {ground:?}");
    }
}

#[test]
fn a_hand_in_the_wrong_place_is_told() {
    let camera = Camera::default();
    let far = HandPose { radius: 0.05, ..HandPose::default() };
    assert_eq!(shoot(&camera, &hand(far)), Some(Refusal::TooFar));
    let half = HandPose { centre: (0.5, 1.1), ..HandPose::default() };
    assert_eq!(shoot(&camera, &hand(half)), Some(Refusal::CutOff));
    let near = HandPose { radius: 0.62, centre: (0.5, 0.5), ..HandPose::default() };
    let told = shoot(&camera, &hand(near));
    assert!(matches!(told, Some(Refusal::TooClose | Refusal::CutOff)), "{told:?}");
}

#[test]
fn bad_light_is_told() {
    let good = hand(HandPose::default());
    let dark = Camera { exposure: 0.12, ..Camera::default() };
    let told = shoot(&dark, &good);
    assert!(matches!(told, Some(Refusal::TooDark | Refusal::NoHand)), "{told:?}");
    let bright = Camera { exposure: 3.5, ..Camera::default() };
    assert_eq!(shoot(&bright, &good), Some(Refusal::Glare));
}

#[test]
fn a_camera_out_of_focus_gives_a_softer_sample() {
    let sharpness = |blur| {
        let picture =
            Camera { blur, ..Camera::default() }.render(&hand(HandPose::default()), 1, 640, 480);
        acquire(&picture).expect("a plain hand is acquired").sharpness
    };
    let (sharp, soft) = (sharpness(0.5), sharpness(2.5));
    assert!(soft < sharp * 0.7, "sharp {sharp}, soft {soft}");
}

/// Fingers that all but touch may still show their valleys; then the hand is taken, and what is taken
/// must be the same palm at the same scale as with the fingers spread.
#[test]
fn closed_fingers_are_told_or_seen_through() {
    for seed in 11..17 {
        let shot = |fingers| {
            let hand = Identity::from_seed(seed).hand_with(Side::Left, fingers);
            let scene = Scene::Hand { hand, pose: HandPose::default(), sample_seed: 1 };
            acquire(&Camera::default().render(&scene, 1, 640, 480))
        };
        let spread = shot(Fingers::Spread).expect("a plain hand is acquired");
        match shot(Fingers::Closed) {
            Ok(closed) => {
                let enrolled = reference(&[spread.sample]).expect("one sample makes a reference");
                let alike = score(&enrolled, &probe(&closed.sample));
                let scale = closed.placement.radius / spread.placement.radius;
                println!("person {seed}: {:?}, scale {scale:.3}, score {alike}", closed.side);
                assert_eq!(closed.side, Side::Left, "person {seed}");
            }
            Err(refused) => {
                println!("person {seed}: {refused}");
                assert!(
                    !matches!(
                        refused.refusal,
                        Refusal::Glare | Refusal::TooDark | Refusal::Blurred
                    ),
                    "person {seed}: {refused}"
                );
            }
        }
    }
}

#[test]
fn an_empty_room_is_no_hand() {
    for seed in 0..12 {
        let camera = Camera { ground: Ground::Room(seed), ..Camera::default() };
        assert!(shoot(&camera, &Scene::Empty).is_some(), "room {seed} was taken for a hand");
    }
}

#[test]
fn two_hands_are_told() {
    let at = |x: f32, side| Scene::Hand {
        hand: Identity::from_seed(11).hand(side),
        pose: HandPose { centre: (x, 0.6), radius: 0.12, ..HandPose::default() },
        sample_seed: 1,
    };
    let both = [at(0.27, Side::Left), at(0.75, Side::Right)];
    let picture = Camera::default().render_together(&both, 1, 640, 480);
    assert_eq!(refusal(&picture), Some(Refusal::TwoHands));
}
