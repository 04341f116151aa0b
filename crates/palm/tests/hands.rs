//! Finding hands: drawn ones on grounds of several kinds, and things that are no hand.

mod drawn;

use drawn::Drawing;
use handfast_palm::{Capture, Picture, Refusal, Side, acquire, find, probe, reference, score};

fn captured(picture: &Picture, what: &str) -> Capture {
    acquire(picture).unwrap_or_else(|refused| panic!("{what}: {refused:?}"))
}

fn refused(picture: &Picture, what: &str) -> Refusal {
    match acquire(picture) {
        Ok(capture) => panic!("{what} was taken for a hand: {capture:?}"),
        Err(refused) => refused.refusal,
    }
}

fn grey(picture: &Picture) -> Picture {
    Picture::from_grey(picture.width(), picture.height(), picture.grey().to_vec()).expect("fits")
}

#[test]
fn both_hands_are_told_apart_at_every_angle() {
    for side in [Side::Left, Side::Right] {
        for turn in 0..12 {
            let rotation = turn as f32 * std::f32::consts::TAU / 12.0 - 3.0;
            let drawing = Drawing {
                side,
                rotation,
                centre: (320.0, 240.0),
                radius: 62.0,
                ..Drawing::default()
            };
            let capture = captured(&drawing.draw(), &format!("{side:?} at {rotation}"));
            assert_eq!(capture.side, side, "at {rotation}");
            let off = (capture.placement.angle - rotation).rem_euclid(std::f32::consts::TAU);
            let off = off.min(std::f32::consts::TAU - off);
            assert!(off < 0.3, "{side:?} at {rotation}: found at {}", capture.placement.angle);
        }
    }
}

#[test]
fn grounds_may_be_dark_light_or_coloured_and_pictures_grey() {
    let grounds = [
        [20.0, 22.0, 24.0],
        [240.0, 240.0, 240.0],
        [40.0, 70.0, 140.0],
        [60.0, 120.0, 60.0],
        [120.0, 118.0, 115.0],
    ];
    for ground in grounds {
        let picture = Drawing { ground, ..Drawing::default() }.draw();
        assert_eq!(captured(&picture, &format!("on {ground:?}")).side, Side::Right);
    }
    for ground in [[10.0; 3], [245.0; 3]] {
        let picture = grey(&Drawing { ground, ..Drawing::default() }.draw());
        assert_eq!(captured(&picture, &format!("grey on {ground:?}")).side, Side::Right);
    }
}

#[test]
fn skin_may_have_any_tone() {
    for skin in
        [[240.0, 200.0, 180.0], [190.0, 135.0, 105.0], [120.0, 82.0, 62.0], [85.0, 58.0, 46.0]]
    {
        let picture = Drawing { skin, ..Drawing::default() }.draw();
        captured(&picture, &format!("skin {skin:?}"));
    }
}

#[test]
fn one_palm_matches_itself_elsewhere_and_no_other() {
    let at = |palm, side, centre, radius, rotation| {
        Drawing { palm, side, centre, radius, rotation, ..Drawing::default() }.draw()
    };
    for side in [Side::Left, Side::Right] {
        let enrolled = captured(&at(1, side, (320.0, 300.0), 80.0, 0.0), "enrolled");
        let itself = probe(&enrolled.sample);
        let enrolled = reference(&[enrolled.sample]).expect("one sample");
        let best = score(&enrolled, &itself);
        let moved = captured(&at(1, side, (290.0, 260.0), 68.0, 0.2), "moved");
        let stranger = captured(&at(2, side, (320.0, 300.0), 80.0, 0.0), "stranger");
        let own = score(&enrolled, &probe(&moved.sample));
        let other = score(&enrolled, &probe(&stranger.sample));
        assert!(own * 10 > best * 6, "{side:?}: own palm scores {own}, the same picture {best}");
        assert!(other * 10 < best * 5, "{side:?}: a stranger scores {other} of {best}");
    }
}

#[test]
fn a_left_hand_is_its_mirror_image_in_the_frame_of_reference() {
    let right = captured(&Drawing::default().draw(), "right").sample;
    let left = captured(&Drawing { side: Side::Left, ..Drawing::default() }.draw(), "left").sample;
    let (itself, mirrored) = (probe(&right), probe(&left));
    let right = reference(&[right]).expect("one");
    let (best, mirrored) = (score(&right, &itself), score(&right, &mirrored));
    assert!(mirrored * 10 > best * 8, "the mirror image scores {mirrored} of {best}");
}

#[test]
fn a_small_hand_with_narrow_gaps_is_seen_from_nearer() {
    // In the view of the whole picture the gaps between the fingers are less than two pixels wide.
    for radius in [70.0, 80.0, 90.0, 100.0] {
        let small =
            Drawing { width: 1_280, height: 960, radius, spread: 0.6, ..Drawing::default() };
        for (side, centre) in [(Side::Left, (640.0, 560.0)), (Side::Right, (330.0, 400.0))] {
            let picture = Drawing { side, centre, ..small }.draw();
            let capture = captured(&picture, &format!("{side:?} of radius {radius}"));
            assert_eq!(capture.side, side);
            let placement = capture.placement;
            assert!((placement.radius - radius / 960.0).abs() < 0.02, "{radius}: {placement:?}");
        }
    }
}

