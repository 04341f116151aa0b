//! The precomputed surface of a hand: what the camera looks up for every pixel.

use crate::anatomy::Anatomy;
use crate::creases::{Layer, Stroke, strokes};
use crate::maths::{BELL_REACH, Point, bell, smooth_step};
use crate::resample::shrink;
use crate::stream::{Noise, Purpose, Stream};
use crate::veins::vein_strokes;

/// Pixels a hand unit at the finest level: enough for crops of 256 px and hands 1,000 px long.
const FINEST: f32 = 144.0;
/// Each further level is smaller by the square root of two, down to hands 250 px long.
const LEVELS: usize = 5;
/// Shape and height are smooth and are computed on a coarser grid.
const SHAPE: f32 = 36.0;
/// Distances to the edge are kept this far to both sides, in hand units.
pub(crate) const EDGE: f32 = 0.12;

/// What a texel holds, a byte each.
pub(crate) mod channel {
    /// Brightness of the skin, 128 = 1.
    pub(crate) const TONE: usize = 0;
    /// Redness, 128 = the skin's own.
    pub(crate) const RED: usize = 1;
    /// Creases that every picture shows.
    pub(crate) const CREASE: usize = 2;
    /// Lines that come and go.
    pub(crate) const FINE: usize = 3;
    /// The surface normal's x, 128 = 0.
    pub(crate) const SLOPE_X: usize = 4;
    /// The surface normal's y, 128 = 0.
    pub(crate) const SLOPE_Y: usize = 5;
    /// Distance to the edge, 0 = deep inside, 255 = far outside.
    pub(crate) const EDGE: usize = 6;
    /// Veins, seen in near infrared alone.
    pub(crate) const VEIN: usize = 7;
    pub(crate) const COUNT: usize = 8;
}

pub(crate) type Texel = [u8; channel::COUNT];

/// The part of a hand that an atlas covers, in hand units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Region {
    /// Fingertips to sleeve.
    pub(crate) const WHOLE: Self = Self { left: -2.35, top: -3.55, right: 1.85, bottom: 3.1 };
    /// What a crop can show.
    pub(crate) const PALM: Self = Self { left: -1.25, top: -1.15, right: 1.1, bottom: 1.2 };
}

/// One resolution of the surface.
#[derive(Debug)]
pub(crate) struct Level {
    /// Pixels a hand unit.
    pub(crate) scale: f32,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) texels: Vec<Texel>,
}

/// A hand's surface at several resolutions.
#[derive(Debug)]
pub(crate) struct Atlas {
    pub(crate) region: Region,
    levels: Vec<Level>,
    /// Where the sleeve begins at the arm's middle.
    pub(crate) sleeve: f32,
}

impl Atlas {
    pub(crate) fn build(seed: u64, anatomy: &Anatomy, wrinkling: f32, region: Region) -> Self {
        let shape = Shape::build(anatomy, region);
        let finest = finest(seed, anatomy, wrinkling, region, &shape);
        let mut levels = vec![finest];
        for _ in 1..LEVELS {
            let above = &levels[levels.len() - 1];
            levels.push(next_level(above));
        }
        Self { region, levels, sleeve: anatomy.sleeve }
    }

    /// The coarsest level that still has `pixels` for a hand unit, or the finest.
    pub(crate) fn level(&self, pixels: f32) -> &Level {
        self.levels.iter().rev().find(|level| level.scale >= pixels).unwrap_or(&self.levels[0])
    }
}

fn next_level(above: &Level) -> Level {
    let scale = above.scale / std::f32::consts::SQRT_2;
    let ratio = scale / above.scale;
    let width = (above.width as f32 * ratio).floor() as usize;
    let height = (above.height as f32 * ratio).floor() as usize;
    let step = 1.0 / ratio;
    let texels = shrink(&above.texels, (above.width, above.height), (width, height), (step, step));
    Level { scale, width, height, texels }
}

/// Distance, normal and colouring on the coarse grid.
struct Shape {
    width: usize,
    height: usize,
    /// Distance, normal x, normal y, redness.
    cells: Vec<[f32; 4]>,
}

