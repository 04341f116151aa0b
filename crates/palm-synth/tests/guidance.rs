//! Whatever a person can do wrong in front of a pedestal can be drawn, and the engine says so.

use handfast_palm::{Picture, Refusal, Side, acquire, probe, reference, score, threshold};
use handfast_palm_synth::{Camera, Fingers, Ground, HandPose, Held, Identity, Scene};

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

/// Fingers that all but touch may still show their valleys. Whatever is taken then is the same palm at
/// the same scale as with the fingers spread, and matches it as at an entrance.
#[test]
fn closed_fingers_give_the_palm_that_spread_ones_give_or_none() {
    let entrance = threshold(10_000, 1e-3);
    let mut taken = 0;
    for seed in 11..17 {
        let shot = |fingers| {
            let hand = Identity::from_seed(seed).hand_with(Side::Left, fingers);
            let scene = Scene::Hand { hand, pose: HandPose::default(), sample_seed: 1 };
            acquire(&Camera::default().render(&scene, 1, 640, 480))
        };
        let spread = shot(Fingers::Spread).expect("a plain hand is acquired");
        let Ok(closed) = shot(Fingers::Closed) else { continue };
        taken += 1;
        let enrolled = reference(&[spread.sample]).expect("one sample makes a reference");
        let alike = score(&enrolled, &probe(&closed.sample));
        let scale = closed.placement.radius / spread.placement.radius;
        assert_eq!(closed.side, Side::Left, "person {seed}");
        assert!((0.95..1.05).contains(&scale), "person {seed}: scale {scale}");
        assert!(entrance.accepts(alike), "person {seed}: {alike} of {}", entrance.get());
    }
    assert!(taken > 0, "of six with fingers that all but touch none is taken");
}

/// Skin as dark as a wall and about as red: in two of three such rooms half of the frames were refused
/// or taken for the other hand.
#[test]
fn a_dark_hand_is_found_before_a_wall_of_its_colour() {
    for (person, room) in [(13, 333), (35, 333), (41, 333), (67, 333), (38, 1), (41, 1)] {
        let identity = Identity::from_seed(person);
        assert!(identity.skin_tone() > 0.8, "person {person} is dark");
        let camera =
            Camera { ground: Ground::Room(room), depth: 1.0, noise: 2.0, ..Camera::default() };
        let held = Held::new(identity.hand(Side::Right), 1).by(camera);
        let seen = acquire(&held.frame(0, 1_280, 720)).map(|capture| capture.side);
        assert_eq!(seen.ok(), Some(Side::Right), "person {person} in room {room}");
    }
}

/// The outline of a back is that of the other palm; its nails tell it.
#[test]
fn who_shows_the_back_of_a_hand_is_told_to_turn_it() {
    let mut told = 0;
    for seed in 20..30 {
        let palm = Identity::from_seed(seed).hand(Side::Right);
        let seen =
            |hand| acquire(&Held::new(hand, seed).frame(0, 640, 480)).map_err(|it| it.refusal);
        let back = seen(palm.back()).err();
        told += u32::from(back == Some(Refusal::BackOfHand));
        assert_ne!(seen(palm).err(), Some(Refusal::BackOfHand), "person {seed}");
    }
    assert!(told >= 9, "of ten {told} are told");
}

/// Where no fingertip is seen nobody is told so, whichever side is shown.
#[test]
fn a_hand_that_fills_the_picture_is_not_told_to_turn() {
    for seed in 30..34 {
        let palm = Identity::from_seed(seed).hand(Side::Left);
        for hand in [palm.back(), palm] {
            let pose = HandPose { centre: (0.5, 0.45), radius: 0.3, ..HandPose::default() };
            let scene = Scene::Hand { hand, pose, sample_seed: seed };
            let seen = shoot(&Camera::default(), &scene);
            assert_ne!(seen, Some(Refusal::BackOfHand), "person {seed}");
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
