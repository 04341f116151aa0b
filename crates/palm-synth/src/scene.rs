//! What is in front of the camera.

use crate::identity::Hand;

/// What the camera sees.
#[derive(Clone, Debug)]
pub enum Scene {
    /// The pedestal's ground alone.
    Empty,
    /// A phone whose screen shows a code.
    Ticket {
        /// The code on the screen.
        code: QrModules,
        /// How the phone is held and lit.
        sample_seed: u64,
    },
    /// A hand, palm to the camera.
    Hand {
        /// Whose, and which.
        hand: Hand,
        /// Where it is.
        pose: HandPose,
        /// Light, stretch of the skin, which fine lines show: what differs between two visits and
        /// stays within one.
        sample_seed: u64,
    },
}

impl Scene {
    pub(crate) fn sample_seed(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Ticket { sample_seed, .. } | Self::Hand { sample_seed, .. } => *sample_seed,
        }
    }
}

/// Where a hand is in the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HandPose {
    /// The palm's middle: 0 to 1 from the left, 0 to 1 from the top. May lie outside.
    pub centre: (f32, f32),
    /// Half the palm's width, as a part of the frame's shorter side. (The inscribed circle that a
    /// finder measures is about an eighth larger: it reaches into the thumb's cushion.)
    pub radius: f32,
    /// Where the fingers point: radians clockwise from up.
    pub rotation: f32,
    /// The palm's lean out of the picture plane in radians: around the upright axis, around the
    /// level one.
    pub tilt: (f32, f32),
    /// How far the fingers fan out beyond (or, negative, within) their natural spread; -0.1 to 0.1.
    pub spread: f32,
}

impl Default for HandPose {
    /// A whole hand in the middle of a 4:3 frame.
    fn default() -> Self {
        Self { centre: (0.5, 0.61), radius: 0.165, rotation: 0.0, tilt: (0.0, 0.0), spread: 0.0 }
    }
}

/// The modules of a QR code, without its quiet zone.
#[derive(Clone, PartialEq, Eq)]
pub struct QrModules {
    side: usize,
    dark: Vec<bool>,
}

impl std::fmt::Debug for QrModules {
    /// The code may open a door: only its size is printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QrModules({0} x {0})", self.side)
    }
}

/// Why a matrix is no QR code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrModulesError {
    /// ISO/IEC 18004 codes have 21, 25, 29 ... 177 modules a side.
    #[error(
        "a QR code has 21, 25, 29 ... or 177 modules a side, not {0}; pass the code without its quiet zone"
    )]
    Side(usize),
    /// The matrix is not square.
    #[error("{got} modules were given for a code of {side} a side; pass {} in rows", side * side)]
    Count {
        /// Modules a side.
        side: usize,
        /// How many modules there were.
        got: usize,
    },
}

impl QrModules {
    /// A code of `side` modules, `dark` row by row.
    ///
    /// # Errors
    /// [`QrModulesError`] where this cannot be a QR code.
    pub fn new(side: usize, dark: Vec<bool>) -> Result<Self, QrModulesError> {
        if !(21..=177).contains(&side) || side % 4 != 1 {
            return Err(QrModulesError::Side(side));
        }
        if dark.len() != side * side {
            return Err(QrModulesError::Count { side, got: dark.len() });
        }
        Ok(Self { side, dark })
    }

    /// Modules a side.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// Whether a module is dark; all that lies outside is light.
    pub(crate) fn is_dark(&self, column: i32, row: i32) -> bool {
        let inside = |k: i32| usize::try_from(k).ok().filter(|&k| k < self.side);
        match (inside(column), inside(row)) {
            (Some(column), Some(row)) => self.dark[row * self.side + column],
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matrices_that_can_be_codes_are_taken() {
        assert!(QrModules::new(21, vec![true; 441]).is_ok());
        assert_eq!(QrModules::new(22, vec![true; 484]), Err(QrModulesError::Side(22)));
        assert_eq!(
            QrModules::new(21, vec![true; 440]),
            Err(QrModulesError::Count { side: 21, got: 440 })
        );
        assert_eq!(QrModules::new(0, Vec::new()), Err(QrModulesError::Side(0)));
    }

    #[test]
    fn a_code_is_not_printed() {
        assert_eq!(
            format!("{:?}", QrModules::new(21, vec![true; 441]).unwrap()),
            "QrModules(21 x 21)"
        );
    }
}
