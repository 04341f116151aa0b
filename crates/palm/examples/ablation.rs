//! The table of ablations in docs/recognition/template.md: `cargo run --release -p handfast-palm --example
//! ablation -- [--samples N] [--poses] DIR...`, folders of crops laid out as `DIR/<palm>/<sample>`, names
//! beginning with `s1_` against `s2_`. N samples a session are taken (3; 0 takes all of them), so that the
//! numbers compare with each other and with nothing else. With `--poses` the cloud of poses is varied
//! instead of the numbers. The template is computed by a slow oracle whose first line is
//! checked against the engine: it must score as the engine does.

#![expect(clippy::print_stdout, reason = "a tool prints")]

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/oracle.rs"]
mod oracle;

use std::error::Error;
use std::path::{Path, PathBuf};

use handfast_palm::{Picture, Sample, Side, decode, probe, reference, score};

use cloud::{ARM_PX, Cloud, centres};
use oracle::{CORE_PX, Choices, Fields, Pose, SHIPPED};

/// What a node takes for one vector and for one number of it, and the limit for a row.
const VECTOR_NANOS: f64 = 60.0;
const NUMBER_NANOS: f64 = 0.05;
const ROW_NANOS: f64 = 5_000.0;
/// How far a score may be from the engine's, of 16,384. Rounding to integers moves an inner product by
/// about 52 (each number by 0.29, against a vector of length 128, on both sides), and the greatest of 44
/// by somewhat more: five times that. A wrong formula is off by thousands where two crops are of one palm.
const ROUNDING: f32 = 260.0;
const RATES: [f64; 3] = [1e-3, 1e-4, 1e-5];

struct Crop {
    palm: usize,
    session: char,
    picture: Picture,
    /// `CORE_PX` squared grey pixels.
    grey: Vec<u8>,
}

struct Variant {
    name: &'static str,
    choices: Choices,
    cloud: Cloud,
    /// None: as many as the limit allows.
    poses: Option<usize>,
}

impl Variant {
    fn of(name: &'static str, choices: Choices) -> Self {
        Self { name, choices, cloud: cloud::SHIPPED, poses: None }
    }

    fn vectors(&self) -> usize {
        let nanos = VECTOR_NANOS + NUMBER_NANOS * self.choices.length() as f64;
        self.poses.unwrap_or((ROW_NANOS / nanos) as usize)
    }

    fn poses(&self) -> Vec<Pose> {
        let (centres, _) = centres(self.cloud, self.vectors());
        let pose = |[x, y, turn, scale]: [f64; 4]| Pose {
            shift: (x, y),
            angle: turn / ARM_PX,
            scale: (scale / ARM_PX).exp(),
        };
        centres.into_iter().map(pose).collect()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut samples, mut of_poses, mut dirs) = (3, false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--samples" => samples = arguments.next().ok_or("--samples takes a number")?.parse()?,
            "--poses" => of_poses = true,
            _ => dirs.push(PathBuf::from(argument)),
        }
    }
    let variants = if of_poses { pose_variants() } else { number_variants() };
    for dir in dirs {
        let crops = read_set(&dir, samples)?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        check_oracle(&crops)?;
        println!(
            "| {name}, {} crops | length x vectors | us | EER | TAR 1e-3 | 1e-4 | 1e-5 |",
            crops.len()
        );
        println!("|---|---|---|---|---|---|---|");
        for variant in &variants {
            let (length, vectors) = (variant.choices.length(), variant.vectors());
            let nanos = vectors as f64 * (VECTOR_NANOS + NUMBER_NANOS * length as f64);
            let (genuine, impostor) = scores(&crops, variant);
            print!("| {} | {length} x {vectors} | {:.2} ", variant.name, nanos / 1_000.0);
            println!("{}|", rates(&genuine, &impostor));
        }
    }
    Ok(())
}

fn number_variants() -> Vec<Variant> {
    let choices = SHIPPED;
    let weighing = |weights| Choices { weights, ..choices };
    vec![
        Variant::of("as shipped", choices),
        Variant::of("twofold field alone", weighing([1.0, 0.0, 0.0])),
        Variant::of("fourfold weight 0.6", weighing([1.0, 0.6, 0.0])),
        Variant::of("and a sixfold field", weighing([1.0, 0.9, 0.8])),
        Variant::of("smoothed over 3 px", Choices { smooth_sigma: 1.5, ..choices }),
        Variant::of("smoothed over 4 px", Choices { smooth_sigma: 2.0, ..choices }),
        Variant::of("finer filters", Choices { frequency: 2.2, ..choices }),
        Variant::of("coarser filters", Choices { frequency: 1.0, ..choices }),
        Variant::of("longer filters", Choices { along_sigma: 4.5, ..choices }),
        Variant::of("12 x 12 places", Choices { lattice: 12, ..choices }),
        Variant {
            poses: Some(225),
            ..Variant::of("beyond the limit", Choices { lattice: 21, ..choices })
        },
    ]
}

fn pose_variants() -> Vec<Variant> {
    let cloud = cloud::SHIPPED;
    let shipped = |name, cloud| Variant { cloud, ..Variant::of(name, SHIPPED) };
    let times = |by: f64| Cloud {
        shift_px: by * cloud.shift_px,
        rotation_degrees: by * cloud.rotation_degrees,
        scale: by * cloud.scale,
    };
    vec![
        shipped("as shipped", cloud),
        shipped("cloud of 0.7", times(0.7)),
        shipped("cloud of 1.3", times(1.3)),
        shipped("less scale and turn", Cloud { scale: 0.025, rotation_degrees: 2.0, ..cloud }),
        Variant { poses: Some(6), ..shipped("6 vectors", cloud) },
        Variant { poses: Some(225), ..shipped("225 vectors", cloud) },
    ]
}

