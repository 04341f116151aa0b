//! Writes example pictures: `cargo run -p handfast-palm-synth --example sheet -- FOLDER [FIRST_SEED]`.

use std::path::Path;

use handfast_palm::{Picture, Side};
use handfast_palm_synth::{Camera, Ground, HandPose, Identity, Scene, Spectrum};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder to write into")?;
    let first: u64 = arguments.next().map_or(Ok(0), |seed| seed.parse())?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    for seed in first..first + 6 {
        for side in [Side::Left, Side::Right] {
            let hand = Identity::from_seed(seed).hand(side);
            let name = format!("{seed:03}-{side:?}").to_lowercase();
            let scene =
                Scene::Hand { hand: hand.clone(), pose: HandPose::default(), sample_seed: seed };
            save(
                &Camera::default().render(&scene, 0, 640, 480),
                &folder.join(format!("hand-{name}.png")),
            )?;
            for (spectrum, light) in [(Spectrum::Visible, "white"), (Spectrum::NearInfrared, "nir")]
            {
                save(&hand.roi(1, spectrum, 256), &folder.join(format!("roi-{light}-{name}.png")))?;
            }
        }
    }
    let hand = Identity::from_seed(first).hand(Side::Left);
    for (ground, name) in [(Ground::Light, "light"), (Ground::Room(3), "room")] {
        let pose = HandPose { rotation: 0.3, tilt: (0.2, -0.2), ..HandPose::default() };
        let scene = Scene::Hand { hand: hand.clone(), pose, sample_seed: 9 };
        let camera = Camera { ground, ..Camera::default() };
        save(&camera.render(&scene, 0, 1280, 960), &folder.join(format!("ground-{name}.png")))?;
    }
    Ok(())
}

fn save(picture: &Picture, path: &Path) -> Result<(), image::ImageError> {
    image::save_buffer(
        path,
        &picture.rgb(),
        picture.width(),
        picture.height(),
        image::ColorType::Rgb8,
    )
}
