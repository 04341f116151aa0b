//! Templates: fusing, format, comparison; golden vectors of format versions 1 and 2.

use handfast_palm::{
    Effort, FORMAT_VERSION, LENGTH, PROBE_VECTORS, Picture, Probe, Reference, SAMPLES_MAX, Sample,
    Side, StoredReference, TemplateError, probe, probe_with, reference, score, score_many,
    score_rows,
};
use proptest::prelude::*;

/// A palm of dark lines, computed with whole numbers so that it is the same everywhere.
fn lines(palm: i32, shift_x: i32, shift_y: i32) -> Sample {
    let mut pixels = Vec::with_capacity(128 * 128);
    for row in 0..128 {
        for column in 0..128 {
            let (x, y) = (column - shift_x, row - shift_y);
            let mut grey = 150 + (x - y) / 8;
            for line in 0..7 {
                let (a, b) = ((palm * 7 + line * 5) % 11 - 5, (palm * 3 + line * 4) % 9 - 4);
                let offset = (palm * 37 + line * 61) % 128;
                let bent = (x - 64) * (y - 64) / (24 + 8 * line);
                let away =
                    (a * (x - offset) + b * (y - 64) + bent).abs() / (a.abs() + b.abs()).max(1);
                grey -= (12 - 4 * away).max(0) * 3;
            }
            pixels.push(grey.clamp(0, 255) as u8);
        }
    }
    let picture = Picture::from_grey(128, 128, pixels).expect("fits");
    Sample::from_roi_picture(&picture, Side::Right)
}

fn one(sample: Sample) -> Reference {
    reference(&[sample]).expect("one sample")
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The reference of `lines(1, 0, 0)` in format version 1, in hexadecimal.
const REFERENCE_OF_VERSION_1: &str = include_str!("golden/reference_v1.hex");
/// The same in format version 2.
const GOLDEN_REFERENCE: &str = include_str!("golden/reference_v2.hex");
/// The hashes (FNV-1a, 64 bits) of the same sample's probes, full and light.
const GOLDEN_PROBES: [u64; 2] = [10_837_025_421_846_576_224, 9_200_754_431_983_826_320];

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.chunks(32).map(|line| line.concat() + "\n").collect()
}

/// What [`hex`] wrote.
fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| std::str::from_utf8(pair).map(|pair| u8::from_str_radix(pair, 16));
    digits.chunks(2).map(|digits| pair(digits).expect("ASCII").expect("hexadecimal")).collect()
}

#[test]
fn version_2_is_what_it_was() {
    assert_eq!(FORMAT_VERSION, 2, "a new version needs golden vectors of its own");
    assert_eq!(hex(&one(lines(1, 0, 0)).to_bytes()), GOLDEN_REFERENCE);
    let probes = [Effort::Full, Effort::Light]
        .map(|effort| fnv(&probe_with(&lines(1, 0, 0), effort).to_bytes()));
    assert_eq!(probes, GOLDEN_PROBES);
}

#[test]
fn version_1_is_read_as_outdated() {
    let bytes = bytes_of(REFERENCE_OF_VERSION_1);
    assert_eq!(StoredReference::from_bytes(&bytes), Ok(StoredReference::Outdated { version: 1 }));
    let error = Reference::from_bytes(&bytes).expect_err("its numbers mean something else");
    assert!(error.to_string().contains("enrol the palm again"), "{error}");
    let cut = StoredReference::from_bytes(&bytes[..bytes.len() - 1]);
    assert!(matches!(cut, Err(TemplateError::WrongLength { expected: 519, .. })));
    let mut long = bytes.clone();
    long[100..300].fill(0x7f);
    assert!(matches!(StoredReference::from_bytes(&long), Err(TemplateError::TooLong { .. })));
    let current = one(lines(1, 0, 0));
    assert_eq!(
        StoredReference::from_bytes(&current.to_bytes()),
        Ok(StoredReference::Current(current))
    );
    let mut future = bytes;
    future[4] = 3;
    assert!(matches!(
        StoredReference::from_bytes(&future),
        Err(TemplateError::Version { found: 3, .. })
    ));
}