fn read_set(dir: &Path, samples: usize) -> Result<Vec<Crop>, Box<dyn Error>> {
    let mut crops: Vec<Crop> = Vec::new();
    for (palm, folder) in sorted(dir)?.into_iter().filter(|path| path.is_dir()).enumerate() {
        for file in sorted(&folder)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let session = match name.get(..3) {
                Some("s1_") => '1',
                Some("s2_") => '2',
                _ => '-',
            };
            let taken = crops.iter().filter(|it| it.palm == palm && it.session == session).count();
            if samples > 0 && session != '-' && taken >= samples {
                continue;
            }
            let picture = decode(&std::fs::read(&file)?)?;
            let grey = resized(&picture);
            crops.push(Crop { palm, session, picture, grey });
        }
    }
    Ok(crops)
}

fn sorted(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// A crop at the core's size: every pixel a mean under a triangle as wide as itself on either side.
fn resized(picture: &Picture) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let grey = picture.grey();
    let share = |to: usize, from: usize, length: usize| {
        let step = length as f64 / CORE_PX as f64;
        let away = from as f64 - ((to as f64 + 0.5) * step - 0.5);
        (1.0 - away.abs() / step.max(1.0)).max(0.0)
    };
    let pixel = |i: usize| {
        let (mut sum, mut total) = (0.0, 0.0);
        for row in (0..height).filter(|&row| share(i / CORE_PX, row, height) > 0.0) {
            for column in (0..width).filter(|&column| share(i % CORE_PX, column, width) > 0.0) {
                let share = share(i / CORE_PX, row, height) * share(i % CORE_PX, column, width);
                sum += share * f64::from(grey[row * width + column]);
                total += share;
            }
        }
        (sum / total + 0.5) as u8
    };
    (0..CORE_PX * CORE_PX).map(pixel).collect()
}

/// Fails where the oracle at the shipped choices does not score two crops as the engine does.
fn check_oracle(crops: &[Crop]) -> Result<(), Box<dyn Error>> {
    let [first, .., last] = crops else { return Err("a set has two crops at least".into()) };
    let poses = Variant::of("as shipped", SHIPPED).poses();
    for (one, other) in [(first, last), (last, first), (first, &crops[1])] {
        let sample = |crop: &Crop| Sample::from_roi_picture(&crop.picture, Side::Right);
        let by_engine = score(&reference(&[sample(one)])?, &probe(&sample(other)));
        let enrolled = Fields::of(&one.grey, &SHIPPED).vector(&IDENTITY);
        let fields = Fields::of(&other.grey, &SHIPPED);
        let best = poses.iter().map(|pose| dot(&enrolled, &fields.vector(pose)));
        let by_oracle = 16_384.0 * best.fold(f32::NEG_INFINITY, f32::max);
        if (by_oracle - by_engine as f32).abs() > ROUNDING {
            return Err(format!("the oracle scores {by_oracle}, the engine {by_engine}").into());
        }
    }
    Ok(())
}

const IDENTITY: Pose = Pose { shift: (0.0, 0.0), angle: 0.0, scale: 1.0 };

/// Genuine scores, rising, and impostor scores, falling.
fn scores(crops: &[Crop], variant: &Variant) -> (Vec<f32>, Vec<f32>) {
    let sessions = crops.iter().any(|crop| crop.session == '2');
    let fields: Vec<Fields> =
        crops.iter().map(|crop| Fields::of(&crop.grey, &variant.choices)).collect();
    let enrolled = (0..crops.len()).filter(|&i| !sessions || crops[i].session == '1');
    let enrolled: Vec<_> = enrolled.map(|i| (i, fields[i].vector(&IDENTITY))).collect();
    let poses = variant.poses();
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    for probe in (0..crops.len()).filter(|&i| !sessions || crops[i].session == '2') {
        let vectors: Vec<Vec<f32>> = poses.iter().map(|pose| fields[probe].vector(pose)).collect();
        for (other, row) in enrolled.iter().filter(|(other, _)| *other != probe) {
            let best =
                vectors.iter().map(|vector| dot(row, vector)).fold(f32::NEG_INFINITY, f32::max);
            let same = crops[*other].palm == crops[probe].palm;
            if same { genuine.push(best) } else { impostor.push(best) }
        }
    }
    genuine.sort_unstable_by(f32::total_cmp);
    impostor.sort_unstable_by(|a, b| b.total_cmp(a));
    (genuine, impostor)
}

/// The inner product, in eight sums side by side so that it vectorises.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum::<f32>()
}

/// EER and TAR in percent; a rate with fewer than ten false matches is left out.
fn rates(genuine: &[f32], impostor: &[f32]) -> String {
    let missed = |threshold: f32| {
        genuine.partition_point(|&score| score < threshold) as f64 / genuine.len() as f64
    };
    let matched = |i: usize| (i + 1) as f64 / impostor.len() as f64;
    let crossing = (0..impostor.len()).find(|&i| matched(i) >= missed(impostor[i])).unwrap_or(0);
    let mut text = format!("| {:.2} ", 50.0 * (matched(crossing) + missed(impostor[crossing])));
    for rate in RATES {
        let allowed = (rate * impostor.len() as f64) as usize;
        if allowed < 10 {
            text += "| – ";
        } else {
            let above =
                genuine.len() - genuine.partition_point(|&score| score <= impostor[allowed]);
            text += &format!("| {:.2} ", 100.0 * above as f64 / genuine.len() as f64);
        }
    }
    text
}
