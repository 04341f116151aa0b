//! Reads a ticket's QR code in a picture.

use handfast_palm::Picture;
use rqrr::PreparedImage;

use crate::ticket_code::TicketCode;

/// Longest side that is searched: a code that is held up fills a third of the picture, which leaves
/// four pixels a module at this size, and a search stays within a frame's time.
const SEARCHED_PX_MAX: u32 = 1_024;

/// The first plausible code in the picture. Larger pictures are thinned before they are searched.
pub(crate) fn read(picture: &Picture) -> Option<TicketCode> {
    let grey = picture.grey();
    let (width, height) = (picture.width(), picture.height());
    let step = width.max(height).div_ceil(SEARCHED_PX_MAX).max(1) as usize;
    let row = width as usize;
    let (across, down) = (width as usize / step, height as usize / step);
    let pixel = |x: usize, y: usize| grey[y * step * row + x * step];
    let mut image = PreparedImage::prepare_from_greyscale(across, down, pixel);
    let codes = image.detect_grids();
    codes.iter().find_map(|code| {
        let (_, text) = code.decode().ok()?;
        TicketCode::parse(&zeroize::Zeroizing::new(text))
    })
}

#[cfg(test)]
mod tests {
    use fast_qr::{ECL, QRBuilder};
    use proptest::prelude::*;

    use super::*;

    /// A white picture with a code whose modules are `scale` pixels wide, its corner at `(x, y)`.
    fn picture(text: &str, scale: usize, size: (usize, usize), at: (usize, usize)) -> Picture {
        let code = QRBuilder::new(text).ecl(ECL::M).build().expect("fits a code");
        let mut grey = vec![235_u8; size.0 * size.1];
        for (down, line) in (0..code.size * scale).map(|down| (down, &code[down / scale])) {
            for across in 0..code.size * scale {
                if line[across / scale].value() {
                    grey[(at.1 + down) * size.0 + at.0 + across] = 25;
                }
            }
        }
        Picture::from_grey(size.0 as u32, size.1 as u32, grey).expect("fits")
    }

    #[test]
    fn reads_a_code_in_a_camera_frame() {
        let text = "hf1.8c2v0j6m4x1q9z7k5t3r";
        let frame = picture(text, 6, (640, 480), (250, 120));
        assert_eq!(read(&frame), TicketCode::parse(text));
    }

    #[test]
    fn reads_a_code_in_a_large_photograph() {
        let frame = picture("TICKET-1", 40, (3_000, 2_000), (700, 400));
        assert_eq!(read(&frame), TicketCode::parse("TICKET-1"));
    }

    #[test]
    fn an_empty_wall_has_no_code() {
        let wall = Picture::from_grey(640, 480, vec![128; 640 * 480]).expect("fits");
        assert_eq!(read(&wall), None);
    }

    #[test]
    fn a_code_that_is_no_ticket_is_passed_over() {
        let frame = picture("two words are no ticket code", 5, (640, 480), (200, 100));
        assert_eq!(read(&frame), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_picture_makes_the_reader_fail(
            width in 32_u32..200,
            height in 32_u32..200,
            noise in proptest::collection::vec(any::<u8>(), 200 * 200),
            blackness in any::<u8>(),
        ) {
            let pixels = noise[..(width * height) as usize]
                .iter()
                .map(|&value| if value > blackness { 255 } else { 0 })
                .collect();
            let picture = Picture::from_grey(width, height, pixels).expect("fits");
            prop_assert_eq!(read(&picture), None);
        }
    }
}
