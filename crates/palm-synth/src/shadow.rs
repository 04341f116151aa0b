//! The shadow that a hand casts on the ground behind it: it moves with the hand, and what is around a
//! living hand must not be taken for a sheet because of it.

use crate::camera::Canvas;

/// From the hand to the ground, in hand units: about ten centimetres.
pub(crate) const GROUND_BEHIND: f32 = 2.5;
/// Pixels of the picture on a side of a cell of the shadow: it is soft.
const CELL_PX: usize = 8;
/// How soft its edge is, in hand units: a lamp is no point.
const SOFT: f32 = 0.3;
/// Passes of a mean that together make a soft edge.
const PASSES: usize = 3;

/// Darkens the ground by at most `depth` where `is_covered` says that a hand is between it and the light.
/// `scale` is pixels a hand unit.
pub(crate) fn cast(
    canvas: &mut Canvas,
    depth: f32,
    scale: f32,
    is_covered: impl Fn(f32, f32) -> bool,
) {
    let (columns, rows) = (canvas.width.div_ceil(CELL_PX), canvas.height.div_ceil(CELL_PX));
    let middle = |k: usize| (k * CELL_PX + CELL_PX / 2) as f32;
    let mut cover: Vec<f32> = (0..columns * rows)
        .map(|i| f32::from(u8::from(is_covered(middle(i % columns), middle(i / columns)))))
        .collect();
    let reach = ((SOFT * scale / CELL_PX as f32) as usize).max(1);
    for _ in 0..PASSES {
        cover = mean(&cover, (columns, rows), reach, (columns, 1));
        cover = mean(&cover, (rows, columns), reach, (1, columns));
    }
    let width = canvas.width;
    for (i, pixel) in canvas.pixels.iter_mut().enumerate() {
        let place = |k: usize, cells: usize| {
            (((k as f32 + 0.5) / CELL_PX as f32) - 0.5).clamp(0.0, (cells - 1) as f32)
        };
        let (x, y) = (place(i % width, columns), place(i / width, rows));
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let at = |column: usize, row: usize| {
            cover[row.min(rows - 1) * columns + column.min(columns - 1)]
        };
        let above = at(column, row) * (1.0 - fx) + at(column + 1, row) * fx;
        let below = at(column, row + 1) * (1.0 - fx) + at(column + 1, row + 1) * fx;
        let light = 1.0 - depth * (above * (1.0 - fy) + below * fy);
        *pixel = pixel.map(|value| value * light);
    }
}

/// The mean along lines of `size.0` cells, of which there are `size.1`; `steps` from line to line and from
/// cell to cell.
fn mean(cells: &[f32], size: (usize, usize), reach: usize, steps: (usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; cells.len()];
    for line in 0..size.1 {
        for k in 0..size.0 {
            let near = k.saturating_sub(reach)..(k + reach + 1).min(size.0);
            let count = near.len() as f32;
            let sum: f32 = near.map(|j| cells[line * steps.0 + j * steps.1]).sum();
            out[line * steps.0 + k * steps.1] = sum / count;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_is_soft_and_ends() {
        let mut canvas = Canvas { width: 320, height: 160, pixels: vec![[200.0; 3]; 320 * 160] };
        cast(&mut canvas, 0.5, 40.0, |x, _| x < 160.0);
        let row: Vec<f32> = canvas.pixels[80 * 320..81 * 320].iter().map(|it| it[0]).collect();
        assert!((row[20] - 100.0).abs() < 1.0 && (row[300] - 200.0).abs() < 1.0);
        let steepest = row.windows(2).map(|it| (it[1] - it[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 4.0, "an edge of {steepest} a pixel");
    }
}
