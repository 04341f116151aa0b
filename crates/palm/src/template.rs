//! Templates: what is stored of a palm and what is compared with it, as vectors of small integers.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::field::{Field, PARTS, Pose};
use crate::{Effort, Sample};

/// Version of the byte format and of what the numbers mean: it changes with either.
pub const FORMAT_VERSION: u8 = 2;
/// Points of the lattice on a side.
pub(crate) const LATTICE: usize = 16;
/// Numbers in a vector: four for every point of the lattice.
pub const LENGTH: usize = PARTS * LATTICE * LATTICE;
/// Vectors in a probe of full effort, one for every pose that is tried.
pub const PROBE_VECTORS: usize = Effort::Full.vectors();
/// What the field at four times the angle counts against that at twice the angle.
const FOURFOLD_WEIGHT: f32 = 0.9;
/// Rounds in which the pose of a sample that is fused is refined, the step halved each time.
const REFINEMENTS: i8 = 3;
/// Most samples that are fused into a reference: beyond eight nothing more is gained.
pub const SAMPLES_MAX: usize = 8;
/// Length of every vector. Two to the seventh: the inner product of two is at most 2 to the 14th.
const NORM: f64 = 128.0;
/// The least length of a field with lines in it: a palm's is about ten, that of rounding alone in a
/// flat picture a thousandth.
const FIELD_NORM_MIN: f32 = 0.1;
/// The square of [`NORM`]: what no vector's squared length exceeds.
pub(crate) const NORM_SQUARED_MAX: i32 = 1 << 14;

/// Numbers in a vector of format version 1.
const LENGTH_OF_VERSION_1: usize = 512;

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
    /// A count of vectors that no effort has.
    #[error(
        "a palm probe has {found} vectors, {} or {} were expected",
        Effort::Full.vectors(),
        Effort::Light.vectors()
    )]
    VectorCount {
        /// Vectors given.
        found: usize,
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
    effort: Effort,
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
    /// The vectors of [`LENGTH`] numbers, as many as [`Probe::effort`] says.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[i8]> {
        self.vectors.chunks_exact(LENGTH)
    }

    /// How many poses it covers.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// A probe from its vectors one after the other, checked.
    ///
    /// # Errors
    /// When they are not as many vectors of [`LENGTH`] numbers as an effort has, or one is longer
    /// than a palm's can be.
    pub fn from_vectors(vectors: Vec<i8>) -> Result<Self, TemplateError> {
        let vectors = Zeroizing::new(vectors);
        let count = vectors.len() / LENGTH;
        let effort =
            Effort::with_vectors(count).ok_or(TemplateError::VectorCount { found: count })?;
        check_length("probe", count * LENGTH, vectors.len())?;
        vectors.chunks_exact(LENGTH).try_for_each(check_norm)?;
        Ok(Self { effort, vectors })
    }

    /// The bytes to send: magic, version, count, length, numbers.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PROBE_HEADER + self.vectors.len()));
        bytes.extend_from_slice(&PROBE_MAGIC);
        bytes.push(FORMAT_VERSION);
        bytes.extend_from_slice(&(self.effort.vectors() as u16).to_le_bytes());
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
        let Some((sizes, numbers)) = rest.split_at_checked(4) else {
            let (expected, found) = (PROBE_HEADER, bytes.len());
            return Err(TemplateError::WrongLength { kind: "probe", expected, found });
        };
        let (count, length) = (read_u16(&sizes[..2]), read_u16(&sizes[2..]));
        check_length("probe", LENGTH, length)?;
        check_length("probe", PROBE_HEADER + count * LENGTH, bytes.len())?;
        Self::from_vectors(numbers.iter().map(|&byte| byte.cast_signed()).collect())
    }
}

/// A stored reference of any version that there ever was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredReference {
    /// Of this build's version: it can be compared.
    Current(Reference),
    /// Of an older one, whose numbers mean something else: it is whole, but the palm has to be
    /// enrolled again on its next visit.
    Outdated {
        /// Its format version.
        version: u8,
    },
}

