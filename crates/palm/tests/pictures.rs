//! Decoding: every kind of file that may arrive.

use std::io::Cursor;

use handfast_palm::{ENCODED_BYTES_MAX, Picture, PictureError, decode};
use image::{DynamicImage, ImageFormat};
use proptest::prelude::*;

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

/// 48 x 40 with a bright left half.
fn half_bright() -> DynamicImage {
    DynamicImage::ImageRgb8(image::RgbImage::from_fn(48, 40, |x, _| {
        image::Rgb(if x < 24 { [230, 200, 180] } else { [20, 20, 20] })
    }))
}

#[test]
fn every_colour_type_becomes_eight_bits() {
    let rgb = half_bright();
    let kinds = [
        DynamicImage::ImageLuma8(rgb.to_luma8()),
        DynamicImage::ImageLumaA8(rgb.to_luma_alpha8()),
        DynamicImage::ImageRgb8(rgb.to_rgb8()),
        DynamicImage::ImageRgba8(rgb.to_rgba8()),
        DynamicImage::ImageLuma16(rgb.to_luma16()),
        DynamicImage::ImageLumaA16(rgb.to_luma_alpha16()),
        DynamicImage::ImageRgb16(rgb.to_rgb16()),
        DynamicImage::ImageRgba16(rgb.to_rgba16()),
    ];
    for image in kinds {
        let picture = decode(&encode(&image, ImageFormat::Png)).expect("a good PNG");
        assert_eq!((picture.width(), picture.height()), (48, 40));
        assert_eq!(picture.is_grey(), !image.color().has_color(), "{:?}", image.color());
        let grey = picture.grey();
        assert!(grey[0] > 190 && grey[47] < 30, "{:?}: {} {}", image.color(), grey[0], grey[47]);
    }
    let picture = decode(&encode(&rgb, ImageFormat::Jpeg)).expect("a good JPEG");
    assert!(picture.grey()[0] > 190);
    for image in [DynamicImage::ImageLuma8(rgb.to_luma8()), rgb] {
        let picture = decode(&encode(&image, ImageFormat::Bmp)).expect("a good BMP");
        assert_eq!((picture.width(), picture.height()), (48, 40));
        assert!(picture.grey()[0] > 190 && picture.grey()[47] < 30);
    }
}

#[test]
fn what_is_transparent_is_black() {
    let clear = image::RgbaImage::from_pixel(40, 40, image::Rgba([255, 255, 255, 0]));
    let picture =
        decode(&encode(&DynamicImage::ImageRgba8(clear), ImageFormat::Png)).expect("good");
    assert!(picture.rgb().iter().all(|&value| value == 0));
}

/// A JPEG with an EXIF block that says how the camera was held.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend((exif.len() as u16 + 2).to_be_bytes());
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn a_turned_camera_gives_an_upright_picture() {
    let jpeg = encode(&half_bright(), ImageFormat::Jpeg);
    let bright_corner = |orientation| {
        let picture = decode(&with_orientation(&jpeg, orientation)).expect("a good JPEG");
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let grey = picture.grey();
        let corners =
            [grey[0], grey[width - 1], grey[(height - 1) * width], grey[height * width - 1]];
        (width, height, corners.map(|value| value > 128))
    };
    assert_eq!(bright_corner(1), (48, 40, [true, false, true, false]));
    assert_eq!(bright_corner(3), (48, 40, [false, true, false, true]));
    // Turned a quarter clockwise: what was left is on top.
    assert_eq!(bright_corner(6), (40, 48, [true, true, false, false]));
    assert_eq!(bright_corner(8), (40, 48, [false, false, true, true]));
}

/// The beginning of a PNG that claims a size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut crc = u32::MAX;
    for &byte in &chunk {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(chunk);
    bytes.extend((!crc).to_be_bytes());
    bytes.extend(b"\0\0\0\x01IDAT");
    bytes
}

#[test]
fn sizes_are_checked_before_decoding() {
    let huge = decode(&png_header(20_000, 20_000));
    assert_eq!(huge, Err(PictureError::TooLarge { width: 20_000, height: 20_000 }));
    let many = decode(&png_header(8_192, 8_192));
    assert_eq!(many, Err(PictureError::TooLarge { width: 8_192, height: 8_192 }));
    let tiny = DynamicImage::ImageLuma8(image::GrayImage::new(1, 1));
    let tiny = decode(&encode(&tiny, ImageFormat::Png));
    assert_eq!(tiny, Err(PictureError::TooSmall { width: 1, height: 1 }));
    let long = decode(&vec![0; ENCODED_BYTES_MAX + 1]);
    assert_eq!(long, Err(PictureError::TooManyBytes { found: ENCODED_BYTES_MAX + 1 }));
}

#[test]
fn errors_say_the_limit_and_the_remedy() {
    let message = decode(&png_header(20_000, 20_000)).expect_err("too large").to_string();
    assert!(message.contains("20000") && message.contains("8192") && message.contains("scale"));
}

#[test]
fn what_is_no_picture_is_refused() {
    for bytes in
        [&b""[..], b"GIF89a", b"not a picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
    {
        let error = decode(bytes).expect_err("no picture");
        assert!(
            matches!(error, PictureError::NotAPicture | PictureError::Damaged { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    let png = encode(&half_bright(), ImageFormat::Png);
    for length in [20, png.len() / 2, png.len() - 20] {
        assert!(decode(&png[..length]).is_err(), "PNG cut at {length} of {}", png.len());
    }
    let jpeg = encode(&half_bright(), ImageFormat::Jpeg);
    assert!(decode(&jpeg[..jpeg.len() / 3]).is_err());
}

#[test]
fn buffers_must_fit_their_size() {
    let error = Picture::from_grey(40, 40, vec![0; 7]).expect_err("too short");
    assert_eq!(
        error,
        PictureError::WrongLength { width: 40, height: 40, expected: 1600, found: 7 }
    );
    assert!(Picture::from_rgb(40, 40, vec![0; 4800]).is_ok());
    assert!(Picture::from_rgb(u32::MAX, u32::MAX, Vec::new()).is_err());
}

#[test]
fn debug_shows_no_pixel() {
    let picture = Picture::from_grey(40, 40, vec![77; 1600]).expect("fits");
    assert_eq!(format!("{picture:?}"), "Picture(40 x 40, Grey)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
        format in prop::sample::select(vec![ImageFormat::Bmp, ImageFormat::Jpeg, ImageFormat::Png]),
    ) {
        let mut bytes = encode(&half_bright(), format);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = decode(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode(&bytes);
    }

    #[test]
    fn no_picture_makes_acquiring_panic(
        width in 32_u32..200,
        height in 32_u32..200,
        seed in any::<u64>(),
        coarse in 1_u64..40,
    ) {
        // Blocks of random brightness: blobs of every shape.
        let pixels = (0..u64::from(width) * u64::from(height))
            .map(|at| {
                let (x, y) = (at % u64::from(width) / coarse, at / u64::from(width) / coarse);
                let mixed = (x * 73_856_093) ^ (y * 19_349_663) ^ seed;
                (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
            })
            .collect();
        let picture = Picture::from_grey(width, height, pixels).expect("fits");
        let _ = handfast_palm::acquire(&picture);
    }
}
