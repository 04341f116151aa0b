//! Draws what the finder sees over pictures of hands, for looking at its mistakes:
//! `cargo run --release -p handfast-palm --example find_hands -- OUT PICTURE...`
//!
//! Prints one line a picture: side, the region's corners, sharpness, the
//! valleys and the palm's circle, or the refusal; OUT may be `-`
//! for the lines alone. Pictures of real people stay where their terms keep them: choose OUT
//! outside any repository.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::path::Path;

use handfast_palm::{Found, Placement, Side, decode, find};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("find_hands OUT PICTURE...: OUT is missing")?;
    for path in arguments {
        let picture = decode(&std::fs::read(&path)?)?;
        let (width, height) = (picture.width(), picture.height());
        let mut rgb = picture.rgb().to_vec();
        match find(&picture).and_then(|found| found.cut(&picture).map(|cut| (found, cut))) {
            Ok((found, capture)) => {
                let text = |(x, y)| format!("{x:.2},{y:.2}");
                let (corners, valleys) = (found.corners().map(text), found.valleys().map(text));
                let Placement { centre, radius, .. } = capture.placement;
                let (w, h) = (width as f32, height as f32);
                let circle =
                    format!("{} {:.2}", text((centre.0 * w, centre.1 * h)), radius * w.min(h));
                let (side, corners, valleys) = (found.side(), corners.join(" "), valleys.join(" "));
                println!("{path} {side:?} {corners} {:.3} {valleys} {circle}", capture.sharpness);
                draw(&mut rgb, width, height, &found);
            }
            Err(refused) => println!("{path} {:?}", refused.refusal),
        }
        if out == "-" {
            continue;
        }
        let name: Vec<&str> = path.rsplitn(4, '/').take(3).collect();
        let name = name.into_iter().rev().collect::<Vec<_>>().join("-");
        let file = Path::new(&out).join(format!("{name}.png"));
        image::save_buffer(file, &rgb, width, height, image::ColorType::Rgb8)?;
    }
    Ok(())
}

/// The region in green for a right hand and in red for a left one, the valleys as dots.
fn draw(rgb: &mut [u8], width: u32, height: u32, found: &Found) {
    let colour = if found.side() == Side::Right { [0, 255, 0] } else { [255, 0, 0] };
    let mut dot = |x: f32, y: f32, colour: [u8; 3]| {
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let (x, y) = (x + dx, y + dy);
            if x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32 {
                let at = (y as usize * width as usize + x as usize) * 3;
                rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    };
    let corners = found.corners();
    for (i, &(x, y)) in corners.iter().enumerate() {
        let (to_x, to_y) = corners[(i + 1) % 4];
        for step in 0..400 {
            let part = step as f32 / 400.0;
            dot(x + (to_x - x) * part, y + (to_y - y) * part, colour);
        }
    }
    for (x, y) in found.valleys() {
        for i in 0..25 {
            dot(x + (i % 5) as f32 - 2.0, y + (i / 5) as f32 - 2.0, [255, 255, 0]);
        }
    }
}
