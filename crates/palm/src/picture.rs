//! Pictures: decoding a file into 8-bit pixels, within limits that are checked before decoding.

use std::fmt;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader};
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest encoded picture: a 48-megapixel phone photograph is about 20 MB.
pub const ENCODED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest side: the widest phone photographs are 8,160 pixels.
pub const SIDE_PX_MAX: u32 = 8_192;
/// Most pixels: 150 MB decoded in RGB, which a two-gigabyte machine can still hold.
pub const PIXELS_MAX: u64 = 50_000_000;
/// Shortest side: below it no crease of a palm is resolved, not even in a crop.
pub const SIDE_PX_MIN: u32 = 32;
/// What the decoder may allocate beside the pixels, as a multiple of their bytes: 16-bit RGBA is
/// 2.7 times 8-bit RGB, and progressive JPEG keeps its coefficients.
const DECODER_BYTES_MAX: u64 = PIXELS_MAX * 8 + 16 * 1024 * 1024;

/// Why bytes are no usable picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PictureError {
    /// More encoded bytes than [`ENCODED_BYTES_MAX`].
    #[error(
        "the picture is {found} bytes long; at most {ENCODED_BYTES_MAX} are read: save it smaller"
    )]
    TooManyBytes {
        /// Bytes given.
        found: usize,
    },
    /// Neither PNG nor JPEG nor BMP.
    #[error("this is neither a PNG nor a JPEG nor a BMP picture: save it as one of them")]
    NotAPicture,
    /// Larger than [`SIDE_PX_MAX`] on a side or [`PIXELS_MAX`] in all.
    #[error(
        "the picture is {width} x {height} pixels; at most {SIDE_PX_MAX} on a side and {PIXELS_MAX} in all are read: scale it down"
    )]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Smaller than [`SIDE_PX_MIN`] on a side.
    #[error(
        "the picture is {width} x {height} pixels; at least {SIDE_PX_MIN} x {SIDE_PX_MIN} are needed: take it larger"
    )]
    TooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Cut short, damaged, or in a variant that is not read.
    #[error(
        "the picture cannot be decoded ({detail}): it may be cut short or damaged, take it again"
    )]
    Damaged {
        /// What the decoder said.
        detail: String,
    },
    /// A pixel buffer that does not fit the stated size.
    #[error("{width} x {height} pixels need {expected} bytes, {found} were given")]
    WrongLength {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes that the size asks for.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
}

/// How many bytes one pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
    Grey,
    Rgb,
}

impl Channels {
    fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// A picture of 8-bit pixels, grey or RGB, row by row from the top left. Zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    channels: Channels,
    pixels: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} x {}, {:?})", self.width, self.height, self.channels)
    }
}

impl Picture {
    /// A picture from RGB bytes, three a pixel.
    ///
    /// # Errors
    /// When the size is out of bounds or the buffer does not fit it.
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, PictureError> {
        Self::from_pixels(width, height, Channels::Rgb, Zeroizing::new(pixels))
    }

    /// A picture from grey bytes, one a pixel.
    ///
    /// # Errors
    /// When the size is out of bounds or the buffer does not fit it.
    pub fn from_grey(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, PictureError> {
        Self::from_pixels(width, height, Channels::Grey, Zeroizing::new(pixels))
    }

    fn from_pixels(
        width: u32,
        height: u32,
        channels: Channels,
        pixels: Zeroizing<Vec<u8>>,
    ) -> Result<Self, PictureError> {
        check_size(width, height)?;
        let expected = width as usize * height as usize * channels.count();
        if pixels.len() != expected {
            return Err(PictureError::WrongLength { width, height, expected, found: pixels.len() });
        }
        Ok(Self { width, height, channels, pixels })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Whether the picture has one channel.
    #[must_use]
    pub fn is_grey(&self) -> bool {
        self.channels == Channels::Grey
    }

    /// The brightness of every pixel, one byte each.
    #[must_use]
    pub fn grey(&self) -> Zeroizing<Vec<u8>> {
        match self.channels {
            Channels::Grey => self.pixels.clone(),
            Channels::Rgb => Zeroizing::new(
                self.pixels.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])).collect(),
            ),
        }
    }

    /// Red, green and blue of every pixel, three bytes each; a grey picture has them equal.
    #[must_use]
    pub fn rgb(&self) -> Zeroizing<Vec<u8>> {
        match self.channels {
            Channels::Rgb => self.pixels.clone(),
            Channels::Grey => {
                Zeroizing::new(self.pixels.iter().flat_map(|&grey| [grey; 3]).collect())
            }
        }
    }

    /// The pixels as stored: one byte each for grey, three for RGB.
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

/// Brightness as Rec. 601 weighs it, in 256ths so that it is the same on every machine.
pub(crate) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 77 + u32::from(green) * 150 + u32::from(blue) * 29) >> 8) as u8
}

