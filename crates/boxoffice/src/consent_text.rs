//! What people agree to, word for word. A released version never changes: a consent record names
//! the version and language that were on the screen. A correction is a new version.

use crate::Language;

mod english;
mod german;
mod spanish;

// The first versions of all texts are of the time in which one machine compared.
const PALM: &str = "palm-2026-1";
const PALM_AT_NODES_HERE: &str = "palm-nodes-here-2026-1";
const PALM_AT_NODES_APART: &str = "palm-nodes-apart-2026-1";
const PAYMENT_1: &str = "payment-2026-1";
const PAYMENT: &str = "payment-2026-2";

/// The version that pedestals show now where one machine compares ([`Custody::OneMachine`]).
pub const CURRENT_VERSION: &str = PALM;
/// The version of the payment consent that the portal shows now.
pub const PAYMENT_VERSION: &str = PAYMENT;

/// Who holds palms: what people are told before they agree depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// One machine, which compares in clear.
    OneMachine,
    /// Three nodes that hold shares, on one machine.
    NodesHere,
    /// Three nodes that hold shares, each at an organisation of its own.
    NodesApart,
}

handfast_store::text_enum! {
    /// What a palm may be used for. Each is consented to; nothing else is done.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Purpose {
        /// Searching the company's enrolled palms, once, before a palm is stored.
        DuplicateCheck = "duplicate_check",
        /// Opening lanes.
        Entry = "entry",
        /// Paying at shops.
        Payment = "payment",
    }
}

/// One purpose in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurposeText {
    /// The purpose.
    pub purpose: Purpose,
    /// What it means, in one or two sentences.
    pub text: &'static str,
}

/// A consent text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentText {
    /// Its version.
    pub version: &'static str,
    /// Its language.
    pub language: Language,
    /// Its title.
    pub title: &'static str,
    /// Its paragraphs.
    pub paragraphs: &'static [&'static str],
    /// What is agreed to.
    pub purposes: &'static [PurposeText],
}

/// All palm texts of a language, one for each [`Custody`], and all its payment texts, the present one last.
const fn texts(language: Language) -> (&'static [ConsentText; 3], &'static [ConsentText; 2]) {
    match language {
        Language::English => (&english::PALMS, &english::PAYMENTS),
        Language::Spanish => (&spanish::PALMS, &spanish::PAYMENTS),
        Language::German => (&german::PALMS, &german::PAYMENTS),
    }
}

/// The text that a pedestal shows before a palm is linked.
#[must_use]
pub const fn consent_text(language: Language, custody: Custody) -> &'static ConsentText {
    let ([one_machine, nodes_here, nodes_apart], _) = texts(language);
    match custody {
        Custody::OneMachine => one_machine,
        Custody::NodesHere => nodes_here,
        Custody::NodesApart => nodes_apart,
    }
}

/// The text that the portal shows before palm payment is switched on.
#[must_use]
pub const fn payment_consent_text(language: Language) -> &'static ConsentText {
    let (_, [.., present]) = texts(language);
    present
}

/// A released text by version, for showing an old consent as it was given.
#[must_use]
pub fn released_text(version: &str, language: Language) -> Option<&'static ConsentText> {
    let (palms, payments) = texts(language);
    palms.iter().chain(payments).find(|text| text.version == version)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const CUSTODIES: [Custody; 3] = [Custody::OneMachine, Custody::NodesHere, Custody::NodesApart];

    #[test]
    fn every_language_says_the_same_things() {
        let all = |language| {
            let palms = CUSTODIES.map(|custody| consent_text(language, custody));
            let (_, [payment_1, payment]) = texts(language);
            [palms[0], palms[1], palms[2], payment_1, payment]
        };
        for &language in Language::ALL {
            for (text, english) in all(language).into_iter().zip(all(Language::English)) {
                assert_eq!(text.language, language);
                assert_eq!(text.version, english.version);
                assert_eq!(text.paragraphs.len(), english.paragraphs.len());
                let purposes = |text: &ConsentText| -> Vec<Purpose> {
                    text.purposes.iter().map(|purpose| purpose.purpose).collect()
                };
                assert_eq!(purposes(text), purposes(english));
                assert_eq!(released_text(text.version, language), Some(text));
            }
            assert_eq!(payment_consent_text(language).version, PAYMENT_VERSION);
            assert_eq!(consent_text(language, Custody::OneMachine).version, CURRENT_VERSION);
        }
        assert_eq!(released_text("palm-2020-1", Language::English), None);
    }

    /// Consent records name these words. If this fails, undo the edit and release a new version.
    #[test]
    fn released_texts_never_change() {
        let released = [
            (&[PALM, PAYMENT_1][..], "DNWFJKAF6WF4JVNR"),
            (&[PALM_AT_NODES_HERE], "PEQQ43WQT695DPBN"),
            (&[PALM_AT_NODES_APART], "QPQFHAJ2M5QYA4X5"),
            (&[PAYMENT], "AM5AJFWSDZDHB8VD"),
        ];
        for (versions, digest) in released {
            let mut words = String::new();
            for &language in Language::ALL {
                for version in versions {
                    let text = released_text(version, language).unwrap();
                    words.push_str(text.title);
                    words.extend(text.paragraphs.iter().copied());
                    words.extend(text.purposes.iter().map(|purpose| purpose.text));
                }
            }
            let found = Sha256::digest(words.as_bytes());
            assert_eq!(crate::base32::encode(&found[..10]), digest, "{versions:?}");
        }
    }
}
