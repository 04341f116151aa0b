//! The ways that frames reach the engine by: what liveness is fitted to and judged on.

use handfast_palm::{Picture, decode};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

/// How a camera's frame reaches the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From the kiosk's own camera, 1280x720, as it was taken.
    Kiosk,
    /// 640x480, as it was taken: the cheapest cameras, and the simulated one.
    Small,
    /// From a page in a browser: 640x480, compressed as pages do.
    Page,
}

/// A little below what pages compress frames with (85 in `web/src/lib/camera.ts`): encoders differ.
const PAGE_JPEG_QUALITY: u8 = 80;

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kiosk, Self::Small, Self::Page];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kiosk => "kiosk, 1280x720",
            Self::Small => "640x480",
            Self::Page => "page, 640x480 JPEG",
        }
    }

    /// Width and height of its frames.
    #[must_use]
    pub fn size(self) -> (u32, u32) {
        match self {
            Self::Kiosk => (1_280, 720),
            Self::Small | Self::Page => (640, 480),
        }
    }

    /// A frame of [`Way::size`] as the engine gets it. A picture that no encoder takes comes as it is.
    #[must_use]
    pub fn take(self, picture: Picture) -> Picture {
        if self != Self::Page {
            return picture;
        }
        let mut bytes = Vec::new();
        let (width, height) = (picture.width(), picture.height());
        let encoded = JpegEncoder::new_with_quality(&mut bytes, PAGE_JPEG_QUALITY).encode(
            &picture.rgb(),
            width,
            height,
            ExtendedColorType::Rgb8,
        );
        match encoded.ok().and_then(|()| decode(&bytes).ok()) {
            Some(compressed) => compressed,
            None => picture,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_compresses_and_keeps_the_size() {
        let (width, height) = Way::Page.size();
        let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 31 % 251) as u8).collect();
        let picture = Picture::from_rgb(width, height, pixels).unwrap();
        assert!(Way::Small.take(picture.clone()) == picture);
        let page = Way::Page.take(picture.clone());
        assert_eq!((page.width(), page.height()), (width, height));
        assert!(page != picture);
    }
}