impl Shape {
    fn build(anatomy: &Anatomy, region: Region) -> Self {
        let width = ((region.right - region.left) * SHAPE).ceil() as usize + 2;
        let height = ((region.bottom - region.top) * SHAPE).ceil() as usize + 2;
        let place =
            |x: usize, y: usize| [region.left + x as f32 / SHAPE, region.top + y as f32 / SHAPE];
        let mut distances = Vec::with_capacity(width * height);
        let mut heights = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let p = place(x, y);
                let d = anatomy.distance(p);
                distances.push(d);
                heights.push(anatomy.height(p, d));
            }
        }
        let tips = anatomy.tips();
        let mut cells = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = |x: usize, y: usize| heights[y.min(height - 1) * width + x.min(width - 1)];
                let dx = (at(x + 1, y) - at(x.saturating_sub(1), y)) * SHAPE / 2.0;
                let dy = (at(x, y + 1) - at(x, y.saturating_sub(1))) * SHAPE / 2.0;
                let norm = (1.0 + dx * dx + dy * dy).sqrt();
                let red = redness(place(x, y), &tips);
                cells.push([distances[y * width + x], -dx / norm, -dy / norm, red]);
            }
        }
        Self { width, height, cells }
    }

    /// Bilinear between the cells, `x` and `y` in cells.
    fn at(&self, x: f32, y: f32) -> [f32; 4] {
        let x = x.clamp(0.0, (self.width - 2) as f32);
        let y = y.clamp(0.0, (self.height - 2) as f32);
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let cell = |dx: usize, dy: usize| &self.cells[(row + dy) * self.width + column + dx];
        let mut out = [0.0; 4];
        for (k, value) in out.iter_mut().enumerate() {
            let above = cell(0, 0)[k] * (1.0 - fx) + cell(1, 0)[k] * fx;
            let below = cell(0, 1)[k] * (1.0 - fx) + cell(1, 1)[k] * fx;
            *value = above * (1.0 - fy) + below * fy;
        }
        out
    }
}

/// Blood shows at the tips and on the cushions, and less in the hollow.
fn redness(p: Point, tips: &[Point; 5]) -> f32 {
    let spot = |centre: Point, width: f32| {
        let (dx, dy) = ((p[0] - centre[0]) / width, (p[1] - centre[1]) / width);
        bell(dx * dx + dy * dy)
    };
    let mut red = 0.55 * spot([-0.6, 0.5], 0.4) + 0.6 * spot([0.66, 0.7], 0.36)
        - 0.3 * spot([0.05, 0.1], 0.5);
    for (x, y) in [(-0.7, -0.8), (-0.24, -0.88), (0.24, -0.82), (0.7, -0.6)] {
        red += 0.4 * spot([x, y], 0.16);
    }
    for &tip in tips {
        red += 0.8 * spot(tip, 0.2);
    }
    red - 0.5 * smooth_step(1.5, 2.0, p[1])
}

/// The finest level: lines, texture and shape together.
fn finest(seed: u64, anatomy: &Anatomy, wrinkling: f32, region: Region, shape: &Shape) -> Level {
    let width = ((region.right - region.left) * FINEST).ceil() as usize;
    let height = ((region.bottom - region.top) * FINEST).ceil() as usize;
    let mut creases = Map::new(region, width, height);
    let mut folds = Map::new(region, width, height);
    let mut fine = Map::new(region, width, height);
    for stroke in strokes(seed, wrinkling, anatomy) {
        match stroke.layer {
            Layer::Crease => {
                creases.draw(&stroke, stroke.width, 1.0);
                folds.draw(&stroke, stroke.width * 2.6, 0.55);
            }
            Layer::Fine => fine.draw(&stroke, stroke.width, 1.0),
        }
    }
    let mut veins = Map::new(region, width, height);
    for stroke in vein_strokes(seed, anatomy) {
        veins.draw(&stroke, stroke.width, 1.0);
    }
    let grain = Grain::of(seed);
    let mut texels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let p =
                [region.left + (x as f32 + 0.5) / FINEST, region.top + (y as f32 + 0.5) / FINEST];
            let cell = shape.at((p[0] - region.left) * SHAPE, (p[1] - region.top) * SHAPE);
            if cell[0] > EDGE {
                texels.push(OUTSIDE);
                continue;
            }
            let (fold_x, fold_y) = folds.slope(x, y);
            let i = y * width + x;
            let (tone, mottle) = grain.at(p);
            let hem = p[1] - anatomy.sleeve_edge(p[0]);
            let shadow =
                1.0 - 0.3 * smooth_step(-0.10, 0.0, hem) * (1.0 - smooth_step(0.0, 0.01, hem));
            texels.push([
                byte(128.0 * tone * shadow * (1.0 - 0.16 * folds.values[i])),
                byte(128.0 + 60.0 * (cell[3] + mottle)),
                byte(255.0 * creases.values[i]),
                byte(255.0 * fine.values[i]),
                byte(128.0 + 127.0 * (cell[1] + 0.9 * fold_x).clamp(-1.0, 1.0)),
                byte(128.0 + 127.0 * (cell[2] + 0.9 * fold_y).clamp(-1.0, 1.0)),
                byte(127.5 + 127.5 * cell[0] / EDGE),
                byte(255.0 * veins.values[i]),
            ]);
        }
    }
    Level { scale: FINEST, width, height, texels }
}

/// A texel with no skin in it.
const OUTSIDE: Texel = [128, 128, 0, 0, 128, 128, 255, 0];

fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// Brightness and redness from place to place: blotches, pores, ridges.
struct Grain {
    broad: Noise,
    middle: Noise,
    pores: Noise,
    ridges: Noise,
    flow: Noise,
}

