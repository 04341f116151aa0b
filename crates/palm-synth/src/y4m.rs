//! Uncompressed video files (YUV4MPEG2, I420): what Chromium's fake camera plays.

use std::io::{self, Write};

use handfast_palm::Picture;

/// Writes frames of one size to a y4m stream. Colours are BT.601, limited range, as browsers take
/// small videos that say nothing else.
#[derive(Debug)]
pub struct Y4mWriter<W: Write> {
    out: W,
    width: u32,
    height: u32,
}

impl<W: Write> Y4mWriter<W> {
    /// Writes the header. Width and height must be even: colour has half the resolution.
    ///
    /// # Errors
    /// `InvalidInput` for a size with an odd or empty side; whatever `out` answers.
    pub fn new(mut out: W, width: u32, height: u32, frames_per_second: u32) -> io::Result<Self> {
        if width == 0
            || height == 0
            || !width.is_multiple_of(2)
            || !height.is_multiple_of(2)
            || frames_per_second == 0
        {
            let what = format!(
                "a video of {width}x{height} at {frames_per_second} a second; even sides and a rate above 0 are needed"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        writeln!(out, "YUV4MPEG2 W{width} H{height} F{frames_per_second}:1 Ip A1:1 C420jpeg")?;
        Ok(Self { out, width, height })
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// `InvalidInput` for a picture of another size; whatever the stream answers.
    pub fn write(&mut self, picture: &Picture) -> io::Result<()> {
        if (picture.width(), picture.height()) != (self.width, self.height) {
            let what = format!(
                "a frame of {}x{} in a video of {}x{}; letterbox it first",
                picture.width(),
                picture.height(),
                self.width,
                self.height
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        self.out.write_all(b"FRAME\n")?;
        self.out.write_all(&i420(&picture.rgb(), self.width as usize, self.height as usize))
    }

    /// Flushes and gives the stream back.
    ///
    /// # Errors
    /// Whatever the stream answers.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Planes Y, U, V of an RGB picture with even sides, colour as the mean of four pixels.
fn i420(rgb: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut planes = Vec::with_capacity(width * height * 3 / 2);
    for pixel in rgb.chunks_exact(3) {
        let [r, g, b] = [0, 1, 2].map(|k| i32::from(pixel[k]));
        planes.push((((66 * r + 129 * g + 25 * b + 128) >> 8) + 16) as u8);
    }
    let quarter = |x: usize, y: usize| {
        let mut sums = [0i32; 3];
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let first = ((2 * y + dy) * width + 2 * x + dx) * 3;
            for (sum, &value) in sums.iter_mut().zip(&rgb[first..first + 3]) {
                *sum += i32::from(value);
            }
        }
        sums
    };
    for weights in [[-38, -74, 112], [112, -94, -18]] {
        for y in 0..height / 2 {
            for x in 0..width / 2 {
                let sums = quarter(x, y);
                let value: i32 = sums.iter().zip(weights).map(|(sum, weight)| sum * weight).sum();
                planes.push((((value + 512) >> 10) + 128) as u8);
            }
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_frames_have_their_sizes() {
        let mut video = Y4mWriter::new(Vec::new(), 64, 48, 15).unwrap();
        let grey = Picture::from_grey(64, 48, vec![128; 64 * 48]).unwrap();
        video.write(&grey).unwrap();
        video.write(&grey).unwrap();
        let bytes = video.finish().unwrap();
        let header = b"YUV4MPEG2 W64 H48 F15:1 Ip A1:1 C420jpeg\n";
        assert!(bytes.starts_with(header));
        assert_eq!(bytes.len(), header.len() + 2 * (6 + 64 * 48 * 3 / 2));
    }

    #[test]
    fn colours_are_those_of_bt_601() {
        let plane = |rgb: [u8; 3]| {
            let planes = i420(&rgb.repeat(4), 2, 2);
            (planes[0], planes[4], planes[5])
        };
        assert_eq!(plane([255, 255, 255]), (235, 128, 128));
        assert_eq!(plane([0, 0, 0]), (16, 128, 128));
        assert_eq!(plane([255, 0, 0]), (82, 90, 240));
        assert_eq!(plane([0, 0, 255]), (41, 240, 110));
    }

    #[test]
    fn wrong_sizes_are_refused() {
        assert!(Y4mWriter::new(Vec::new(), 63, 48, 15).is_err());
        let mut video = Y4mWriter::new(Vec::new(), 64, 48, 15).unwrap();
        let other = Picture::from_grey(48, 64, vec![0; 64 * 48]).unwrap();
        assert_eq!(video.write(&other).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
