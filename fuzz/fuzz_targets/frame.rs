//! Any pixels as a camera's frame: the hand is found and cut out, or refused with a reason, never a
//! panic; and liveness looks at whatever was found. The first bytes say the size.

#![no_main]

use handfast_palm::{Picture, SIDE_PX_MIN, find, glimpse, liveness};
use libfuzzer_sys::fuzz_target;

/// Large enough for a hand, small enough for a thousand looks a second.
const SIDE_MAX: u32 = 160;

fuzz_target!(|bytes: &[u8]| {
    let [width, height, kind, pixels @ ..] = bytes else { return };
    let side = |byte: u8| SIDE_PX_MIN + u32::from(byte) % (SIDE_MAX - SIDE_PX_MIN);
    let (width, height) = (side(*width), side(*height));
    let channels = if kind % 2 == 0 { 1 } else { 3 };
    let wanted = width as usize * height as usize * channels;
    if pixels.is_empty() {
        return;
    }
    // Short inputs are repeated: a few bytes already make a textured frame.
    let filled: Vec<u8> = pixels.iter().copied().cycle().take(wanted).collect();
    let picture = match channels {
        1 => Picture::from_grey(width, height, filled),
        _ => Picture::from_rgb(width, height, filled),
    };
    let picture = picture.expect("the size is within the limits and the buffer fits it");
    if let Ok(found) = find(&picture) {
        let seen = glimpse(&picture, &found);
        let _ = liveness(&[seen.clone(), seen]);
        let _ = found.cut(&picture);
    }
});