#[test]
fn bytes_are_read_back() {
    let stored = one(lines(2, 0, 0));
    assert_eq!(Reference::from_bytes(&stored.to_bytes()), Ok(stored));
    let sent = probe(&lines(2, 0, 0));
    assert_eq!(Probe::from_bytes(&sent.to_bytes()), Ok(sent));
    let light = probe_with(&lines(2, 0, 0), Effort::Light);
    assert_eq!(light.effort(), Effort::Light);
    assert_eq!(Probe::from_bytes(&light.to_bytes()), Ok(light));
}

#[test]
fn a_light_probe_compares_with_the_same_references() {
    let stored = one(lines(2, 0, 0));
    let light = |palm| probe_with(&lines(palm, 2, -1), Effort::Light);
    assert_eq!(light(2).vectors().len(), Effort::Light.vectors());
    let (own, other) = (score(&stored, &light(2)), score(&stored, &light(6)));
    assert!(own > 11_000 && other < 8_000, "{own} and {other}");
}

#[test]
fn other_versions_and_kinds_are_refused_by_name() {
    let mut bytes = one(lines(2, 0, 0)).to_bytes();
    assert_eq!(Probe::from_bytes(&bytes), Err(TemplateError::WrongKind { expected: "probe" }));
    bytes[4] = 0;
    let error = Reference::from_bytes(&bytes).expect_err("an old version");
    assert_eq!(error, TemplateError::Version { kind: "reference", found: 0 });
    assert!(error.to_string().contains("enrol the palm again"));
    let bytes = one(lines(2, 0, 0)).to_bytes();
    let cut = Reference::from_bytes(&bytes[..bytes.len() - 1]);
    assert!(matches!(cut, Err(TemplateError::WrongLength { kind: "reference", .. })));
    assert_eq!(
        Reference::from_bytes(b"HFPR"),
        Err(TemplateError::WrongKind { expected: "reference" })
    );
}

#[test]
fn a_vector_that_would_match_everybody_is_refused() {
    let long = Reference::from_vector(vec![100; LENGTH]);
    assert!(matches!(long, Err(TemplateError::TooLong { .. })));
    let mut lowest = vec![0; LENGTH];
    lowest[0] = i8::MIN;
    assert_eq!(Reference::from_vector(lowest), Err(TemplateError::OutOfRange));
    assert!(Probe::from_vectors(vec![100; LENGTH * PROBE_VECTORS]).is_err());
    assert_eq!(Probe::from_vectors(vec![0; LENGTH]), Err(TemplateError::VectorCount { found: 1 }));
    assert!(Probe::from_vectors(vec![0; LENGTH * PROBE_VECTORS + 1]).is_err());
}

#[test]
fn vectors_have_their_length_and_palms_their_likeness() {
    let stored = one(lines(3, 0, 0));
    let norm = |v: &[i8]| v.iter().map(|&x| i32::from(x) * i32::from(x)).sum::<i32>();
    assert!((15_000..=1 << 14).contains(&norm(stored.vector())));
    let sent = probe(&lines(3, 0, 0));
    assert_eq!(sent.vectors().len(), PROBE_VECTORS);
    assert!(sent.vectors().all(|vector| norm(vector) <= 1 << 14));
    assert!(score(&stored, &sent) > 15_000);
    for (x, y) in [(5, 0), (-6, 4), (8, -8)] {
        let moved = score(&stored, &probe(&lines(3, x, y)));
        assert!(moved > 11_000, "moved by {x}, {y}: {moved}");
    }
    let stranger = score(&stored, &probe(&lines(4, 0, 0)));
    assert!(stranger < 9_000, "a stranger: {stranger}");
}

#[test]
fn fusing_aligns_before_it_averages() {
    let moved = [lines(5, 0, 0), lines(5, 6, -5), lines(5, -5, 5)];
    let fused = reference(&moved).expect("three samples");
    let likeness = score(&fused, &probe(&moved[0]));
    assert!(likeness > 14_000, "an average out of line would blur: {likeness}");
}

