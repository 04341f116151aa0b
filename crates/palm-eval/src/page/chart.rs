//! Charts as SVG: axes, lines, dots, bars. Colours are classes, so that light and dark both read.

use std::fmt::Write as _;

/// Size of a chart in its own units; text of 15 units stays legible on a phone.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 420.0;
/// Room for the labels.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 62.0;

/// How an axis maps values to places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps for equal differences.
    Linear,
    /// Equal steps for equal factors.
    Logarithmic,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// How it maps.
    pub scale: Scale,
    /// The value at its beginning.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
    /// What it shows.
    pub label: String,
    /// Marked values and their words.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis of whole factors of ten, marked in percent.
    pub fn decades(label: &str, from: i32, to: i32) -> Self {
        let value = |power: i32| 10_f64.powi(power);
        let tick = |power: i32| (value(power), percent_words(power));
        Self {
            scale: Scale::Logarithmic,
            from: value(from),
            to: value(to),
            label: label.to_owned(),
            ticks: (from..=to).map(tick).collect(),
        }
    }

    /// A linear axis with about six round marks.
    pub fn linear(label: &str, from: f64, to: f64, words: impl Fn(f64) -> String) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let rough = (to - from) / 6.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = steps.into_iter().find(|&step| step >= rough).unwrap_or(steps[3]);
        let first = (from / step).ceil() as i64;
        let ticks = (first..)
            .map(|k| k as f64 * step)
            .take_while(|&value| value <= to)
            .map(|value| (value, words(value)))
            .collect();
        Self { scale: Scale::Linear, from, to, label: label.to_owned(), ticks }
    }

    /// Where a value is, 0 to 1; what lies outside is put to the end.
    fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => {
                let log = |v: f64| v.max(f64::MIN_POSITIVE).log10();
                (log(value) - log(self.from)) / (log(self.to) - log(self.from))
            }
        };
        share.clamp(0.0, 1.0)
    }
}

/// A power of ten in percent: the digits that it needs and no more.
fn percent_words(power: i32) -> String {
    let decimals = usize::try_from(-power - 2).unwrap_or(0);
    format!("{:.decimals$} %", 10_f64.powi(power + 2))
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// A line through the points.
    Line,
    /// Rings, with a thin line through them.
    Rings,
    /// Bars from the floor; the points are the bars' left ends.
    Bars,
}

/// What is drawn in one colour.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Its colour: 0 to 7.
    pub colour: usize,
    /// How it is drawn.
    pub mark: Mark,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows, for those who do not see it.
    pub description: String,
    /// The level axis.
    pub x: Axis,
    /// The upright axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

impl Chart {
    /// The chart with its legend, as HTML.
    pub fn html(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        write!(
            out,
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.description)
        )?;
        self.write_axes(out)?;
        for series in &self.series {
            self.write_series(out, series)?;
        }
        write!(out, "</svg><figcaption><ul class=\"legend\">")?;
        for series in &self.series {
            let kind = match series.mark {
                Mark::Line => "line",
                Mark::Rings => "ring",
                Mark::Bars => "bar",
            };
            write!(
                out,
                "<li><span class=\"swatch {kind} c{}\"></span>{}</li>",
                series.colour,
                escape(&series.name)
            )?;
        }
        writeln!(out, "</ul></figcaption></figure>")
    }

    fn write_axes(&self, out: &mut String) -> std::fmt::Result {
        let (floor, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (value, words) in &self.x.ticks {
            let x = self.at_x(*value);
            write!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{floor}\"/>"
            )?;
            let y = floor + 20.0;
            write!(
                out,
                "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
                escape(words)
            )?;
        }
        for (value, words) in &self.y.ticks {
            let y = self.at_y(*value);
            write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            )?;
            let (x, y) = (LEFT - 8.0, y + 5.0);
            write!(
                out,
                "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
                escape(words)
            )?;
        }
        let (x, y) = ((LEFT + right) / 2.0, HEIGHT - 14.0);
        write!(
            out,
            "<text class=\"axis\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
            escape(&self.x.label)
        )?;
        let y = (TOP + floor) / 2.0;
        write!(
            out,
            "<text class=\"axis\" transform=\"translate(18 {y}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(&self.y.label)
        )
    }

    fn write_series(&self, out: &mut String, series: &Series) -> std::fmt::Result {
        let colour = series.colour;
        if series.mark == Mark::Bars {
            return self.write_bars(out, series);
        }
        let path: Vec<String> = series
            .points
            .iter()
            .map(|&(x, y)| format!("{:.1},{:.1}", self.at_x(x), self.at_y(y)))
            .collect();
        let thin = if series.mark == Mark::Rings { " thin" } else { "" };
        write!(out, "<polyline class=\"line{thin} c{colour}\" points=\"{}\"/>", path.join(" "))?;
        if series.mark == Mark::Rings {
            for &(x, y) in &series.points {
                let (x, y) = (self.at_x(x), self.at_y(y));
                write!(
                    out,
                    "<circle class=\"ring c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>"
                )?;
            }
        }
        Ok(())
    }

    fn write_bars(&self, out: &mut String, series: &Series) -> std::fmt::Result {
        let floor = HEIGHT - BOTTOM;
        write!(out, "<path class=\"bars c{}\" d=\"", series.colour)?;
        for pair in series.points.windows(2) {
            let [(x, y), (next, _)] = pair else { continue };
            let (left, right, top) = (self.at_x(*x), self.at_x(*next), self.at_y(*y));
            if *y > 0.0 {
                write!(out, "M{left:.1} {floor}V{top:.1}H{right:.1}V{floor}Z")?;
            }
        }
        write!(out, "\"/>")
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - BOTTOM - TOP)
    }
}

/// Text as it may stand in HTML, between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            description: "a <test>".into(),
            x: Axis::decades("FMR", -5, 0),
            y: Axis::linear("part", 0.0, 1.0, |v| format!("{v:.1}")),
            series: vec![Series {
                name: "a & b".into(),
                colour: 1,
                mark: Mark::Line,
                points: vec![(1e-5, 0.0), (1.0, 1.0), (1e-9, 7.0)],
            }],
        }
    }

    #[test]
    fn ends_of_the_axes_are_ends_of_the_chart() {
        let html = chart().html();
        assert!(html.contains("points=\"78.0,358.0 570.0,14.0 78.0,14.0\""), "{html}");
        assert!(html.contains("a &amp; b") && html.contains("a &lt;test&gt;"));
        assert!(html.contains(">0.001 %<") && html.contains(">100 %<"));
    }

    #[test]
    fn linear_marks_are_round() {
        let axis = Axis::linear("score", -120.0, 12_300.0, |v| format!("{v}"));
        let words: Vec<&str> = axis.ticks.iter().map(|(_, words)| &**words).collect();
        assert_eq!(words, ["0", "5000", "10000"]);
        let flat = Axis::linear("score", 5.0, 5.0, |v| format!("{v}"));
        assert!(flat.to > flat.from && !flat.ticks.is_empty());
    }
}