impl Grain {
    fn of(seed: u64) -> Self {
        let mut tone = Stream::new(seed, Purpose::Tone);
        let mut ridges = Stream::new(seed, Purpose::Ridges);
        Self {
            broad: tone.noise(),
            middle: tone.noise(),
            pores: tone.noise(),
            ridges: ridges.noise(),
            flow: ridges.noise(),
        }
    }

    /// Tone (around 1) and redness (around 0).
    fn at(&self, p: Point) -> (f32, f32) {
        let [x, y] = p;
        let broad = self.broad.at(x * 2.3, y * 2.3);
        let middle = self.middle.at(x * 9.0, y * 9.0);
        let pores = self.pores.at(x * 34.0, y * 34.0);
        // ridges: noise drawn out along a slowly turning direction
        let turn = 1.3 * self.flow.at(x * 1.1, y * 1.1) + 0.6;
        let (along, across) = (x + turn * y, y - turn * x);
        let ridges = self.ridges.at(along * 7.0, across * 30.0);
        let tone = 1.0 + 0.035 * broad + 0.030 * middle + 0.034 * pores + 0.042 * ridges;
        (tone, 0.22 * self.middle.at(x * 5.0 + 40.0, y * 5.0) + 0.18 * broad)
    }
}

/// Strokes add up here: the darkest wins.
struct Map {
    region: Region,
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Map {
    fn new(region: Region, width: usize, height: usize) -> Self {
        Self { region, width, height, values: vec![0.0; width * height] }
    }

    fn draw(&mut self, stroke: &Stroke, width: f32, gain: f32) {
        for pair in stroke.points.windows(2) {
            let (from, to) = (self.pixel(pair[0].0), self.pixel(pair[1].0));
            self.segment(from, to, [pair[0].1 * gain, pair[1].1 * gain], width * FINEST);
        }
    }

    fn pixel(&self, p: Point) -> Point {
        [(p[0] - self.region.left) * FINEST - 0.5, (p[1] - self.region.top) * FINEST - 0.5]
    }

    /// One straight piece with a soft cross-section of deviation `width` pixels.
    fn segment(&mut self, from: Point, to: Point, depth: [f32; 2], width: f32) {
        let reach = width * BELL_REACH;
        let columns = span(from[0].min(to[0]) - reach, from[0].max(to[0]) + reach, self.width);
        let rows = span(from[1].min(to[1]) - reach, from[1].max(to[1]) + reach, self.height);
        let axis = [to[0] - from[0], to[1] - from[1]];
        let norm = (axis[0] * axis[0] + axis[1] * axis[1]).max(1e-9);
        let scale = 1.0 / (width * width);
        for y in rows {
            for x in columns.clone() {
                let d = [x as f32 - from[0], y as f32 - from[1]];
                let along = ((d[0] * axis[0] + d[1] * axis[1]) / norm).clamp(0.0, 1.0);
                let off = [d[0] - axis[0] * along, d[1] - axis[1] * along];
                let value = (depth[0] + (depth[1] - depth[0]) * along)
                    * bell((off[0] * off[0] + off[1] * off[1]) * scale);
                let cell = &mut self.values[y * self.width + x];
                *cell = cell.max(value);
            }
        }
    }

    /// How the map rises to the right and downwards, a pixel wide.
    fn slope(&self, x: usize, y: usize) -> (f32, f32) {
        let at = |x: usize, y: usize| self.values[y * self.width + x];
        let right = at((x + 1).min(self.width - 1), y) - at(x.saturating_sub(1), y);
        let down = at(x, (y + 1).min(self.height - 1)) - at(x, y.saturating_sub(1));
        (right, down)
    }
}

/// The whole pixels within a span, cut to `0..limit`.
fn span(from: f32, to: f32, limit: usize) -> std::ops::Range<usize> {
    let first = from.ceil().max(0.0) as usize;
    let last = (to.floor() + 1.0).clamp(0.0, limit as f32) as usize;
    first.min(last)..last
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_palm::Side;

    #[test]
    fn levels_shrink_and_the_right_one_is_found() {
        let atlas =
            Atlas::build(1, &Anatomy::of(1, Side::Left, crate::Fingers::Spread), 0.5, Region::PALM);
        assert_eq!(atlas.level(1_000.0).scale, FINEST);
        assert!(atlas.level(85.0).scale >= 85.0 && atlas.level(85.0).scale < FINEST);
        assert!(atlas.level(1.0).scale < 40.0);
        for level in &atlas.levels {
            assert_eq!(level.texels.len(), level.width * level.height);
        }
    }

    #[test]
    fn a_drawn_line_is_darkest_in_its_middle() {
        let region = Region::PALM;
        let mut map = Map::new(region, 338, 338);
        let points = vec![([-0.5, 0.0], 1.0), ([0.5, 0.0], 1.0)];
        map.draw(&Stroke { points, width: 0.02, layer: Layer::Crease }, 0.02, 0.8);
        let at = |row: usize| map.values[row * 338 + 180];
        assert!(at(165) > 0.78 && at(165) <= 0.8);
        assert!(at(169) < at(166) && at(181) == 0.0);
    }
}
