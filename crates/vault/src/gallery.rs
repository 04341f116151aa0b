//! Galleries: sets of slots that one relying party may search, for one purpose.

use handfast_model::{GalleryId, RelyingParty};

/// False positives are counted in one of so many searches.
const BILLION: f64 = 1e9;

handfast_store::text_enum! {
    /// What a gallery is searched for; part of the consent that arms a palm in it.
    pub enum Purpose {
        /// Whether a palm is enrolled already. Made by the vault, one per ticketing company.
        DuplicateCheck = "duplicate_check",
        /// Entering an event.
        Entry = "entry",
        /// Paying at a shop.
        Payment = "payment",
    }
}

/// From what score on a palm of a gallery counts as recognised: fixed when the gallery is opened,
/// never chosen by a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThresholdPolicy {
    /// Most palms that may be armed: the threshold is calibrated for this many, so no more are let
    /// in.
    pub palms_max: u32,
    /// How many of a billion searches by strangers may find anybody, with `palms_max` armed.
    pub false_positives_per_billion: u32,
}

impl ThresholdPolicy {
    /// Within a company. A false positive keeps somebody from enrolling until a clerk helps, a miss
    /// gives a second credit: one in a thousand balances both. The size bounds the company.
    pub const DUPLICATE_CHECK: Self =
        Self { palms_max: 200_000, false_positives_per_billion: 1_000_000 };
    /// At an event: one stranger in a thousand is taken for somebody, who then lacks nothing but
    /// an explanation (NIST SP 800-63B-4 asks 1e-4 of one comparison; this is of 10,000).
    pub const ENTRY: Self = Self { palms_max: 20_000, false_positives_per_billion: 1_000_000 };
    /// At a shop: money moves, so one stranger in a hundred thousand.
    pub const PAYMENT: Self = Self { palms_max: 20_000, false_positives_per_billion: 10_000 };

    /// The thresholds that follow from the policy.
    pub(crate) fn thresholds(self) -> Thresholds {
        let rate = f64::from(self.false_positives_per_billion) / BILLION;
        let size = usize::try_from(self.palms_max).unwrap_or(usize::MAX);
        Thresholds {
            identify: handfast_palm::threshold(size, rate).get(),
            verify: handfast_palm::threshold(1, rate).get(),
        }
    }
}

/// Least scores that count as recognised; stored with the gallery, so that a later calibration
/// moves no gallery that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// In a search of the whole gallery.
    pub identify: i32,
    /// Against one palm that was named by other means.
    pub verify: i32,
}

/// A gallery to be opened. The caller makes the id, so that opening can be repeated safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewGallery {
    /// Its id.
    pub gallery: GalleryId,
    /// Who gets the tokens of palms found in it.
    pub party: RelyingParty,
    /// What it is searched for.
    pub purpose: Purpose,
    /// From what score on a palm is recognised.
    pub policy: ThresholdPolicy,
}

handfast_store::text_enum! {
    /// Whether a gallery may be searched.
    pub(crate) enum GalleryState {
        /// Palms are armed and searched.
        Open = "open",
        /// For good: nothing is armed in it any more, and nothing is found.
        Closed = "closed",
    }
}

/// A gallery that the vault knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gallery {
    pub(crate) spec: NewGallery,
    pub(crate) thresholds: Thresholds,
    pub(crate) state: GalleryState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stricter_policy_has_a_higher_threshold() {
        let entry = ThresholdPolicy::ENTRY.thresholds();
        let payment = ThresholdPolicy::PAYMENT.thresholds();
        assert!(entry.identify < payment.identify);
        assert!(entry.verify < entry.identify);
    }
}
