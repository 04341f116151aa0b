//! Slots: one palm in the vault.

/// The number of a slot: ascending from 1, given once, never reused. It does not leave the vault;
/// relying parties know a palm by their pairwise token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(i64);

impl SlotId {
    /// The slot with this number; `None` below 1, which marks an empty place in files.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        if number >= 1 { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Its number as the bytes that keys and tokens are bound to.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}