impl StoredReference {
    /// Reads the bytes of a reference of this version or an older one.
    ///
    /// # Errors
    /// When the bytes are no reference, of a version yet unknown, cut short, or impossible.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplateError> {
        match check_header("reference", REFERENCE_MAGIC, bytes) {
            Err(TemplateError::Version { found: 1, .. }) => {
                let expected = REFERENCE_HEADER + LENGTH_OF_VERSION_1;
                check_length("reference", expected, bytes.len())?;
                let (length, numbers) = bytes[REFERENCE_HEADER - 2..].split_at(2);
                check_length("reference", LENGTH_OF_VERSION_1, read_u16(length))?;
                let numbers: Zeroizing<Vec<i8>> =
                    Zeroizing::new(numbers.iter().map(|&byte| byte.cast_signed()).collect());
                check_norm(&numbers)?;
                Ok(Self::Outdated { version: 1 })
            }
            _ => Reference::from_bytes(bytes).map(Self::Current),
        }
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
    describe(&Field::of(first), &Pose::IDENTITY, &mut sum);
    for sample in others {
        add_aligned(&mut sum, &Field::of(sample));
    }
    let mut vector = Zeroizing::new(Vec::with_capacity(LENGTH));
    quantise(&sum, &mut vector);
    Ok(Reference { vector })
}

/// What is known of a palm in a pose: its field on the lattice, at unit length; nothing but zeros
/// where no line is seen.
pub(crate) fn describe(field: &Field, pose: &Pose, out: &mut Vec<f32>) {
    field.lattice(LATTICE, pose, out);
    let (doubled, fourfold) = out.split_at_mut(LENGTH / 2);
    let both = (1.0 + FOURFOLD_WEIGHT * FOURFOLD_WEIGHT).sqrt();
    for (part, weight) in [(doubled, 1.0), (fourfold, FOURFOLD_WEIGHT)] {
        let norm = part.iter().map(|v| v * v).sum::<f32>().sqrt();
        let scale = if norm < FIELD_NORM_MIN { 0.0 } else { weight / (both * norm) };
        part.iter_mut().for_each(|value| *value *= scale);
    }
}

/// Adds a field to a sum of fields, in the pose in which they agree best: the best of those that a
/// probe covers, then of its neighbours, nearer and nearer.
fn add_aligned(sum: &mut [f32], field: &Field) {
    let mut candidate = Zeroizing::new(Vec::new());
    let mut fit = |pose: &Pose| {
        describe(field, pose, &mut candidate);
        sum.iter().zip(candidate.iter()).map(|(a, b)| a * b).sum::<f32>()
    };
    let mut best = (f32::NEG_INFINITY, Pose::IDENTITY);
    let mut consider = |best: &mut (f32, Pose), pose: Pose| {
        let found = fit(&pose);
        if found > best.0 {
            *best = (found, pose);
        }
    };
    for pose in Effort::Full.poses() {
        consider(&mut best, pose);
    }
    for round in 0..REFINEMENTS {
        let step = 2.0 / f32::from(1_i8 << round);
        for pose in best.1.neighbours(step) {
            consider(&mut best, pose);
        }
    }
    describe(field, &best.1, &mut candidate);
    for (total, value) in sum.iter_mut().zip(candidate.iter()) {
        *total += value;
    }
}

/// Makes the probe of a sample, of full effort.
#[must_use]
pub fn probe(sample: &Sample) -> Probe {
    probe_with(sample, Effort::Full)
}

/// Makes the probe of a sample. It compares with the same references, whatever the effort.
#[must_use]
pub fn probe_with(sample: &Sample, effort: Effort) -> Probe {
    let field = Field::of(sample);
    let mut vectors = Zeroizing::new(Vec::with_capacity(effort.vectors() * LENGTH));
    let mut lattice = Zeroizing::new(Vec::with_capacity(LENGTH));
    for pose in effort.poses() {
        describe(&field, &pose, &mut lattice);
        quantise(&lattice, &mut vectors);
    }
    Probe { effort, vectors }
}

/// Scales a vector to [`NORM`] and rounds it; no squared length exceeds [`NORM_SQUARED_MAX`].
fn quantise(values: &[f32], out: &mut Vec<i8>) {
    let norm = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if norm == 0.0 {
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
