//! The three nodes, in their ring.

use std::fmt;

/// One of the three nodes. Component `j` of a sharing, and key `j` of a query, is held by node `j`
/// and by the node after it; the node before it lacks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The first node: it also numbers operations and splits sums into bits.
    A,
    /// The second node.
    B,
    /// The third node.
    C,
}

impl Role {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// Its place, 0 to 2.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The node at a place, if there is one.
    #[must_use]
    pub const fn from_index(index: usize) -> Option<Self> {
        match index {
            0 => Some(Self::A),
            1 => Some(Self::B),
            2 => Some(Self::C),
            _ => None,
        }
    }

    /// The node that this one sends to, and with which it shares component `self`.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::C,
            Self::C => Self::A,
        }
    }

    /// The node that this one hears from, and with which it shares that node's component.
    #[must_use]
    pub const fn previous(self) -> Self {
        match self {
            Self::A => Self::C,
            Self::B => Self::A,
            Self::C => Self::B,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        })
    }
}
