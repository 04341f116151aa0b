//! What the vault's nodes keep of a consent: the first half of a hash of what the box office's record
//! of it says. It ties what they store and arm to one consent, for whoever has that record. It hides
//! nothing: a node that knows roughly when the consent was given can try out what was agreed to.

use handfast_boxoffice::{Consent, Scope};
use handfast_model::Timestamp;
use sha2::{Digest as _, Sha256};

/// The word in place of a scope where the consent is to paying at shops.
const SHOPS: &str = "shops";

/// The reference of a consent as it is kept.
pub(crate) fn of(consent: &Consent) -> [u8; 16] {
    let scope = consent.scope.map_or(SHOPS, Scope::as_str);
    of_parts(&consent.text_version, consent.language.as_str(), scope, consent.given_at)
}

/// The reference of a consent that is being given.
pub(crate) fn of_parts(
    text_version: &str,
    language: &str,
    scope: &str,
    given_at: Timestamp,
) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"handfast consent 1");
    hash.update(given_at.as_micros().to_le_bytes());
    for part in [text_version, language, scope] {
        hash.update([0]);
        hash.update(part);
    }
    let hash = hash.finalize();
    std::array::from_fn(|at| hash[at])
}

#[cfg(test)]
mod tests {
    use handfast_boxoffice::{Language, Purpose};
    use handfast_model::{ConsentId, ManualClock, SeededRandom};

    use super::*;

    #[test]
    fn a_consent_has_the_reference_that_it_was_given_under() {
        let given_at = Timestamp::from_micros(1_790_000_000_123_456);
        let clock = ManualClock::at(given_at);
        let consent = Consent {
            id: ConsentId::new(&clock, &SeededRandom::new(1)),
            text_version: "palm-2026-1".to_owned(),
            language: Language::German,
            purposes: vec![Purpose::Entry],
            scope: Some(Scope::Venue),
            until: None,
            given_at,
            withdrawn_at: None,
            age: None,
        };
        let given = of_parts("palm-2026-1", "de", "venue", given_at);
        assert_eq!(of(&consent), given);
        let payment = Consent { scope: None, ..consent };
        assert_eq!(of(&payment), of_parts("palm-2026-1", "de", "shops", given_at));
        assert_ne!(of(&payment), given);
    }
}
