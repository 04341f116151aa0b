//! The code on a synthetic phone must be read from the picture, also after a browser's compression.

use handfast_palm::Picture;
use handfast_palm_synth::{QrModules, Scene, Story, render};

const TEXT: &str = "HF1:RR-2026-0704:8Q2M-7KXD-PV3T-91AC:reserved-seat";

fn code() -> QrModules {
    let code = fast_qr::QRBuilder::new(TEXT).build().expect("a short text fits a code");
    let dark = (0..code.size).flat_map(|y| (0..code.size).map(move |x| (y, x)));
    QrModules::new(code.size, dark.map(|(y, x)| code[y][x].value()).collect())
        .expect("a code is square")
}

fn read(picture: &Picture) -> Option<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let grey = picture.grey();
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| grey[y * width + x]);
    image.detect_grids().iter().find_map(|grid| grid.decode().ok()).map(|(_, text)| text)
}

/// What is left of a picture after JPEG at a webcam's quality.
fn compressed(picture: &Picture) -> Picture {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 70)
        .encode(&picture.rgb(), picture.width(), picture.height(), image::ExtendedColorType::Rgb8)
        .expect("a picture can be compressed");
    handfast_palm::decode(&bytes).expect("a JPEG is decoded")
}

#[test]
fn a_code_is_read_from_every_way_of_holding_it() {
    for sample_seed in 0..20 {
        let picture = render(&Scene::Ticket { code: code(), sample_seed }, 640, 480);
        assert_eq!(read(&picture).as_deref(), Some(TEXT), "sample {sample_seed}");
        assert_eq!(
            read(&compressed(&picture)).as_deref(),
            Some(TEXT),
            "compressed sample {sample_seed}"
        );
    }
}

#[test]
fn a_story_shows_the_code_in_its_time_alone() {
    let story = Story::new().empty(1_000).ticket(code(), 4, 2_000).empty(1_000);
    assert_eq!(read(&story.frame(5)), None);
    assert_eq!(read(&story.frame(20)).as_deref(), Some(TEXT));
    assert_eq!(read(&story.frame(50)), None);
}
