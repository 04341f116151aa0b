//! YUYV pictures (YCbCr 4:2:2, two pixels in four bytes), as most cameras give them uncompressed.

use handfast_palm::{Picture, PictureError};

/// Makes RGB of `bytes`, whose rows are `stride` bytes apart (ITU-R BT.601, narrow range, in the
/// usual fixed-point form).
///
/// # Errors
/// [`PictureError::WrongLength`] where the bytes do not hold such a picture, and what
/// [`Picture::from_rgb`] refuses.
pub(super) fn to_picture(
    bytes: &[u8],
    width: u32,
    height: u32,
    stride: u32,
) -> Result<Picture, PictureError> {
    let (across, down) = (width as usize, height as usize);
    let row = across * 2;
    // The last row of a buffer may come without its padding.
    let expected = (stride as usize).max(row) * down.saturating_sub(1) + row;
    let is_whole = bytes.len() >= expected && (stride as usize) >= row;
    if down == 0 || across == 0 || !across.is_multiple_of(2) || !is_whole {
        return Err(PictureError::WrongLength { width, height, expected, found: bytes.len() });
    }
    let mut rgb = Vec::with_capacity(across * down * 3);
    for line in bytes.chunks(stride as usize).take(down) {
        for pair in line[..row].chunks_exact(4) {
            let [y0, u, y1, v] = [pair[0], pair[1], pair[2], pair[3]];
            rgb.extend_from_slice(&pixel(y0, u, v));
            rgb.extend_from_slice(&pixel(y1, u, v));
        }
    }
    Picture::from_rgb(width, height, rgb)
}

fn pixel(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (c, d, e) = (i32::from(y) - 16, i32::from(u) - 128, i32::from(v) - 128);
    let level = |sum: i32| ((sum + 128) >> 8).clamp(0, 255) as u8;
    [level(298 * c + 409 * e), level(298 * c - 100 * d - 208 * e), level(298 * c + 516 * d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BT.601 as it is written, in floating point.
    fn oracle(y: u8, u: u8, v: u8) -> [f64; 3] {
        let luma = (f64::from(y) - 16.0) * 255.0 / 219.0;
        let (pb, pr) = ((f64::from(u) - 128.0) / 224.0, (f64::from(v) - 128.0) / 224.0);
        let (kr, kb) = (0.299, 0.114);
        let red = luma + 255.0 * 2.0 * (1.0 - kr) * pr;
        let blue = luma + 255.0 * 2.0 * (1.0 - kb) * pb;
        let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|level| level.clamp(0.0, 255.0))
    }

    #[test]
    fn fixed_point_follows_the_standard() {
        for y in (0..=255).step_by(5) {
            for u in (0..=255).step_by(5) {
                for v in (0..=255).step_by(5) {
                    let (fast, slow) = (pixel(y, u, v), oracle(y, u, v));
                    for (fast, slow) in fast.into_iter().zip(slow) {
                        assert!((f64::from(fast) - slow).abs() <= 2.0, "{y} {u} {v}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_with_padding_are_read_from_their_starts() {
        let (width, height, stride) = (32, 33, 70);
        let mut bytes = vec![0_u8; stride * height];
        for (row, line) in bytes.chunks_mut(stride).enumerate() {
            for pair in line[..64].chunks_exact_mut(2) {
                pair.copy_from_slice(&[16 + row as u8 * 6, 128]);
            }
            line[64..].fill(255);
        }
        let picture = to_picture(&bytes, width, height as u32, stride as u32).expect("a picture");
        for row in 0..height {
            let first = picture.rgb()[row * 32 * 3];
            assert_eq!(f64::from(first), oracle(16 + row as u8 * 6, 128, 128)[0].round());
        }
        // The last row's padding may be missing.
        let short = &bytes[..stride * (height - 1) + 64];
        assert_eq!(to_picture(short, width, height as u32, stride as u32), Ok(picture));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bytes = vec![0_u8; 64 * 32 * 2];
        assert!(to_picture(&bytes, 64, 32, 128).is_ok());
        for (width, height, stride) in
            [(64, 33, 128), (63, 32, 128), (64, 32, 127), (0, 32, 128), (64, 0, 128), (64, 32, 0)]
        {
            let refused = to_picture(&bytes, width, height, stride);
            assert!(
                matches!(refused, Err(PictureError::WrongLength { .. })),
                "{width} {height} {stride}"
            );
        }
    }
}
