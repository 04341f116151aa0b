//! The vein tree of a palm, seen in near infrared: broad soft branches from the wrist to the
//! fingers. Blood absorbs 850 nm; a few millimetres of skin blur what is under them.

use crate::anatomy::Anatomy;
use crate::creases::{Layer, Stroke};
use crate::maths::{Point, length, mix, sin_cos, smooth_step};
use crate::stream::{Noise, Purpose, Stream};

/// Veins of one hand.
pub(crate) fn vein_strokes(seed: u64, anatomy: &Anatomy) -> Vec<Stroke> {
    let mut stream = Stream::new(seed, Purpose::Veins);
    let wander = stream.noise();
    let mut strokes = Vec::new();
    let arch_y = stream.around(-0.1, 0.12);
    let mut serial = 0.0;
    for finger in &anatomy.fingers {
        let arch =
            [finger.base[0] * 0.75 + stream.around(0.0, 0.08), arch_y + stream.around(0.0, 0.1)];
        let wrist = [arch[0] * 0.5 + stream.around(0.0, 0.12), 1.5];
        serial += 11.0;
        strokes.push(branch(&mut stream, wander, serial, wrist, arch, 0.042));
        for across in [-0.5, 0.5] {
            serial += 11.0;
            let end = finger.at(0.5, across * finger.half_width);
            strokes.push(branch(&mut stream, wander, serial, arch, end, 0.030));
        }
    }
    for _ in 0..5 + (stream.unit() * 4.0) as usize {
        serial += 11.0;
        let from = [stream.between(-0.75, 0.7), stream.between(-0.6, 0.9)];
        let (sine, cosine) = sin_cos(stream.around(1.57, 0.8));
        let long = stream.between(0.35, 0.75);
        let to = [from[0] + cosine * long, from[1] - sine * long];
        strokes.push(branch(&mut stream, wander, serial, from, to, 0.026));
    }
    strokes
}

fn branch(
    stream: &mut Stream,
    wander: Noise,
    serial: f32,
    from: Point,
    to: Point,
    width: f32,
) -> Stroke {
    const STEPS: usize = 40;
    let depth = stream.between(0.45, 0.95);
    let long = length([to[0] - from[0], to[1] - from[1]]);
    // a short vein bends as gently as a long one
    let reach = long.min(1.0);
    let ends = |t: f32| smooth_step(-0.1, 0.25, t) * smooth_step(-0.1, 0.25, 1.0 - t);
    let points = (0..=STEPS)
        .map(|i| {
            let t = i as f32 / STEPS as f32;
            let free = 4.0 * t * (1.0 - t);
            let off = |k: f32| 0.12 * reach * free * wander.at(t * 3.0 * reach, serial + k);
            (
                [mix(from[0], to[0], t) + off(0.5), mix(from[1], to[1], t) + off(4.5)],
                depth * ends(t),
            )
        })
        .collect();
    Stroke { points, width: width * stream.between(0.8, 1.2), layer: Layer::Crease }
}