#[test]
fn fusing_refuses_none_too_many_and_both_hands() {
    assert_eq!(reference(&[]), Err(TemplateError::SampleCount { found: 0 }));
    let many = vec![lines(1, 0, 0); SAMPLES_MAX + 1];
    assert_eq!(reference(&many), Err(TemplateError::SampleCount { found: SAMPLES_MAX + 1 }));
    let flat = Picture::from_grey(128, 128, vec![9; 128 * 128]).expect("fits");
    let left = Sample::from_roi_picture(&flat, Side::Left);
    assert_eq!(reference(&[lines(1, 0, 0), left]), Err(TemplateError::BothSides));
}

#[test]
fn a_flat_picture_matches_nothing() {
    let flat = Picture::from_grey(128, 128, vec![90; 128 * 128]).expect("fits");
    let flat = Sample::from_roi_picture(&flat, Side::Right);
    assert_eq!(score(&one(lines(1, 0, 0)), &probe(&flat)), 0);
    assert_eq!(score(&one(flat.clone()), &probe(&flat)), 0);
}

#[test]
fn crops_of_any_size_give_the_same_palm() {
    let double = |sample: u32| {
        let pixels = (0..256 * 256)
            .map(|at: u32| {
                let (x, y) = (at % 256 / 2, at / 256 / 2);
                ((x * x / (3 + sample) + y * 3) % 97 + 60) as u8
            })
            .collect();
        Picture::from_grey(256, 256, pixels).expect("fits")
    };
    let single = {
        let pixels = (0..128 * 128)
            .map(|at: u32| {
                let (x, y) = (at % 128, at / 128);
                ((x * x / 4 + y * 3) % 97 + 60) as u8
            })
            .collect();
        Picture::from_grey(128, 128, pixels).expect("fits")
    };
    let large = probe(&Sample::from_roi_picture(&double(1), Side::Right));
    let small = one(Sample::from_roi_picture(&single, Side::Right));
    assert!(score(&small, &large) > 14_000);
}

#[test]
fn debug_shows_no_number() {
    assert_eq!(format!("{:?}", one(lines(1, 0, 0))), "Reference");
    assert_eq!(format!("{:?}", probe(&lines(1, 0, 0))), "Probe");
    assert_eq!(format!("{:?}", lines(1, 0, 0)), "Sample(Right)");
}

/// The score as it is defined, one multiplication after the other.
fn slow_score(row: &[i8], probe: &Probe) -> i32 {
    let mut best = i32::MIN;
    for vector in probe.vectors() {
        let mut sum = 0;
        for i in 0..LENGTH {
            sum += i32::from(row[i]) * i32::from(vector[i]);
        }
        best = best.max(sum);
    }
    best
}

/// A vector of a palm's length from a seed.
fn vector(seed: u64) -> Vec<i8> {
    let mut state = seed | 1;
    (0..LENGTH)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 11) as i8 - 5
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fast_scores_are_the_slow_ones(seed in any::<u64>(), rows in 0_usize..11) {
        let sent = Probe::from_vectors(
            (0..PROBE_VECTORS as u64).flat_map(|i| vector(seed.wrapping_add(i * 977))).collect(),
        ).expect("short enough");
        let gallery: Vec<Reference> = (0..rows as u64)
            .map(|i| Reference::from_vector(vector(seed.wrapping_mul(i + 3))).expect("short enough"))
            .collect();
        let flat: Vec<i8> = gallery.iter().flat_map(|row| row.vector()).copied().collect();
        let slow: Vec<i32> = gallery.iter().map(|row| slow_score(row.vector(), &sent)).collect();
        prop_assert_eq!(&score_rows(&flat, &sent), &slow);
        prop_assert_eq!(&score_many(&gallery, &sent), &slow);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        for magic in [&b""[..], b"HFPR\x01", b"HFPR\x02", b"HFPP\x02"] {
            let bytes = [magic, &bytes].concat();
            let _ = Reference::from_bytes(&bytes);
            let _ = StoredReference::from_bytes(&bytes);
            let _ = Probe::from_bytes(&bytes);
        }
    }

    #[test]
    fn damaged_references_are_refused_or_harmless(at in 0_usize..1031, value in any::<u8>()) {
        let mut bytes = one(lines(1, 0, 0)).to_bytes();
        prop_assert_eq!(bytes.len(), 1031);
        bytes[at] = value;
        if let Ok(read) = Reference::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }
}
