//! Templates: what is stored of a palm and what is compared with it, as vectors of small integers.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::Sample;
use crate::field::{Field, Pose};

/// Version of the byte format and of what the numbers mean: it changes with either.
pub const FORMAT_VERSION: u8 = 1;
/// Points of the lattice on a side.
const LATTICE: usize = 16;
/// Numbers in a vector: two for every point of the lattice.
pub const LENGTH: usize = 2 * LATTICE * LATTICE;
/// Vectors in a probe, one for every pose that is tried.
pub const PROBE_VECTORS: usize = SHIFTS * SHIFTS * TURNS_AND_SCALES.len();
/// Shifts tried either way along each axis, and the step between them in sample pixels.
const SHIFT_STEPS: i8 = 2;
const SHIFT_STEP_PX: f32 = 5.0;
const SHIFTS: usize = 2 * SHIFT_STEPS as usize + 1;
/// Rotations in degrees and scales that are tried, one at a time: a palm held a little turned is
/// rarely also held at the wrong distance.
const TURNS_AND_SCALES: [(f64, f32); 5] =
    [(0.0, 1.0), (-4.0, 1.0), (4.0, 1.0), (0.0, 0.94), (0.0, 1.06)];
/// Most samples that are fused into a reference: beyond eight nothing more is gained.
pub const SAMPLES_MAX: usize = 8;
/// Length of every vector. Two to the seventh: the inner product of two is at most 2 to the 14th.
const NORM: f64 = 128.0;
/// The least length of a field with lines in it: a palm's is about ten, that of rounding alone in a
/// flat picture a thousandth.
const FIELD_NORM_MIN: f64 = 0.1;
/// The square of [`NORM`]: what no vector's squared length exceeds.
pub(crate) const NORM_SQUARED_MAX: i32 = 1 << 14;

const REFERENCE_MAGIC: [u8; 4] = *b"HFPR";
const PROBE_MAGIC: [u8; 4] = *b"HFPP";
const REFERENCE_HEADER: usize = 4 + 1 + 2;
const PROBE_HEADER: usize = 4 + 1 + 2 + 2;

/// Why no template came about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// No sample, or more than [`SAMPLES_MAX`].
    #[error("a reference is made of 1 to {SAMPLES_MAX} samples, {found} were given")]
    SampleCount {
        /// Samples given.
        found: usize,
    },
    /// Samples of both hands.
    #[error(
        "a reference is made of samples of one hand, both were given: enrol each hand for itself"
    )]
    BothSides,
    /// Not the kind of template that was expected.
    #[error("these bytes are no palm {expected}")]
    WrongKind {
        /// `reference` or `probe`.
        expected: &'static str,
    },
    /// A version that this build does not read.
    #[error(
        "the palm {kind} has format version {found}, this build reads version {FORMAT_VERSION}: enrol the palm again"
    )]
    Version {
        /// `reference` or `probe`.
        kind: &'static str,
        /// Version found.
        found: u8,
    },
    /// Cut short or padded.
    #[error("the palm {kind} has {found} bytes, {expected} were expected")]
    WrongLength {
        /// `reference` or `probe`.
        kind: &'static str,
        /// Bytes or numbers expected.
        expected: usize,
        /// Bytes or numbers given.
        found: usize,
    },
    /// A number that no template holds, so that every number can be negated.
    #[error("a vector holds -128, no palm template does")]
    OutOfRange,
    /// A vector longer than any palm gives: it would match everybody.
    #[error("a vector's squared length is {found}, at most {NORM_SQUARED_MAX} is possible")]
    TooLong {
        /// Squared length found.
        found: i32,
    },
}

/// What is stored of a palm: one vector. Zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    vector: Zeroizing<Vec<i8>>,
}

/// What is compared with references: the palm's vector in every pose tried. Zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Probe {
    vectors: Zeroizing<Vec<i8>>,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference")
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

impl Reference {
    /// The vector, [`LENGTH`] numbers.
    #[must_use]
    pub fn vector(&self) -> &[i8] {
        &self.vector
    }

