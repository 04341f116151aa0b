//! Any bytes as a picture's file: decoded, or refused with a reason, never a panic; and what is decoded
//! keeps to the engine's limits.

#![no_main]

use handfast_palm::{PIXELS_MAX, SIDE_PX_MAX, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match decode(bytes) {
        Ok(picture) => {
            let (width, height) = (picture.width(), picture.height());
            assert!(width.max(height) <= SIDE_PX_MAX);
            assert!(u64::from(width) * u64::from(height) <= PIXELS_MAX);
            assert_eq!(picture.grey().len(), width as usize * height as usize);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
