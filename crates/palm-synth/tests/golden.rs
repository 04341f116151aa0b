//! The same seed gives the same bytes on every machine: hashes of pictures, made once. A change
//! here changes every seeded palm: references made of synthetic palms no longer match.

use handfast_palm::{Picture, Side};
use handfast_palm_synth::{Approach, Camera, Ground, Identity, QrModules, Scene, Spectrum, render};
use sha2::{Digest, Sha256};

fn hash(picture: &Picture) -> String {
    Sha256::digest(picture.rgb().as_slice())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn pictures_have_their_golden_hashes() {
    let hand = Identity::from_seed(42).hand(Side::Right);
    let visit = Approach::new(hand.clone(), 7);
    let checks: Vec<bool> = (0..441).map(|k| k % 3 == 0).collect();
    let ticket = Scene::Ticket { code: QrModules::new(21, checks).unwrap(), sample_seed: 3 };
    let room = Camera { ground: Ground::Room(5), ..Camera::default() };
    let got = [
        ("hover", hash(&render(&visit.scene_at(2_000), 640, 480))),
        ("arrival", hash(&render(&visit.scene_at(300), 640, 480))),
        ("room", hash(&room.render(&visit.scene_at(2_000), 1, 320, 240))),
        ("white crop", hash(&hand.roi(1, Spectrum::Visible, 128))),
        ("near-infrared crop", hash(&hand.roi(1, Spectrum::NearInfrared, 128))),
        ("ticket", hash(&render(&ticket, 640, 480))),
        ("empty", hash(&render(&Scene::Empty, 640, 480))),
    ];
    let golden: Vec<(&str, String)> =
        GOLDEN.iter().map(|&(name, hash)| (name, hash.to_owned())).collect();
    assert_eq!(got.to_vec(), golden);
}

const GOLDEN: [(&str, &str); 7] = [
    ("hover", "bd148ed0ad2b8219"),
    ("arrival", "97bcd9d19ef22018"),
    ("room", "be0c8595196cfa2b"),
    ("white crop", "e63c2613e212995d"),
    ("near-infrared crop", "eaff66c60de32c1c"),
    ("ticket", "a76051ca96c44ace"),
    ("empty", "4273dbb266b3e7b8"),
];