/// Decodes a PNG, JPEG or BMP file: any depth and colour type, transparency over black, turned upright
/// as its EXIF orientation says.
///
/// # Errors
/// [`PictureError`] says what is wrong and what to do; limits are checked before the pixels are
/// decoded.
pub fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    if bytes.len() > ENCODED_BYTES_MAX {
        return Err(PictureError::TooManyBytes { found: bytes.len() });
    }
    let format = image::guess_format(bytes).map_err(|_| PictureError::NotAPicture)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Bmp) {
        return Err(PictureError::NotAPicture);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(decoder_limits());
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    let length = usize::try_from(decoder.total_bytes())
        .map_err(|_| PictureError::TooLarge { width, height })?;
    let mut raw = Zeroizing::new(vec![0_u8; length]);
    decoder.read_image(&mut raw).map_err(damaged)?;
    let (channels, pixels) = to_eight_bit(raw, colour)?;
    Ok(turn(Picture { width, height, channels, pixels }, orientation))
}

fn decoder_limits() -> image::Limits {
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    limits
}

fn damaged(error: image::ImageError) -> PictureError {
    PictureError::Damaged { detail: error.to_string() }
}

fn check_size(width: u32, height: u32) -> Result<(), PictureError> {
    if width > SIDE_PX_MAX
        || height > SIDE_PX_MAX
        || u64::from(width) * u64::from(height) > PIXELS_MAX
    {
        return Err(PictureError::TooLarge { width, height });
    }
    if width < SIDE_PX_MIN || height < SIDE_PX_MIN {
        return Err(PictureError::TooSmall { width, height });
    }
    Ok(())
}

/// Brings decoded bytes to 8 bits without alpha.
fn to_eight_bit(
    raw: Zeroizing<Vec<u8>>,
    colour: ColorType,
) -> Result<(Channels, Zeroizing<Vec<u8>>), PictureError> {
    let (channels, alpha, wide) = match colour {
        ColorType::L8 => return Ok((Channels::Grey, raw)),
        ColorType::Rgb8 => return Ok((Channels::Rgb, raw)),
        ColorType::La8 => (Channels::Grey, true, false),
        ColorType::Rgba8 => (Channels::Rgb, true, false),
        ColorType::L16 => (Channels::Grey, false, true),
        ColorType::La16 => (Channels::Grey, true, true),
        ColorType::Rgb16 => (Channels::Rgb, false, true),
        ColorType::Rgba16 => (Channels::Rgb, true, true),
        other => {
            return Err(PictureError::Damaged { detail: format!("colour type {other:?}") });
        }
    };
    let narrow = if wide { high_bytes(&raw) } else { raw };
    let pixels = if alpha { over_black(&narrow, channels.count()) } else { narrow };
    Ok((channels, pixels))
}

/// The upper byte of every 16-bit value, stored in the machine's own byte order.
fn high_bytes(raw: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(
        raw.chunks_exact(2)
            .map(|pair| (u16::from_ne_bytes([pair[0], pair[1]]) >> 8) as u8)
            .collect(),
    )
}

/// Lays transparent pixels over black.
fn over_black(pixels: &[u8], colours: usize) -> Zeroizing<Vec<u8>> {
    let mut flat = Zeroizing::new(Vec::with_capacity(pixels.len() / (colours + 1) * colours));
    for pixel in pixels.chunks_exact(colours + 1) {
        let alpha = u16::from(pixel[colours]);
        flat.extend(pixel[..colours].iter().map(|&value| (u16::from(value) * alpha / 255) as u8));
    }
    flat
}

/// Turns and mirrors the pixels as the EXIF orientation asks.
fn turn(picture: Picture, orientation: Orientation) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let swaps = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    // Where the pixel at (x, y) of the turned picture comes from.
    let source = |x: usize, y: usize| match orientation {
        Orientation::NoTransforms => (x, y),
        Orientation::FlipHorizontal => (width - 1 - x, y),
        Orientation::Rotate180 => (width - 1 - x, height - 1 - y),
        Orientation::FlipVertical => (x, height - 1 - y),
        Orientation::Rotate90FlipH => (y, x),
        Orientation::Rotate90 => (y, height - 1 - x),
        Orientation::Rotate270FlipH => (width - 1 - y, height - 1 - x),
        Orientation::Rotate270 => (width - 1 - y, x),
    };
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let (out_width, out_height) = if swaps { (height, width) } else { (width, height) };
    let count = picture.channels.count();
    let mut pixels = Zeroizing::new(Vec::with_capacity(picture.pixels.len()));
    for y in 0..out_height {
        for x in 0..out_width {
            let (from_x, from_y) = source(x, y);
            let at = (from_y * width + from_x) * count;
            pixels.extend_from_slice(&picture.pixels[at..at + count]);
        }
    }
    Picture {
        width: out_width as u32,
        height: out_height as u32,
        channels: picture.channels,
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use image::DynamicImage;

    use super::*;

    #[test]
    fn turns_as_the_image_library_does() {
        let (width, height) = (33, 40);
        let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
        let buffer = image::RgbImage::from_raw(width, height, pixels.clone()).expect("fits");
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).expect("1 to 8 are orientations");
            let mut expected = DynamicImage::ImageRgb8(buffer.clone());
            expected.apply_orientation(orientation);
            let picture = Picture::from_rgb(width, height, pixels.clone()).expect("fits");
            let turned = turn(picture, orientation);
            assert_eq!((turned.width, turned.height), (expected.width(), expected.height()));
            assert_eq!(turned.pixels.as_slice(), expected.as_bytes(), "orientation {exif}");
        }
    }
}
