//! Any bytes as a template, of this version or an older one: read, or refused with a reason, never a panic;
//! what is read is written back the same and can be compared. A light probe has to fit: `-max_len=32768`.

#![no_main]

use handfast_palm::{Probe, Reference, StoredReference, score};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reference = Reference::from_bytes(bytes);
    // Whatever is stored and current is a reference, and nothing else is.
    let stored = StoredReference::from_bytes(bytes);
    assert_eq!(matches!(stored, Ok(StoredReference::Current(_))), reference.is_ok());
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
