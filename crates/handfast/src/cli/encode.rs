//! `handfast encode`: what the engine makes of one picture.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use handfast_palm::{FORMAT_VERSION, LENGTH, PROBE_VECTORS, Refused, probe, quality, reference};
use serde::Serialize;
use zeroize::Zeroizing;

use super::picture_file::{
    Acquired, Milliseconds, PlacementJson, Shows, SideName, acquire_from, placement_words, read,
    refusal_name,
};
use super::stopwatch::SystemStopwatch;
use super::{Answer, print_json};

/// Arguments of `handfast encode`.
#[derive(Debug, Args)]
pub struct Encode {
    /// A PNG, JPEG or BMP picture of one open hand
    image: PathBuf,
    /// The picture is a ready-made crop of the palm, not a whole hand
    #[arg(long)]
    roi: bool,
    /// Which hand the crop shows
    #[arg(long, requires = "roi", default_value = "right")]
    side: SideName,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the template to a new file, readable by you alone; without this, nothing is kept
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to write: a reference is what is stored, a probe is what is compared with it
    #[arg(long, requires = "out", value_name = "KIND", default_value = "reference")]
    kind: Kind,
}

/// The two kinds of template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Reference,
    Probe,
}

/// The answer as JSON: the template's size, never its contents.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome<'a> {
    Encoded {
        side: SideName,
        placement: Option<PlacementJson>,
        sharpness: Option<f32>,
        quality: f32,
        template: TemplateFacts,
        ms: Milliseconds,
        written: Option<&'a Path>,
    },
    Refused {
        reason: &'static str,
        detail: String,
        placement: Option<PlacementJson>,
    },
}

#[derive(Serialize)]
struct TemplateFacts {
    version: u8,
    bytes: usize,
    length: usize,
    probe_vectors: usize,
}

impl Encode {
    /// Encodes the picture and prints what came of it.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        let watch = SystemStopwatch::start();
        let bytes = read(&self.image)?;
        let shows = if self.roi { Shows::Crop(self.side.side()) } else { Shows::Hand };
        match acquire_from(&self.image, &bytes, shows, &watch)? {
            Ok(acquired) => self.print_encoded(out, acquired, &watch),
            Err(refused) => self.print_refused(out, refused),
        }
    }

    fn print_encoded(
        &self,
        out: &mut dyn Write,
        acquired: Acquired,
        watch: &SystemStopwatch,
    ) -> anyhow::Result<Answer> {
        let Acquired { sample, found, mut ms } = acquired;
        let (probe, template_ms) = watch.time(|| probe(&sample));
        ms.template = template_ms;
        let stored = reference(std::slice::from_ref(&sample))?.to_bytes();
        if let Some(path) = &self.out {
            match self.kind {
                Kind::Reference => write_template(path, &stored)?,
                Kind::Probe => write_template(path, &probe.to_bytes())?,
            }
        }
        let side = SideName::of(sample.side());
        let quality = quality(&sample);
        let template = TemplateFacts {
            version: FORMAT_VERSION,
            bytes: stored.len(),
            length: LENGTH,
            probe_vectors: PROBE_VECTORS,
        };
        if self.json {
            let placement = found.map(|(placement, _)| placement.into());
            let sharpness = found.map(|(_, sharpness)| sharpness);
            let written = self.out.as_deref();
            let quality = quality.value();
            let outcome =
                Outcome::Encoded { side, placement, sharpness, quality, template, ms, written };
            print_json(out, &outcome)?;
            return Ok(Answer::Positive);
        }
        writeln!(
            out,
            "{} palm{}",
            side.word(),
            if self.roi { " (a crop, as you said)" } else { "" }
        )?;
        if let Some((placement, sharpness)) = found {
            writeln!(out, "  placement  {}", placement_words(placement))?;
            writeln!(out, "  sharpness  {sharpness:.2} (0 no detail, 1 as sharp as can be)")?;
        }
        writeln!(
            out,
            "  quality    {:.2} (0 no lines, 1 as good as can be): coherence {:.2}, clarity {:.2}",
            quality.value(),
            quality.coherence,
            quality.clarity
        )?;
        writeln!(
            out,
            "  template   version {}, {} bytes: {LENGTH} numbers; the probe has {PROBE_VECTORS} such \
             vectors",
            template.version, template.bytes
        )?;
        writeln!(out, "  took       {}", milliseconds_words(&ms))?;
        match &self.out {
            Some(path) => writeln!(out, "  written    {}", path.display())?,
            None => writeln!(out, "  kept       nothing (--out FILE writes the template)")?,
        }
        Ok(Answer::Positive)
    }

    fn print_refused(&self, out: &mut dyn Write, refused: Refused) -> anyhow::Result<Answer> {
        if self.json {
            let outcome = Outcome::Refused {
                reason: refusal_name(refused.refusal),
                detail: refused.refusal.to_string(),
                placement: refused.placement.map(Into::into),
            };
            print_json(out, &outcome)?;
        } else {
            writeln!(out, "refused: {}", refused.refusal)?;
            if let Some(placement) = refused.placement {
                writeln!(out, "  placement  {}", placement_words(placement))?;
            }
        }
        Ok(Answer::Negative)
    }
}

/// Writes a template to a new file that its owner alone may read. An existing file is never
/// overwritten: it may be the only copy of somebody's reference.
fn write_template(path: &Path, bytes: &Zeroizing<Vec<u8>>) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let name = path.display();
    let mut file = options.open(path).with_context(|| {
        format!("{name} cannot be made; name a new file in a folder that you may write to")
    })?;
    file.write_all(bytes).with_context(|| format!("{name} could not be written whole; remove it"))
}

fn milliseconds_words(ms: &Milliseconds) -> String {
    let stages = [
        ("decode", Some(ms.decode)),
        ("hand", ms.hand),
        ("roi", Some(ms.roi)),
        ("template", Some(ms.template)),
    ];
    let words = stages.into_iter().filter_map(|(name, ms)| Some(format!("{name} {:.1} ms", ms?)));
    words.collect::<Vec<_>>().join(", ")
}