#[test]
fn the_placement_follows_the_hand() {
    let drawing = Drawing { centre: (250.0, 290.0), ..Drawing::default() };
    let placement = captured(&drawing.draw(), "off centre").placement;
    assert!((placement.centre.0 - 250.0 / 640.0).abs() < 0.05, "{placement:?}");
    assert!((placement.centre.1 - 290.0 / 480.0).abs() < 0.08, "{placement:?}");
    assert!((placement.radius - 80.0 / 480.0).abs() < 0.03, "{placement:?}");
}

#[test]
fn the_region_lies_below_the_valleys() {
    let found = find(&Drawing::default().draw()).expect("a plain hand");
    let corners = found.corners();
    let valleys = found.valleys();
    assert!(valleys.iter().all(|valley| valley.1 < corners[0].1.max(corners[1].1)));
    assert!(valleys[0].0 < valleys[1].0 && valleys[1].0 < valleys[2].0);
    assert!(corners[0].1 < corners[3].1 && corners[0].0 < corners[1].0);
}

#[test]
fn an_empty_picture_has_no_hand() {
    for ground in [0.0, 20.0, 128.0, 255.0] {
        let flat = Picture::from_grey(320, 240, vec![ground as u8; 320 * 240]).expect("fits");
        let expected = if ground < 16.0 { Refusal::TooDark } else { Refusal::NoHand };
        assert_eq!(refused(&flat, "flat ground"), expected, "ground {ground}");
    }
}

/// A picture with an ellipse in it: a face without features.
fn ellipse(width: u32, height: u32, radii: (f32, f32), centres: &[(f32, f32)]) -> Picture {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let inside = centres.iter().any(|centre| {
                let (dx, dy) = ((x as f32 - centre.0) / radii.0, (y as f32 - centre.1) / radii.1);
                dx * dx + dy * dy < 1.0
            });
            pixels.extend(if inside { [200, 150, 130] } else { [30, 32, 30] });
        }
    }
    Picture::from_rgb(width, height, pixels).expect("fits")
}

#[test]
fn a_face_is_no_hand() {
    let face = ellipse(640, 480, (90.0, 125.0), &[(320.0, 240.0)]);
    assert_eq!(refused(&face, "a face"), Refusal::NotAHand);
}

#[test]
fn two_hands_are_one_too_many() {
    let left =
        Drawing { centre: (170.0, 300.0), radius: 55.0, side: Side::Left, ..Drawing::default() };
    let right = Drawing { centre: (470.0, 300.0), radius: 55.0, ..Drawing::default() };
    let pixels =
        left.draw().rgb().iter().zip(right.draw().rgb().iter()).map(|(&a, &b)| a.max(b)).collect();
    let both = Picture::from_rgb(640, 480, pixels).expect("fits");
    assert_eq!(refused(&both, "two hands"), Refusal::TwoHands);
}

#[test]
fn distance_light_and_fingers_are_judged() {
    let plain = Drawing::default();
    let cases = [
        ("far away", Drawing { radius: 24.0, ..plain }, Refusal::TooFar),
        ("fingers closed", Drawing { spread: 0.0, ..plain }, Refusal::FingersClosed),
        (
            "in the dark",
            Drawing { skin: [6.0, 4.0, 4.0], ground: [0.0; 3], ..plain },
            Refusal::TooDark,
        ),
        ("under glare", Drawing { skin: [400.0, 400.0, 400.0], ..plain }, Refusal::Glare),
        ("half outside", Drawing { centre: (600.0, 300.0), ..plain }, Refusal::CutOff),
        (
            "too close",
            Drawing { centre: (320.0, 240.0), radius: 260.0, ..plain },
            Refusal::TooClose,
        ),
    ];
    for (what, drawing, expected) in cases {
        assert_eq!(refused(&drawing.draw(), what), expected, "{what}");
    }
}

#[test]
fn a_blurred_palm_is_refused() {
    let picture = Drawing::default().draw();
    let mut pixels = picture.rgb().to_vec();
    let (width, height) = (640_usize, 480_usize);
    for _ in 0..3 {
        let source = pixels.clone();
        for y in 0..height {
            for x in 0..width {
                for c in 0..3 {
                    let reach = (x.saturating_sub(9)..(x + 10).min(width)).map(|x| (x, y));
                    let column = (y.saturating_sub(9)..(y + 10).min(height)).map(|y| (x, y));
                    let (mut sum, mut count) = (0, 0);
                    for (x, y) in reach.chain(column) {
                        sum += usize::from(source[(y * width + x) * 3 + c]);
                        count += 1;
                    }
                    pixels[(y * width + x) * 3 + c] = (sum / count) as u8;
                }
            }
        }
    }
    let blurred = Picture::from_rgb(640, 480, pixels).expect("fits");
    assert_eq!(refused(&blurred, "a blurred palm"), Refusal::Blurred);
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let picture = Drawing::default().draw();
    let bytes = || {
        let sample = captured(&picture, "twice").sample;
        reference(&[sample]).expect("one sample").to_bytes()
    };
    assert_eq!(bytes(), bytes());
}
