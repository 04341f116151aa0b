//! The evening as a picture: entries a minute by palm and by code, and people waiting.

use super::field::Minute;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 56.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 44.0;

/// An SVG that needs nothing else.
pub(super) fn svg(minutes: &[Minute]) -> String {
    let entries_max = minutes.iter().map(|m| m.palm + m.code).max().unwrap_or(0).max(1) as f64;
    let waiting_max = minutes.iter().map(|m| m.waiting).max().unwrap_or(0).max(1) as f64;
    let (wide, high) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let step = wide / minutes.len().max(1) as f64;
    let mut body = String::new();
    for (number, minute) in minutes.iter().enumerate() {
        let x = LEFT + number as f64 * step;
        if minute.cut {
            body += &rect((x, TOP), (step + 0.5, high), "#f4d9c6");
        }
        let palm = minute.palm as f64 / entries_max * high;
        let code = minute.code as f64 / entries_max * high;
        body += &rect((x + 1.0, TOP + high - palm), (step - 1.5, palm), "#1f6f5c");
        body += &rect((x + 1.0, TOP + high - palm - code), (step - 1.5, code), "#8fb8e0");
    }
    let points = minutes.iter().enumerate().map(|(number, minute)| {
        let x = LEFT + (number as f64 + 0.5) * step;
        format!("{x:.1},{:.1}", TOP + high - minute.waiting as f64 / waiting_max * high)
    });
    let points = points.collect::<Vec<_>>().join(" ");
    body += &format!(
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"#7a2e1d\" stroke-width=\"2.5\"/>\n"
    );
    body += &axes(minutes.len(), (entries_max, waiting_max), step);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Entries a minute and people waiting\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn axes(minutes: usize, (entries_max, waiting_max): (f64, f64), step: f64) -> String {
    let bottom = HEIGHT - BOTTOM;
    let mut text = format!(
        "<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\" stroke=\"#333\"/>\n",
        WIDTH - RIGHT
    );
    for minute in (0..=minutes).step_by(15) {
        let x = LEFT + minute as f64 * step;
        text += &label((x, bottom + 18.0), "middle", "#333", &minute.to_string());
    }
    text += &label((WIDTH / 2.0, HEIGHT - 8.0), "middle", "#333", "minutes after the doors");
    text += &label((LEFT - 8.0, TOP + 4.0), "end", "#1f6f5c", &format!("{entries_max:.0}"));
    text +=
        &label((WIDTH - RIGHT + 8.0, TOP + 4.0), "start", "#7a2e1d", &format!("{waiting_max:.0}"));
    let legend = [
        (LEFT, "#1f6f5c", "entries a minute by palm"),
        (LEFT + 210.0, "#4f86bd", "by code"),
        (LEFT + 310.0, "#7a2e1d", "people waiting (right)"),
        (LEFT + 500.0, "#b8794c", "network cut"),
    ];
    for (x, colour, words) in legend {
        text += &label((x, 24.0), "start", colour, &format!("\u{25a0} {words}"));
    }
    text
}

fn rect((x, y): (f64, f64), (width, height): (f64, f64), colour: &str) -> String {
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>\n",
        width.max(0.0)
    )
}

fn label((x, y): (f64, f64), anchor: &str, colour: &str, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>\n"
    )
}
