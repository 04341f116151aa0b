//! The words on which a guardian consents. A consent names their version: once released they never
//! change.

use crate::Language;

/// The version of the words that guardians read.
pub const GUARDIAN_VERSION: &str = "guardian-2026-1";

/// What a guardian reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardianText {
    /// Its version.
    pub version: &'static str,
    /// Its language.
    pub language: Language,
    /// Its body.
    pub paragraphs: &'static [&'static str],
}

/// The words in a language.
#[must_use]
pub const fn guardian_text(language: Language) -> GuardianText {
    let paragraphs: &'static [&'static str] = match language {
        Language::English => &[
            "I am a parent or legal guardian of the child who uses this ticket, and I agree that the \
             child links a palm to it at a pedestal, if the child wants to. The child reads and \
             accepts the same text as everybody, and chooses for how long it holds.",
            "The palm serves to enter. It is not used for paying unless I switch that on in my own \
             account. I can see every use and delete the palm in this portal, at any time.",
            "The ticket's code works all the same, at the same price, whatever I decide.",
        ],
        Language::Spanish => &[
            "Soy madre, padre o tutor legal del menor que usa esta entrada y acepto que vincule su \
             palma a ella en un pedestal, si quiere. El menor lee y acepta el mismo texto que todos y \
             elige hasta cuándo vale.",
            "La palma sirve para entrar. No se usa para pagar salvo que yo lo active en mi propia \
             cuenta. Puedo ver cada uso y borrar la palma en este portal, en cualquier momento.",
            "El código de la entrada sirve igualmente, al mismo precio, decida lo que decida.",
        ],
        Language::German => &[
            "Ich bin Elternteil oder gesetzlicher Vormund des Kindes, das dieses Ticket benutzt, und \
             bin einverstanden, dass es an einer Säule eine Handfläche damit verknüpft, wenn es das \
             möchte. Das Kind liest und bestätigt denselben Text wie alle und wählt, wie lange er gilt.",
            "Die Handfläche dient dem Einlass. Bezahlt wird damit nicht, außer ich schalte es in \
             meinem eigenen Konto ein. Ich sehe jede Nutzung und kann die Handfläche jederzeit in \
             diesem Portal löschen.",
            "Der Code des Tickets gilt genauso, zum selben Preis, wie auch immer ich entscheide.",
        ],
    };
    GuardianText { version: GUARDIAN_VERSION, language, paragraphs }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Consents name these words. If this fails, undo the edit and release a new version.
    #[test]
    fn released_texts_never_change() {
        let mut words = String::new();
        for &language in Language::ALL {
            let text = guardian_text(language);
            assert_eq!((text.language, text.paragraphs.len()), (language, 3));
            words.extend(text.paragraphs.iter().copied());
        }
        let digest = Sha256::digest(words.as_bytes());
        assert_eq!(crate::base32::encode(&digest[..10]), "X7DE5GDSPZ1EZYBJ");
    }
}