    /// A reference from a vector, checked.
    ///
    /// # Errors
    /// When it has not [`LENGTH`] numbers or is longer than a palm's can be.
    pub fn from_vector(vector: Vec<i8>) -> Result<Self, TemplateError> {
        let vector = Zeroizing::new(vector);
        check_length("reference", LENGTH, vector.len())?;
        check_norm(&vector)?;
        Ok(Self { vector })
    }

    /// The bytes to store: magic, version, length, numbers.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(REFERENCE_HEADER + LENGTH));
        bytes.extend_from_slice(&REFERENCE_MAGIC);
        bytes.push(FORMAT_VERSION);
        bytes.extend_from_slice(&(LENGTH as u16).to_le_bytes());
        bytes.extend(self.vector.iter().map(|&value| value.cast_unsigned()));
        bytes
    }

    /// Reads what [`Reference::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are no reference, of another version, cut short, or impossible.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplateError> {
        let rest = check_header("reference", REFERENCE_MAGIC, bytes)?;
        check_length("reference", REFERENCE_HEADER + LENGTH, bytes.len())?;
        let (length, numbers) = rest.split_at(2);
        check_length("reference", LENGTH, read_u16(length))?;
        Self::from_vector(numbers.iter().map(|&byte| byte.cast_signed()).collect())
    }
}

impl Probe {
    /// The vectors, [`PROBE_VECTORS`] of [`LENGTH`] numbers.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[i8]> {
        self.vectors.chunks_exact(LENGTH)
    }

    /// A probe from its vectors one after the other, checked.
    ///
    /// # Errors
    /// When there are not [`PROBE_VECTORS`] of [`LENGTH`] numbers or one is longer than a palm's
    /// can be.
    pub fn from_vectors(vectors: Vec<i8>) -> Result<Self, TemplateError> {
        let vectors = Zeroizing::new(vectors);
        check_length("probe", PROBE_VECTORS * LENGTH, vectors.len())?;
        vectors.chunks_exact(LENGTH).try_for_each(check_norm)?;
        Ok(Self { vectors })
    }

    /// The bytes to send: magic, version, count, length, numbers.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PROBE_HEADER + self.vectors.len()));
        bytes.extend_from_slice(&PROBE_MAGIC);
        bytes.push(FORMAT_VERSION);
        bytes.extend_from_slice(&(PROBE_VECTORS as u16).to_le_bytes());
        bytes.extend_from_slice(&(LENGTH as u16).to_le_bytes());
        bytes.extend(self.vectors.iter().map(|&value| value.cast_unsigned()));
        bytes
    }

    /// Reads what [`Probe::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are no probe, of another version, cut short, or impossible.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplateError> {
        let rest = check_header("probe", PROBE_MAGIC, bytes)?;
        check_length("probe", PROBE_HEADER + PROBE_VECTORS * LENGTH, bytes.len())?;
        let (sizes, numbers) = rest.split_at(4);
        check_length("probe", PROBE_VECTORS, read_u16(&sizes[..2]))?;
        check_length("probe", LENGTH, read_u16(&sizes[2..]))?;
        Self::from_vectors(numbers.iter().map(|&byte| byte.cast_signed()).collect())
    }
}

/// Checks magic and version; what follows them.
fn check_header<'a>(
    kind: &'static str,
    magic: [u8; 4],
    bytes: &'a [u8],
) -> Result<&'a [u8], TemplateError> {
    let rest = bytes.strip_prefix(&magic).ok_or(TemplateError::WrongKind { expected: kind })?;
    match rest.split_first() {
        Some((&FORMAT_VERSION, rest)) => Ok(rest),
        Some((&found, _)) => Err(TemplateError::Version { kind, found }),
        None => Err(TemplateError::WrongKind { expected: kind }),
    }
}

fn check_length(kind: &'static str, expected: usize, found: usize) -> Result<(), TemplateError> {
    if found == expected {
        Ok(())
    } else {
        Err(TemplateError::WrongLength { kind, expected, found })
    }
}

