//! Compares the efforts of a probe on folders of palms: `cargo run --release -p handfast-palm
//! --example efforts -- DIR...`, laid out as `DIR/<palm>/<sample>`; samples that begin with `s1_` are
//! compared with those that begin with `s2_`, or all with all where there are none. Folders whose
//! names end in `-roi` hold crops. Samples that cannot be acquired are counted as misses. `handfast
//! eval` says more, with intervals. Without folders it prints the thresholds of both efforts and what
//! they rest on.

#![expect(clippy::print_stdout, reason = "a tool prints")]

use std::error::Error;
use std::path::{Path, PathBuf};

use handfast_palm::{
    Effort, LENGTH, Reference, Sample, Side, ThresholdGround, acquire, decode, probe_with,
    reference, score_rows, threshold_with,
};

/// What the comparison of one probe vector with one row costs a node of the split vault.
const VECTOR_NANOS: f64 = 60.0;
const NUMBER_NANOS: f64 = 0.05;
const RATES: [f64; 6] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

struct Taken {
    palm: usize,
    session: char,
    /// None where it could not be acquired.
    sample: Option<Sample>,
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().len() == 1 {
        print_thresholds();
        return Ok(());
    }
    println!("set, vectors x length, us a row: EER %, then TAR % (threshold) at 1e-1 ... 1e-6");
    for dir in std::env::args().skip(1).map(PathBuf::from) {
        let taken = read_set(&dir)?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for effort in [Effort::Full, Effort::Light] {
            let (mut genuine, mut impostor) = scores(&taken, effort)?;
            genuine.sort_unstable();
            impostor.sort_unstable_by(|a, b| b.cmp(a));
            let cost = effort.vectors() as f64 * (VECTOR_NANOS + NUMBER_NANOS * LENGTH as f64);
            print!("{name}, {} x {LENGTH}, {:.2}:", effort.vectors(), cost / 1000.0);
            println!(" {}", rates(&genuine, &impostor));
        }
    }
    Ok(())
}

fn print_thresholds() {
    println!("| FMR | full effort | light effort | ground |");
    println!("|---|---|---|---|");
    for fmr in (1..=9).map(|decade| 10_f64.powi(-decade)) {
        let ground = match ThresholdGround::at_fmr(fmr) {
            ThresholdGround::Measured => "measured",
            ThresholdGround::Extrapolated => "extrapolated",
            ThresholdGround::Ended => "ended",
        };
        let [full, light] =
            [Effort::Full, Effort::Light].map(|effort| threshold_with(effort, 1, fmr).get());
        println!("| {fmr:.0e} | {full} | {light} | {ground} |");
    }
}

fn read_set(dir: &Path) -> Result<Vec<Taken>, Box<dyn Error>> {
    let crops = dir.to_string_lossy().ends_with("-roi");
    let mut taken = Vec::new();
    for (palm, folder) in sorted(dir)?.into_iter().filter(|path| path.is_dir()).enumerate() {
        for file in sorted(&folder)? {
            let picture = decode(&std::fs::read(&file)?)?;
            let sample = if crops {
                Some(Sample::from_roi_picture(&picture, Side::Right))
            } else {
                acquire(&picture).ok().map(|capture| capture.sample)
            };
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let session = match name.get(..3) {
                Some("s1_") => '1',
                Some("s2_") => '2',
                _ => '-',
            };
            taken.push(Taken { palm, session, sample });
        }
    }
    Ok(taken)
}

fn sorted(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Genuine scores, `i32::MIN` where a sample is missing, and impostor scores.
fn scores(taken: &[Taken], effort: Effort) -> Result<(Vec<i32>, Vec<i32>), Box<dyn Error>> {
    let sessions = taken.iter().any(|one| one.session == '2');
    let enrolled: Vec<&Taken> =
        taken.iter().filter(|one| !sessions || one.session == '1').collect();
    let mut rows = Vec::with_capacity(enrolled.len() * LENGTH);
    for one in &enrolled {
        let row: Option<Reference> =
            one.sample.clone().map(|sample| reference(&[sample])).transpose()?;
        rows.extend_from_slice(row.as_ref().map_or(&[0; LENGTH][..], Reference::vector));
    }
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    for one in taken.iter().filter(|one| !sessions || one.session == '2') {
        let scores =
            one.sample.as_ref().map(|sample| score_rows(&rows, &probe_with(sample, effort)));
        for (i, other) in
            enrolled.iter().enumerate().filter(|(_, other)| !std::ptr::eq(**other, one))
        {
            let score = other.sample.as_ref().and(scores.as_ref()).map(|scores| scores[i]);
            if one.palm == other.palm {
                genuine.push(score.unwrap_or(i32::MIN));
            } else {
                impostor.extend(score);
            }
        }
    }
    Ok((genuine, impostor))
}

/// EER, then TAR and threshold at each rate that ten impostor pairs speak for.
fn rates(genuine: &[i32], impostor: &[i32]) -> String {
    let missed = |threshold| {
        genuine.partition_point(|&score| score < threshold) as f64 / genuine.len() as f64
    };
    let matched = |i: usize| (i + 1) as f64 / impostor.len() as f64;
    let crossing = (0..impostor.len()).find(|&i| matched(i) >= missed(impostor[i])).unwrap_or(0);
    let eer = f64::midpoint(matched(crossing), missed(impostor[crossing]));
    let mut text = format!("{:.2} ", 100.0 * eer);
    for rate in RATES {
        let allowed = (rate * impostor.len() as f64) as usize;
        let threshold = impostor.get(allowed).map_or(i32::MAX, |&score| score + 1);
        let spoken_for = if allowed >= 10 { "" } else { "?" };
        text += &format!(" {:.2}{spoken_for} ({threshold})", 100.0 * (1.0 - missed(threshold)));
    }
    text
}
