//! How the palm's lines and patches are coloured. Blood and melanin swallow green and blue more than
//! red, so a living palm's lines are deeper in green, and its patches differ in hue. A cast of one
//! dye has shadows alone: equally deep in every colour.

use zeroize::Zeroizing;

use super::patch::{pixel, point};
use crate::Picture;

/// Cells of the region on a side.
const CELLS: usize = 64;
/// Points on a side that a cell is averaged from.
const POINTS: usize = 3;
/// Half the side of the square that a line is seen against, in cells.
const GROUND_REACH: usize = 3;
/// The least depth of a line in green, as a part of its ground: what is shallower may be shadow on a
/// cushion's side.
const LINE_DEPTH_MIN: f32 = 0.03;
/// Cells of lines that must be seen to speak of their colour.
const LINE_CELLS_MIN: f32 = 60.0;
/// Half the side of a patch of skin, in cells, and the step between patches.
const PATCH_REACH: usize = 4;
/// A cell brighter than this in red may have pixels that were cut off at white: its tint is not its own.
const DYE_VALUE_MAX: f32 = 246.0;
/// How far from the middle patches are looked at, in patches: at the region's corners the ground may show.
const REACH: f32 = 3.2;
/// Of those 32, how many must have a hue.
const PATCHES_MIN: usize = 16;
/// What dyes of one tint stray by: it is told no finer.
const DYE_STRAY_MIN: f32 = 0.002;
/// Patches on a side.
const SIDE: usize = CELLS / (2 * PATCH_REACH);
/// Redder than blue by less than this, of 255, a patch has too little colour to compare.
const TINT_MIN: f32 = 15.0;
/// Cells this dark have no colour to speak of, those this bright neither.
const VALUE_MIN: f32 = 12.0;
const VALUE_MAX: f32 = 250.0;

/// How a palm is coloured.
#[derive(Clone)]
pub struct Colour {
    /// How deep the lines are in red beside green: 1 is shadow alone; none where there are too few.
    pub lines: Option<f32>,
    /// How far each patch's hue is from what is usual, as a part of it; not a number where none is seen.
    /// None of a washed frame: the palm is as bright as the camera sees.
    hues: Option<Channel>,
    /// The same of what a white gloss leaves as it is.
    dyes: Option<Channel>,
}

impl Colour {
    /// The colour of the region; none in a grey picture, or where there is too little to see.
    pub fn of(picture: &Picture, corners: [(f32, f32); 4]) -> Option<Self> {
        if picture.is_grey() {
            return None;
        }
        let (red, green, blue) = cells(picture, corners);
        let channels: [&[f32]; 3] = [&red, &green, &blue];
        let whole = patches(&channels, f32::INFINITY);
        let hues = match spread(&whole, |[r, g, _]| Some(r / g)) {
            None if !is_washed(&whole) => return None,
            hues => hues,
        };
        // White light adds as much to each: neither difference of two changes.
        let dye = |[r, g, b]: [f32; 3]| (r - b >= TINT_MIN).then(|| (r - g) / (r - b));
        let dyes = spread(&patches(&channels, DYE_VALUE_MAX), dye);
        Some(Self { lines: lines(&red, &green), hues, dyes })
    }

    /// As [`Colour::bloom`], of what a gloss cannot change, as a logarithm. None where a frame has too little
    /// colour.
    pub fn dye(frames: &[&Self]) -> Option<f32> {
        let dyes: Vec<&Channel> =
            frames.iter().map(|it| it.dyes.as_ref()).collect::<Option<_>>()?;
        shared(&dyes).map(|it| it.max(DYE_STRAY_MIN).ln())
    }

    /// How much the hue differs from patch to patch, over the frames of a capture: what they have in
    /// common. Blood stays where it is, while a sensor's noise and a gloss come and go. Of one frame it
    /// is all that differs. Washed frames are left out, since a living hand's may be for a moment; where
    /// every one is, no blood is seen. None without frames, and where one of several is left.
    pub fn bloom(frames: &[&Self]) -> Option<f32> {
        let hues: Vec<&Channel> = frames.iter().filter_map(|it| it.hues.as_ref()).collect();
        match (hues.len(), frames.len()) {
            (_, 0) => None,
            (0, _) => Some(0.0),
            (1, 2..) => None,
            _ => shared(&hues),
        }
    }
}