fn check_norm(vector: &[i8]) -> Result<(), TemplateError> {
    if vector.contains(&i8::MIN) {
        return Err(TemplateError::OutOfRange);
    }
    let found: i32 = vector.iter().map(|&value| i32::from(value) * i32::from(value)).sum();
    if found > NORM_SQUARED_MAX { Err(TemplateError::TooLong { found }) } else { Ok(()) }
}

fn read_u16(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Makes a reference of 1 to [`SAMPLES_MAX`] samples of one palm: each is brought into the pose in
/// which it fits what is there already, then they are averaged.
///
/// # Errors
/// When there are none, too many, or of both hands.
pub fn reference(samples: &[Sample]) -> Result<Reference, TemplateError> {
    let Some((first, others)) = samples.split_first() else {
        return Err(TemplateError::SampleCount { found: 0 });
    };
    if samples.len() > SAMPLES_MAX {
        return Err(TemplateError::SampleCount { found: samples.len() });
    }
    if others.iter().any(|sample| sample.side() != first.side()) {
        return Err(TemplateError::BothSides);
    }
    let mut sum = Zeroizing::new(Vec::new());
    Field::of(first).lattice(LATTICE, &Pose::IDENTITY, &mut sum);
    for sample in others {
        add_aligned(&mut sum, &Field::of(sample));
    }
    let mut vector = Zeroizing::new(Vec::with_capacity(LENGTH));
    quantise(&sum, &mut vector);
    Ok(Reference { vector })
}

/// Adds a field to a sum of fields, in the pose in which they agree best.
fn add_aligned(sum: &mut [f32], field: &Field) {
    let mut best = Zeroizing::new(Vec::new());
    let mut best_fit = f32::NEG_INFINITY;
    let mut candidate = Zeroizing::new(Vec::new());
    for pose in poses() {
        field.lattice(LATTICE, &pose, &mut candidate);
        let norm = candidate.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let fit = sum.iter().zip(candidate.iter()).map(|(a, b)| a * b).sum::<f32>() / norm;
        if fit > best_fit {
            best_fit = fit;
            std::mem::swap(&mut best, &mut candidate);
        }
    }
    for (total, value) in sum.iter_mut().zip(best.iter()) {
        *total += value;
    }
}

/// Makes the probe of a sample.
#[must_use]
pub fn probe(sample: &Sample) -> Probe {
    let field = Field::of(sample);
    let mut vectors = Zeroizing::new(Vec::with_capacity(PROBE_VECTORS * LENGTH));
    let mut lattice = Zeroizing::new(Vec::new());
    for pose in poses() {
        field.lattice(LATTICE, &pose, &mut lattice);
        quantise(&lattice, &mut vectors);
    }
    Probe { vectors }
}

/// The poses that a probe covers: shifts, each also turned either way, larger and smaller.
fn poses() -> Vec<Pose> {
    let shifts = -SHIFT_STEPS..=SHIFT_STEPS;
    let mut poses = Vec::with_capacity(PROBE_VECTORS);
    for (degrees, scale) in TURNS_AND_SCALES {
        for row in shifts.clone() {
            for column in shifts.clone() {
                let (x, y) = (SHIFT_STEP_PX * f32::from(column), SHIFT_STEP_PX * f32::from(row));
                poses.push(Pose::new(x, y, degrees, scale));
            }
        }
    }
    poses
}

/// Scales a vector to [`NORM`] and rounds it; no squared length exceeds [`NORM_SQUARED_MAX`].
fn quantise(values: &[f32], out: &mut Vec<i8>) {
    let norm = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if norm < FIELD_NORM_MIN {
        // A flat picture: no lines, a vector that matches nothing.
        out.resize(out.len() + values.len(), 0);
        return;
    }
    let start = out.len();
    let mut target = NORM;
    loop {
        let scale = target / norm;
        out.extend(
            values.iter().map(|&v| (f64::from(v) * scale).round().clamp(-127.0, 127.0) as i8),
        );
        if check_norm(&out[start..]).is_ok() {
            return;
        }
        // Rounding made it a little longer than meant.
        out.truncate(start);
        target *= 0.995;
    }
}
