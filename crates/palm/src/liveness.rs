//! Whether what is held to the camera is a living hand: looked at over the frames of one capture.
//!
//! ```text
//! Picture + Found --glimpse--> Glimpse (one a frame) --liveness--> Liveness::{Live, Suspect(cue)}
//! ```
//!
//! Every cue is a number that physics gives a direction: a grid of pixels or printer's dots makes
//! sharp peaks in the spectrum; a print's or a cast's lines differ from skin's in how much more green
//! than red they swallow, and its patches differ less in hue; a sheet's own ground and edge move with it,
//! where what is around a living hand stays. The cues are weighed by a model fitted to drawn hands and drawn attacks
//! (`handfast liveness --fit` prints it); no real hand and no real attack took part.
//!
//! What this cannot know: pulse, warmth, and how it does against re-photographed prints and made
//! replicas, which only a laboratory's can show.

mod around;
mod coarse;
mod colour;
mod model;
mod motion;
mod patch;
mod spectrum;

use std::fmt;

use crate::{Found, Picture};
pub use model::{Cue, CueModel, CueWeights, LIVENESS_VERSION, Liveness};
use patch::Patch;

/// Fingers that lean less than this, in radians, are still: it is what the fit of a motion strays by.
const LEANING_MIN: f32 = 0.001;

/// A hand that moved less than this between two frames, in cells, is held still, and its fingers with it:
/// that says nothing.
const MOVED_MIN: f32 = 0.5;

/// How many cues there are.
pub const CUES: usize = 8;

/// What liveness keeps of one frame. Zeroed when dropped.
#[derive(Clone)]
pub struct Glimpse {
    /// The strongest peak of brightness, against what is around it.
    grid: f32,
    /// The strongest peak of colour; none in a grey picture.
    tint_grid: Option<f32>,
    /// How much finest detail there is beside fine detail.
    grain: f32,
    /// How the palm's lines and patches are coloured; none in a grey picture.
    colour: Option<colour::Colour>,
    /// The whole frame, small: how the hand moves from frame to frame, and what is around it.
    coarse: coarse::Coarse,
}

impl fmt::Debug for Glimpse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Glimpse")
    }
}

/// Looks at one frame in which a hand was found.
#[must_use]
pub fn glimpse(picture: &Picture, found: &Found) -> Glimpse {
    let corners = found.corners();
    let spectra = spectrum::Spectra::of(&Patch::around(picture, corners));
    Glimpse {
        // Sensors without colour hum, and hum alone has one direction; colour says for itself what is a grid.
        grid: match spectra.tint {
            Some(_) => spectra.luma.peak(),
            None => spectra.luma.crossing_peak(),
        },
        tint_grid: spectra.tint.as_ref().map(spectrum::Spectrum::peak),
        grain: spectra.luma.grain(),
        colour: colour::Colour::of(picture, corners),
        coarse: coarse::Coarse::of(picture, found),
    }
}

/// What the frames of one capture say, by [`Cue`]: each a number on its own scale, none where
/// the frames cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cues(pub [Option<f32>; CUES]);

/// The cues of one capture's frames, in the order they were taken.
#[must_use]
pub fn cues(glimpses: &[Glimpse]) -> Cues {
    let median = |of: &dyn Fn(&Glimpse) -> Option<f32>| {
        let mut values: Vec<f32> = glimpses.iter().filter_map(of).collect();
        values.sort_by(f32::total_cmp);
        values.get(values.len() / 2).copied()
    };
    // How a grid and the sensor's meet changes as the hand sways: one frame may show it and the next hide it.
    let mean = |of: &dyn Fn(&Glimpse) -> Option<f32>| {
        let (sum, count) = glimpses
            .iter()
            .filter_map(of)
            .fold((0.0, 0.0_f32), |(sum, count), value| (sum + value, count + 1.0));
        (count > 0.0).then_some(sum / count)
    };
    let colour =
        |of: &dyn Fn(&colour::Colour) -> Option<f32>| median(&|it| it.colour.as_ref().and_then(of));
    let mut cues = Cues::default();
    cues.0[Cue::Grid as usize] = mean(&|it| Some(it.grid));
    cues.0[Cue::TintGrid as usize] = mean(&|it| it.tint_grid);
    cues.0[Cue::Grain as usize] = median(&|it| Some(it.grain));
    cues.0[Cue::Lines as usize] = colour(&|it| it.lines);
    let coloured: Vec<&colour::Colour> =
        glimpses.iter().filter_map(|it| it.colour.as_ref()).collect();
    cues.0[Cue::Bloom as usize] = colour::Colour::bloom(&coloured);
    cues.0[Cue::Dye as usize] = colour::Colour::dye(&coloured);
    let moved = moved(glimpses);
    cues.0[Cue::Stiff as usize] = moved.0;
    cues.0[Cue::Carried as usize] = moved.1;
    cues
}

/// Whether the frames of one capture show a living hand. No frame shows nothing suspicious: whoever
/// needs liveness asks for frames first.
#[must_use]
pub fn liveness(glimpses: &[Glimpse]) -> Liveness {
    CueModel::SHIPPED.judge(&cues(glimpses))
}

/// How stiff a hand is, and how much of what is around it moves with it. None with fewer than two frames,
/// or where the hand was lost from one to the other.
fn moved(glimpses: &[Glimpse]) -> (Option<f32>, Option<f32>) {
    let Some((_, firsts)) = glimpses.split_last().filter(|it| !it.1.is_empty()) else {
        return (None, None);
    };
    let details: Vec<_> = glimpses.iter().map(|it| around::detail(&it.coarse)).collect();
    let (mut leaning, mut pairs) = (0.0, 0.0_f32);
    let mut carried: Option<f32> = None;
    for (i, first) in firsts.iter().enumerate() {
        let Some(followed) = motion::Followed::of(&first.coarse) else { continue };
        for (j, other) in glimpses.iter().enumerate().skip(i + 1) {
            let Some(motion) = followed.to(&other.coarse) else { continue };
            if followed.moved(&other.coarse, &motion) >= MOVED_MIN {
                leaning += motion.leaning() * motion.leaning();
                pairs += 1.0;
            }
            let pair = [&*details[i], &*details[j]].map(Vec::as_slice);
            let around = around::around(&followed, &other.coarse, &motion, pair);
            carried = Some(carried.unwrap_or(0.0).max(around));
        }
    }
    let stiff = (pairs > 0.0).then(|| (leaning / pairs).sqrt().max(LEANING_MIN).ln());
    (stiff, carried.map(|it| (1.0 + it).ln()))
}