/// How far what frames have in common strays.
fn shared(frames: &[&Channel]) -> Option<f32> {
    let (first, rest) = frames.split_first()?;
    if rest.is_empty() {
        return Some(common(first, first).max(0.0).sqrt());
    }
    let pairs = frames
        .iter()
        .enumerate()
        .flat_map(|(i, one)| frames[i + 1..].iter().map(|other| common(one, other)));
    let count = (frames.len() * rest.len() / 2) as f32;
    Some((pairs.sum::<f32>() / count).max(0.0).sqrt())
}

type Channel = Zeroizing<Vec<f32>>;

fn cells(picture: &Picture, corners: [(f32, f32); 4]) -> (Channel, Channel, Channel) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let mut red = Zeroizing::new(Vec::with_capacity(CELLS * CELLS));
    let mut green = Zeroizing::new(Vec::with_capacity(CELLS * CELLS));
    let mut blue = Zeroizing::new(Vec::with_capacity(CELLS * CELLS));
    let share = |k: usize| (k as f32 + 0.5) / (CELLS * POINTS) as f32;
    for cell in 0..CELLS * CELLS {
        let mut sum = [0.0; 3];
        for i in 0..POINTS * POINTS {
            let column = cell % CELLS * POINTS + i % POINTS;
            let row = cell / CELLS * POINTS + i / POINTS;
            let (x, y) = point(corners, share(column), share(row));
            let place = (x.clamp(0.0, width - 1.0) as usize, y.clamp(0.0, height - 1.0) as usize);
            let [r, g, b] = pixel(picture, place.0, place.1);
            sum = [sum[0] + r, sum[1] + g, sum[2] + b];
        }
        red.push(sum[0] / (POINTS * POINTS) as f32);
        green.push(sum[1] / (POINTS * POINTS) as f32);
        blue.push(sum[2] / (POINTS * POINTS) as f32);
    }
    (red, green, blue)
}

/// How deep the lines are in red beside green, over all of them.
fn lines(red: &[f32], green: &[f32]) -> Option<f32> {
    let (red_ground, green_ground) = (blurred(red), blurred(green));
    let (mut both, mut alone, mut count) = (0.0, 0.0, 0.0);
    for i in 0..CELLS * CELLS {
        if !usable(red_ground[i]) || !usable(green_ground[i]) {
            continue;
        }
        let depth = |value: f32, ground: f32| (value - ground) / ground;
        let (r, g) = (depth(red[i], red_ground[i]), depth(green[i], green_ground[i]));
        if g < -LINE_DEPTH_MIN {
            both += r * g;
            alone += g * g;
            count += 1.0;
        }
    }
    (count >= LINE_CELLS_MIN).then(|| both / alone)
}

fn usable(value: f32) -> bool {
    (VALUE_MIN..=VALUE_MAX).contains(&value)
}

/// The mean product of two frames' hues over the patches that both show.
fn common(one: &[f32], other: &[f32]) -> f32 {
    let products = one.iter().zip(other).map(|(a, b)| a * b).filter(|it| it.is_finite());
    let (sum, count) = products.fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0_f32));
    sum / count.max(1.0)
}

/// Red, green and blue of each patch: the mean of its cells that are at most so bright in red, and not a
/// number where those are less than half.
fn patches(channels: &[&[f32]; 3], most: f32) -> Zeroizing<Vec<[f32; 3]>> {
    let patch = |patch: usize| {
        let (left, top) = (patch % SIDE * 2 * PATCH_REACH, patch / SIDE * 2 * PATCH_REACH);
        let (mut sum, mut count) = ([0.0; 3], 0);
        for i in 0..4 * PATCH_REACH * PATCH_REACH {
            let (x, y) = (i % (2 * PATCH_REACH), i / (2 * PATCH_REACH));
            let colour = channels.map(|channel| channel[(top + y) * CELLS + left + x]);
            if colour[0] <= most {
                sum = [0, 1, 2].map(|k| sum[k] + colour[k]);
                count += 1;
            }
        }
        let is_told = count >= 2 * PATCH_REACH * PATCH_REACH;
        sum.map(|sum| if is_told { sum / count as f32 } else { f32::NAN })
    };
    Zeroizing::new((0..SIDE * SIDE).map(patch).collect())
}

/// Whether most patches of the palm are too bright to have a colour.
fn is_washed(patches: &[[f32; 3]]) -> bool {
    let palm = || patches.iter().enumerate().filter(|(patch, _)| is_palm(centred(*patch)));
    2 * palm().filter(|(_, [r, g, _])| r.max(*g) > VALUE_MAX).count() > palm().count()
}

