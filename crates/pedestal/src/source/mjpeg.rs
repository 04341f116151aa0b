//! Motion JPEG, as cameras give it: JPEG pictures that often leave out their Huffman tables,
//! because they are always the same ones (ITU-T T.81, annex K.3).

use handfast_palm::Picture;
use zeroize::Zeroizing;

use super::{SourceError, decode_frame};

const MARKER: u8 = 0xff;
const START_OF_IMAGE: u8 = 0xd8;
const START_OF_SCAN: u8 = 0xda;
const HUFFMAN_TABLES: u8 = 0xc4;

/// Decodes one picture of a motion JPEG stream.
///
/// # Errors
/// As [`decode_frame`].
pub(super) fn to_picture(bytes: &[u8]) -> Result<Picture, SourceError> {
    match scan_without_tables(bytes) {
        None => decode_frame(bytes),
        Some(scan) => {
            let segments = tables();
            let mut whole = Zeroizing::new(Vec::with_capacity(bytes.len() + segments.len()));
            whole.extend_from_slice(&bytes[..scan]);
            whole.extend_from_slice(&segments);
            whole.extend_from_slice(&bytes[scan..]);
            decode_frame(&whole)
        }
    }
}

/// Where the scan starts, in a picture that has no Huffman tables before it.
fn scan_without_tables(bytes: &[u8]) -> Option<usize> {
    if bytes.get(..2)? != [MARKER, START_OF_IMAGE] {
        return None;
    }
    let mut at = 2;
    loop {
        let segment = bytes.get(at..at + 4)?;
        match (segment[0], segment[1]) {
            (MARKER, START_OF_SCAN) => return Some(at),
            (MARKER, HUFFMAN_TABLES) => return None,
            // A marker may be preceded by any number of fill bytes.
            (MARKER, MARKER) => at += 1,
            (MARKER, _) => at += 2 + usize::from(u16::from_be_bytes([segment[2], segment[3]])),
            _ => return None,
        }
    }
}

/// The four tables, each as a segment of its own.
fn tables() -> Vec<u8> {
    let direct: Vec<u8> = (0..12).collect();
    let tables: [(u8, &[u8; 16], &[u8]); 4] = [
        (0x00, &DIRECT_LUMA_LENGTHS, &direct),
        (0x10, &ALTERNATING_LUMA_LENGTHS, &ALTERNATING_LUMA),
        (0x01, &DIRECT_CHROMA_LENGTHS, &direct),
        (0x11, &ALTERNATING_CHROMA_LENGTHS, &ALTERNATING_CHROMA),
    ];
    let mut segments = Vec::new();
    for (class_and_slot, lengths, values) in tables {
        let length = 2 + 1 + lengths.len() + values.len();
        segments.extend_from_slice(&[MARKER, HUFFMAN_TABLES]);
        segments.extend_from_slice(&(length as u16).to_be_bytes());
        segments.push(class_and_slot);
        segments.extend_from_slice(lengths);
        segments.extend_from_slice(values);
    }
    segments
}

const DIRECT_LUMA_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DIRECT_CHROMA_LENGTHS: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
const ALTERNATING_LUMA_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d];
const ALTERNATING_CHROMA_LENGTHS: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77];
#[rustfmt::skip]
const ALTERNATING_LUMA: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];
#[rustfmt::skip]
const ALTERNATING_CHROMA: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};

    use super::*;

    /// A colourful JPEG; the encoder uses the standard's tables.
    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels: Vec<u8> =
            (0..64_u32 * 48 * 3).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        JpegEncoder::new_with_quality(&mut bytes, 95)
            .write_image(&pixels, 64, 48, ExtendedColorType::Rgb8)
            .expect("encodes");
        bytes
    }

    /// The picture without its tables, and the tables.
    fn without_tables(jpeg: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut rest, mut tables, mut at) = (jpeg[..2].to_vec(), Vec::new(), 2);
        while jpeg[at + 1] != START_OF_SCAN {
            let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            let segment = &jpeg[at..at + length];
            if segment[1] == HUFFMAN_TABLES {
                tables.push(segment[4..].to_vec());
            } else {
                rest.extend_from_slice(segment);
            }
            at += length;
        }
        rest.extend_from_slice(&jpeg[at..]);
        (rest, tables)
    }

    #[test]
    fn a_picture_without_tables_is_the_same_picture() {
        let whole = jpeg();
        let (bare, tables) = without_tables(&whole);
        assert!(!tables.is_empty() && bare.len() + 400 < whole.len());
        let expected = decode_frame(&whole).expect("a picture");
        assert_eq!(to_picture(&bare).expect("a picture"), expected);
        assert_eq!(to_picture(&whole).expect("a picture"), expected);
    }

    #[test]
    fn the_tables_are_those_of_another_implementation() {
        let (_, theirs) = without_tables(&jpeg());
        let ours = tables();
        // Beside its table, each of our segments has a marker and a length.
        let headers = 4 * 4;
        assert_eq!(theirs.concat().len(), ours.len() - headers);
        for table in theirs {
            assert!(ours.windows(table.len()).any(|window| window == table), "a table differs");
        }
    }

    #[test]
    fn damaged_streams_are_refused() {
        let (bare, _) = without_tables(&jpeg());
        for cut in [0, 1, 2, 3, 5, 20, 60] {
            assert!(to_picture(&bare[..cut]).is_err(), "{cut}");
        }
        assert!(to_picture(&[MARKER; 100]).is_err());
        assert!(to_picture(&[&[MARKER, START_OF_IMAGE][..], &[MARKER; 100]].concat()).is_err());
        // A segment of length zero must not be read for ever.
        assert!(to_picture(&[MARKER, START_OF_IMAGE, MARKER, 0xe0, 0, 0, 0, 0]).is_err());
    }
}
