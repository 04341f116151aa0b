//! A blob's outline.

use zeroize::Zeroizing;

use super::blob::Blob;
use super::view::Point;

/// The eight neighbours, clockwise on the screen from the left.
const RING: [(isize, isize); 8] =
    [(-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1)];

/// How often as long as its bounds' outline a hand's may be: fingers go up and down.
const OUTLINE_BOUNDS: usize = 4;

/// The outer outline, clockwise on the screen, each pixel after its neighbour (Moore's tracing).
pub fn trace(blob: &Blob) -> Zeroizing<Vec<Point>> {
    let (width, height) = (blob.width() as isize, blob.height() as isize);
    let inside = |x: isize, y: isize| {
        x >= 0 && y >= 0 && x < width && y < height && blob.bits()[(y * width + x) as usize]
    };
    let Some(first) = blob.bits().iter().position(|&bit| bit) else { return Zeroizing::default() };
    let start = (first as isize % width, first as isize / width);
    // The first pixel met row by row has nothing to its left: the search begins there.
    let (mut at, mut from) = (start, 0);
    let mut first_step = None;
    // An outline as long as a hand's fits, so that nothing grows and leaves a copy behind.
    let around = 2 * (blob.bounds().columns.len() + blob.bounds().rows.len());
    let mut contour = Zeroizing::new(Vec::with_capacity(OUTLINE_BOUNDS * around));
    // Each pixel is left at most once in each direction.
    for _ in 0..8 * blob.area() {
        let next = (1..=8).map(|k| (from + k) % 8).find(|&direction| {
            let (dx, dy) = RING[direction];
            inside(at.0 + dx, at.1 + dy)
        });
        // Back at the start and leaving as the first time; or a single pixel.
        let Some(step) = next.filter(|_| at != start || next != first_step) else { break };
        first_step = first_step.or(next);
        contour.push(Point { x: at.0 as f32, y: at.1 as f32 });
        at = (at.0 + RING[step].0, at.1 + RING[step].1);
        // The next search begins after the pixel just left, as it lies from here.
        from = (step + 4) % 8;
    }
    contour
}

/// Which place of an outline is nearest to a point; none where there is no outline.
pub fn nearest(contour: &[Point], point: Point) -> Option<usize> {
    let off = |at: &usize| (contour[*at] - point).length();
    (0..contour.len()).min_by(|a, b| off(a).total_cmp(&off(b)))
}