/// Where a patch is, from the region's middle, in patches.
fn centred(patch: usize) -> (f32, f32) {
    let centred = |k: usize| k as f32 - (SIDE - 1) as f32 / 2.0;
    (centred(patch % SIDE), centred(patch / SIDE))
}

fn is_palm((x, y): (f32, f32)) -> bool {
    x * x + y * y < REACH * REACH
}

/// How far each patch's hue is from the mean, as a part of it, beyond an even slope and beyond what follows
/// the brightness: a gloss is white, and pales whatever it lies on.
fn spread(patches: &[[f32; 3]], hue: impl Fn([f32; 3]) -> Option<f32>) -> Option<Channel> {
    let mut hues = Zeroizing::new(Vec::with_capacity(SIDE * SIDE));
    let mut seen = Vec::with_capacity(SIDE * SIDE);
    for (patch, &[r, g, b]) in patches.iter().enumerate() {
        let (x, y) = centred(patch);
        let hue = hue([r, g, b]).filter(|_| is_palm((x, y)) && usable(r) && usable(g));
        seen.push(hue.is_some());
        if let Some(hue) = hue {
            hues.push(([x, y, r + g], hue));
        }
    }
    if hues.len() < PATCHES_MIN {
        return None;
    }
    let count = hues.len() as f32;
    let mean = hues.iter().map(|it| it.1).sum::<f32>() / count;
    let mut rest = Zeroizing::new(hues.iter().map(|it| it.1 - mean).collect::<Vec<f32>>());
    let mut explained: Vec<Channel> = Vec::new();
    for k in 0..3 {
        let mut along = Zeroizing::new(hues.iter().map(|it| it.0[k]).collect::<Vec<f32>>());
        let middle = along.iter().sum::<f32>() / count;
        along.iter_mut().for_each(|it| *it -= middle);
        for earlier in &explained {
            take_off(&mut along, earlier);
        }
        take_off(&mut rest, &along);
        explained.push(along);
    }
    let mut rest = rest.iter().map(|it| it / mean);
    let every = seen.into_iter().map(|seen| if seen { rest.next() } else { None });
    Some(Zeroizing::new(every.map(|it| it.unwrap_or(f32::NAN)).collect()))
}

/// Takes off what follows `along`.
fn take_off(values: &mut [f32], along: &[f32]) {
    let length: f32 = along.iter().map(|it| it * it).sum();
    if length <= 0.0 {
        return;
    }
    let share = values.iter().zip(along).map(|(a, b)| a * b).sum::<f32>() / length;
    values.iter_mut().zip(along).for_each(|(value, along)| *value -= share * along);
}

