//! What a browser's fake camera gets from a story's video is good enough for the code reader and
//! for the palm engine: the written bytes are taken apart again, brightness alone.

use handfast_palm::{Picture, Side, acquire, probe, reference, score};
use handfast_palm_synth::{Identity, QrModules, STORY_HEIGHT, STORY_WIDTH, Story};

const TEXT: &str = "HF1-8Q2M-7KXD-PV3T";

fn code() -> QrModules {
    let code = fast_qr::QRBuilder::new(TEXT).build().expect("a short text fits a code");
    let places = (0..code.size).flat_map(|y| (0..code.size).map(move |x| (y, x)));
    let dark = places.map(|(y, x)| code[y][x].value()).collect();
    QrModules::new(code.size, dark).expect("a code is square")
}

/// The frames of a video as grey pictures, limited range stretched back.
fn frames(video: &[u8]) -> Vec<Picture> {
    let header = video.iter().position(|&byte| byte == b'\n').expect("a y4m has a header") + 1;
    let luma = (STORY_WIDTH * STORY_HEIGHT) as usize;
    let frame = b"FRAME\n".len() + luma * 3 / 2;
    video[header..]
        .chunks_exact(frame)
        .map(|bytes| {
            assert!(bytes.starts_with(b"FRAME\n"));
            let plane = &bytes[6..6 + luma];
            let grey = plane.iter().map(|&y| ((i32::from(y) - 16) * 255 / 219).clamp(0, 255) as u8);
            Picture::from_grey(STORY_WIDTH, STORY_HEIGHT, grey.collect())
                .expect("a frame is a picture")
        })
        .collect()
}

fn read(picture: &Picture) -> Option<String> {
    let grey = picture.grey();
    let (width, height) = (STORY_WIDTH as usize, STORY_HEIGHT as usize);
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| grey[y * width + x]);
    image.detect_grids().iter().find_map(|grid| grid.decode().ok()).map(|(_, text)| text)
}

#[test]
fn code_and_palm_come_out_of_the_video() {
    let hand = Identity::from_seed(21).hand(Side::Left);
    let story = Story::new().ticket(code(), 1, 400).empty(600).hand(hand, 1, 2_600).empty(400);
    let mut video = Vec::new();
    story.write_y4m(&mut video).expect("a vector takes any bytes");
    let frames = frames(&video);
    assert_eq!(frames.len() as u64, story.frames());
    assert_eq!(read(&frames[2]).as_deref(), Some(TEXT));
    assert!(acquire(&frames[10]).is_err(), "nobody is there yet");
    // 1.0 s until the hand comes, 0.8 s until it rests, 1.2 s of hover
    let seen: Vec<_> = frames[28..44].iter().filter_map(|frame| acquire(frame).ok()).collect();
    assert!(seen.len() >= 14, "the palm was taken in {} of 16 frames of its hover", seen.len());
    assert!(seen.iter().all(|capture| capture.side == Side::Left));
    let other = Story::new().hand(Identity::from_seed(22).hand(Side::Left), 1, 2_600).frame(20);
    let other = acquire(&other).expect("another hand is acquired");
    let enrolled = reference(&[seen[0].sample.clone()]).expect("one sample makes a reference");
    let (own, foreign) = (
        score(&enrolled, &probe(&seen[seen.len() - 1].sample)),
        score(&enrolled, &probe(&other.sample)),
    );
    assert!(own > 2 * foreign, "own {own}, foreign {foreign}");
    assert!(acquire(&frames[frames.len() - 1]).is_err(), "the hand has gone");
}
