//! Galleries: sets of slots that one relying party may search, for one purpose.

use std::collections::HashMap;

use handfast_model::{Clock, CompanyId, GalleryId, Random, RelyingParty};

use crate::VaultError;

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

/// How many searches nodes let pass within an hour: whoever chooses probes and sees outcomes learns about
/// templates a little with every search. Fixed when a gallery is opened, and enforced by every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchBudgets {
    /// By one device in one gallery.
    pub device_hourly: u32,
    /// In one gallery.
    pub gallery_hourly: u32,
    /// Against one palm that was named, in one gallery.
    pub palm_hourly: u32,
}

impl SearchBudgets {
    /// So many devices may be at work in one gallery at once.
    const DEVICES: u32 = 40;
    /// Somebody who is compared more often than once a minute is attacked, or stuck.
    const PALM_HOURLY: u32 = 60;

    const fn of_device(device_hourly: u32) -> Self {
        let gallery_hourly = device_hourly.saturating_mul(Self::DEVICES);
        Self { device_hourly, gallery_hourly, palm_hourly: Self::PALM_HOURLY }
    }
}

impl Purpose {
    /// What the nodes of a split vault allow in galleries of this purpose.
    #[must_use]
    pub const fn searches_hourly(self) -> SearchBudgets {
        SearchBudgets::of_device(match self {
            // An enrolment takes a minute at least; one with several attempts, several checks.
            Self::DuplicateCheck => 600,
            // A lane sees a person every second at most.
            Self::Entry => 3_600,
            // A counter is slower.
            Self::Payment => 1_200,
        })
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
    // One palm against one palm errs about once in ten million at the highest threshold that the
    // engine has; beyond that its table is extrapolated no further. Each policy therefore allows
    // its size times that rate, and claims no less.

    /// Within a company. A false positive keeps somebody from enrolling until a clerk helps, a miss
    /// gives a second credit: five in a thousand, with the company full.
    pub const DUPLICATE_CHECK: Self =
        Self { palms_max: 50_000, false_positives_per_billion: 5_000_000 };
    /// At an event: two strangers in a thousand are taken for somebody, with the event full; they
    /// lack nothing but an explanation.
    pub const ENTRY: Self = Self { palms_max: 20_000, false_positives_per_billion: 2_000_000 };
    /// At a shop money moves: one stranger in ten thousand, which one palm alone carries among a
    /// thousand. More people, or one in a hundred thousand, take a second palm or a PIN.
    pub const PAYMENT: Self = Self { palms_max: 1_000, false_positives_per_billion: 100_000 };

    /// The thresholds that follow from the policy.
    #[must_use]
    pub fn thresholds(self) -> Thresholds {
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

impl NewGallery {
    /// A company's gallery for duplicate checks.
    pub(crate) fn of_duplicate_checks(
        company: CompanyId,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Self {
        Self {
            gallery: GalleryId::new(clock, random),
            party: RelyingParty::Company(company),
            purpose: Purpose::DuplicateCheck,
            policy: ThresholdPolicy::DUPLICATE_CHECK,
        }
    }
}

/// The galleries that a vault knows, of either form: an image of its database in memory, changed
/// only after the database was.
#[derive(Debug, Default)]
pub(crate) struct Galleries(HashMap<GalleryId, Gallery>);

impl Galleries {
    /// Adds a gallery, or replaces what is known of it.
    pub(crate) fn put(&mut self, gallery: Gallery) {
        self.0.insert(gallery.spec.gallery, gallery);
    }

    /// A gallery, open or closed.
    pub(crate) fn get(&self, gallery: GalleryId) -> Result<Gallery, VaultError> {
        self.0.get(&gallery).copied().ok_or(VaultError::GalleryUnknown { gallery })
    }

    /// A gallery that is open.
    pub(crate) fn get_open(&self, gallery: GalleryId) -> Result<Gallery, VaultError> {
        match self.get(gallery)? {
            found @ Gallery { state: GalleryState::Open, .. } => Ok(found),
            Gallery { state: GalleryState::Closed, .. } => {
                Err(VaultError::GalleryClosed { gallery })
            }
        }
    }

    /// Whether a gallery is still to be opened: it is none of the vault's own, and was not opened
    /// before on other terms.
    pub(crate) fn is_new(&self, spec: &NewGallery) -> Result<bool, VaultError> {
        if spec.purpose == Purpose::DuplicateCheck {
            return Err(VaultError::PurposeReserved);
        }
        match self.0.get(&spec.gallery) {
            Some(gallery) if gallery.spec == *spec => Ok(false),
            Some(_) => Err(VaultError::GalleryDiffers { gallery: spec.gallery }),
            None => Ok(true),
        }
    }

    /// A gallery that may be closed: it is none of the vault's own.
    pub(crate) fn closable(&self, gallery: GalleryId) -> Result<Gallery, VaultError> {
        match self.get(gallery)? {
            gallery if gallery.spec.purpose == Purpose::DuplicateCheck => {
                Err(VaultError::PurposeReserved)
            }
            gallery => Ok(gallery),
        }
    }

    /// Where a company's palms are searched before another one is enrolled.
    pub(crate) fn of_duplicate_checks(&self, company: CompanyId) -> Option<Gallery> {
        let party = RelyingParty::Company(company);
        let is_it = |gallery: &&Gallery| {
            gallery.spec.purpose == Purpose::DuplicateCheck && gallery.spec.party == party
        };
        self.0.values().find(is_it).copied()
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.0.values().filter(|gallery| gallery.state == GalleryState::Open).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stricter_policy_has_a_higher_threshold() {
        let lax = ThresholdPolicy { palms_max: 100, false_positives_per_billion: 10_000_000 };
        let strict = ThresholdPolicy { false_positives_per_billion: 100_000, ..lax };
        let (lax, strict) = (lax.thresholds(), strict.thresholds());
        assert!(lax.identify < strict.identify && lax.verify < strict.verify);
        assert!(lax.verify < lax.identify);
    }

    #[test]
    fn no_policy_claims_more_than_the_engine_was_measured_for() {
        // What the engine's highest threshold errs in one comparison, per billion.
        const PER_COMPARISON: u32 = 100;
        for policy in
            [ThresholdPolicy::DUPLICATE_CHECK, ThresholdPolicy::ENTRY, ThresholdPolicy::PAYMENT]
        {
            assert!(policy.false_positives_per_billion >= policy.palms_max * PER_COMPARISON);
        }
    }
}