/// The mean around every cell, each way apart.
fn blurred(channel: &[f32]) -> Channel {
    let pass = |from: &[f32], at: &dyn Fn(usize, usize) -> usize| {
        let mut to = Zeroizing::new(vec![0.0; CELLS * CELLS]);
        for line in 0..CELLS {
            for k in 0..CELLS {
                let range = k.saturating_sub(GROUND_REACH)..(k + GROUND_REACH + 1).min(CELLS);
                let count = range.len() as f32;
                to[at(line, k)] = range.map(|j| from[at(line, j)]).sum::<f32>() / count;
            }
        }
        to
    };
    let rows = pass(channel, &|line, k| line * CELLS + k);
    pass(&rows, &|line, k| k * CELLS + line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE_PX: u32 = 256;

    /// A square of skin with lines that are this deep in red and green.
    fn drawn(red: f32, green: f32) -> Picture {
        let line = |x: u32, y: u32| if (x + y / 3) % 40 < 4 { 1.0 } else { 0.0 };
        let pixels = (0..EDGE_PX * EDGE_PX).flat_map(|i| {
            let depth = line(i % EDGE_PX, i / EDGE_PX);
            [200.0 * (1.0 - red * depth), 150.0 * (1.0 - green * depth), 120.0].map(|v| v as u8)
        });
        Picture::from_rgb(EDGE_PX, EDGE_PX, pixels.collect()).unwrap()
    }

    const WHOLE: [(f32, f32); 4] = [
        (0.0, 0.0),
        (EDGE_PX as f32, 0.0),
        (EDGE_PX as f32, EDGE_PX as f32),
        (0.0, EDGE_PX as f32),
    ];

    #[test]
    fn skin_is_deeper_in_green_and_shadow_is_not() {
        let skin = Colour::of(&drawn(0.2, 0.4), WHOLE).unwrap();
        assert!((skin.lines.unwrap() - 0.5).abs() < 0.06, "{:?}", skin.lines);
        let shadow = Colour::of(&drawn(0.3, 0.3), WHOLE).unwrap();
        let bloom = Colour::bloom(&[&shadow]).unwrap();
        assert!((shadow.lines.unwrap() - 1.0).abs() < 0.03, "{:?}", shadow.lines);
        assert!(bloom < 0.01, "{bloom}");
    }

    /// Patches of skin that are redder or paler, and a gloss or a noise that each frame has elsewhere.
    fn blotched(pigment: f32, passing: f32, frame: u32) -> Colour {
        let noise = |k: u32| (k.wrapping_mul(2_654_435_761) >> 16) as f32 / 32_768.0 - 1.0;
        let pixels = (0..EDGE_PX * EDGE_PX).flat_map(|i| {
            let patch = (i % EDGE_PX) / 32 + (i / EDGE_PX) / 32 * 8;
            let off = 1.0 + pigment * noise(patch + 7) + passing * noise(patch + 900 * (frame + 1));
            // As bright as the others: what follows the brightness is taken for a gloss.
            [180.0 * off, 340.0 - 180.0 * off, 120.0].map(|v| v as u8)
        });
        let picture = Picture::from_rgb(EDGE_PX, EDGE_PX, pixels.collect()).unwrap();
        Colour::of(&picture, WHOLE).unwrap()
    }

    #[test]
    fn what_passes_from_frame_to_frame_is_no_bloom() {
        let bloom = |pigment, passing| {
            let frames: Vec<Colour> = (0..3).map(|k| blotched(pigment, passing, k)).collect();
            Colour::bloom(&frames.iter().collect::<Vec<_>>()).unwrap()
        };
        let (skin, noisy, dye) = (bloom(0.05, 0.0), bloom(0.05, 0.05), bloom(0.0, 0.05));
        assert!((noisy - skin).abs() < 0.4 * skin, "skin {skin}, in noise {noisy}");
        assert!(dye < 0.5 * skin, "skin {skin}, one dye in noise {dye}");
        assert_eq!(Colour::bloom(&[]), None);
    }

    /// Cut off at white within so many pixels of the region's middle, or beyond them.
    fn washed(within: bool, reach: u32) -> Picture {
        let off = |k: u32| k.abs_diff(EDGE_PX / 2).pow(2);
        let pixels = (0..EDGE_PX * EDGE_PX).flat_map(|i| {
            let is_near = off(i % EDGE_PX) + off(i / EDGE_PX) < reach * reach;
            if is_near == within { [255, 255, 240] } else { [180, 160, 120] }
        });
        Picture::from_rgb(EDGE_PX, EDGE_PX, pixels.collect()).unwrap()
    }

    #[test]
    fn a_washed_frame_takes_no_part_unless_all_are() {
        let washed = Colour::of(&washed(true, EDGE_PX), WHOLE).unwrap();
        let [one, two] = [0, 1].map(|k| blotched(0.05, 0.01, k));
        assert_eq!(Colour::bloom(&[&washed, &washed, &washed]), Some(0.0));
        assert_eq!(Colour::bloom(&[&washed]), Some(0.0));
        assert_eq!(Colour::bloom(&[&washed, &one, &washed]), None);
        assert!(Colour::bloom(&[&one]).is_some_and(|it| it > 0.0));
        let both = Colour::bloom(&[&one, &two]);
        assert!(both.is_some_and(|it| it > 0.01), "{both:?}");
        assert_eq!(Colour::bloom(&[&one, &washed, &two]), both);
    }

    #[test]
    fn only_the_palm_is_washed() {
        // Its patches' middles are within 3.2 patches of 32 pixels: half of the region, and not half of it.
        let palm = Colour::of(&washed(true, 100), WHOLE).unwrap();
        assert!(palm.hues.is_none(), "the palm is white, and what is around it is not");
        let around = Colour::of(&washed(false, 90), WHOLE).unwrap();
        assert!(around.hues.is_some(), "what is around the palm is white");
    }

    #[test]
    fn nothing_is_said_where_nothing_is_seen() {
        assert_eq!(Colour::of(&drawn(0.0, 0.0), WHOLE).unwrap().lines, None);
        let grey =
            Picture::from_grey(EDGE_PX, EDGE_PX, vec![90; (EDGE_PX * EDGE_PX) as usize]).unwrap();
        assert!(Colour::of(&grey, WHOLE).is_none());
    }
}
