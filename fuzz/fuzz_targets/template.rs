//! Any bytes as a template: read, or refused with a reason, never a panic; what is read is written
//! back the same and can be compared.

#![no_main]

use handfast_palm::{Probe, Reference, score};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reference = Reference::from_bytes(bytes);
    if let Ok(reference) = &reference {
        assert_eq!(&**reference.to_bytes(), bytes);
    }
    if let Ok(probe) = Probe::from_bytes(bytes) {
        assert_eq!(&**probe.to_bytes(), bytes);
        // A probe's first vector is as long as a reference's.
        if let Some(vector) = probe.vectors().next()
            && let Ok(reference) = Reference::from_vector(vector.to_vec())
        {
            let _ = score(&reference, &probe);
        }
    }
});
