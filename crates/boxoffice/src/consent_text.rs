//! What people agree to, word for word. A released version never changes: a consent record names
//! the version and language that were on the screen. A correction is a new version.

use crate::Language;

/// The version that pedestals show now.
pub const CURRENT_VERSION: &str = "palm-2026-1";
/// The version of the payment consent that the portal shows now.
pub const PAYMENT_VERSION: &str = "payment-2026-1";

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

/// The text that a pedestal shows before a palm is linked.
#[must_use]
pub fn consent_text(language: Language) -> &'static ConsentText {
    match language {
        Language::English => &PALM_ENGLISH,
        Language::Spanish => &PALM_SPANISH,
        Language::German => &PALM_GERMAN,
    }
}

/// The text that the portal shows before palm payment is switched on.
#[must_use]
pub fn payment_consent_text(language: Language) -> &'static ConsentText {
    match language {
        Language::English => &PAYMENT_ENGLISH,
        Language::Spanish => &PAYMENT_SPANISH,
        Language::German => &PAYMENT_GERMAN,
    }
}

/// A released text by version, for showing an old consent as it was given.
#[must_use]
pub fn released_text(version: &str, language: Language) -> Option<&'static ConsentText> {
    match version {
        CURRENT_VERSION => Some(consent_text(language)),
        PAYMENT_VERSION => Some(payment_consent_text(language)),
        _ => None,
    }
}

static PALM_ENGLISH: ConsentText = ConsentText {
    version: CURRENT_VERSION,
    language: Language::English,
    title: "Link your palm to your ticket",
    paragraphs: &[
        "You can enter by holding your palm over a device instead of showing a code. It is up to \
         you: your code goes on working, with or without a palm, at the same price.",
        "What is stored: a pattern of numbers computed from your palm. The pictures are used for \
         some seconds and never stored. The pattern is biometric data about you.",
        "Who holds it: the ticketing company that runs this system, on one vault machine that keeps \
         the pattern encrypted on its disk. While the machine compares palms it works on the \
         pattern itself, so whoever controls that machine could read it. The venue sees whether a \
         ticket may enter and a random number that means nothing elsewhere, never your palm.",
        "How long: until the end that you choose on the next lines, one year at most. Then the \
         pattern is deleted from the machine by itself.",
        "How to end it: sign in to your tickets and choose \"delete now\", or open the link in the \
         mail that we send you about this. Deletion takes effect at once. You can withdraw at any \
         time and need no reason.",
        "Link your own palm only.",
    ],
    purposes: &[
        PurposeText {
            purpose: Purpose::DuplicateCheck,
            text: "Check once, before storing, that your palm is not linked with this ticketing \
                   company already. If it is, nothing is stored.",
        },
        PurposeText {
            purpose: Purpose::Entry,
            text: "Recognise you at the entrances of the events you choose below, and only while \
                   you hold a ticket for one.",
        },
    ],
};

static PALM_SPANISH: ConsentText = ConsentText {
    version: CURRENT_VERSION,
    language: Language::Spanish,
    title: "Vincula tu palma a tu entrada",
    paragraphs: &[
        "Puedes entrar poniendo la palma sobre un aparato en lugar de enseñar un código. Tú \
         decides: tu código sigue sirviendo, con palma o sin ella, al mismo precio.",
        "Qué se guarda: un patrón de números calculado a partir de tu palma. Las imágenes se usan \
         unos segundos y no se guardan nunca. El patrón es un dato biométrico tuyo.",
        "Quién lo tiene: la empresa de venta de entradas que opera este sistema, en una sola \
         máquina que guarda el patrón cifrado en su disco. Mientras la máquina compara palmas \
         trabaja con el patrón mismo, así que quien controle esa máquina podría leerlo. El recinto \
         ve si una entrada puede pasar y un número al azar que no significa nada en otro lugar; \
         nunca tu palma.",
        "Cuánto tiempo: hasta el final que elijas en las líneas siguientes, un año como máximo. \
         Después el patrón se borra de la máquina por sí solo.",
        "Cómo terminarlo: entra en tus entradas y elige \"borrar ahora\", o abre el enlace del \
         correo que te enviamos sobre esto. El borrado tiene efecto inmediato. Puedes retirar tu \
         consentimiento cuando quieras, sin dar motivos.",
        "Vincula solo tu propia palma.",
    ],
    purposes: &[
        PurposeText {
            purpose: Purpose::DuplicateCheck,
            text: "Comprobar una vez, antes de guardarla, que tu palma no está ya vinculada con \
                   esta empresa de venta de entradas. Si lo está, no se guarda nada.",
        },
        PurposeText {
            purpose: Purpose::Entry,
            text: "Reconocerte en los accesos de los eventos que elijas abajo, y solo mientras \
                   tengas una entrada para alguno.",
        },
    ],
};

static PALM_GERMAN: ConsentText = ConsentText {
    version: CURRENT_VERSION,
    language: Language::German,
    title: "Verknüpfen Sie Ihre Handfläche mit Ihrem Ticket",
    paragraphs: &[
        "Sie können hineingehen, indem Sie Ihre Handfläche über ein Gerät halten, statt einen Code \
         zu zeigen. Das entscheiden Sie: Ihr Code gilt weiter, mit oder ohne Handfläche, zum \
         gleichen Preis.",
        "Was gespeichert wird: ein Zahlenmuster, das aus Ihrer Handfläche berechnet wird. Die \
         Bilder werden einige Sekunden lang benutzt und nie gespeichert. Das Muster ist ein \
         biometrisches Datum von Ihnen.",
        "Wer es hat: das Ticketunternehmen, das dieses System betreibt, auf einer einzigen \
         Maschine, die das Muster verschlüsselt auf ihrer Platte hält. Während sie Handflächen \
         vergleicht, rechnet sie mit dem Muster selbst; wer diese Maschine beherrscht, könnte es \
         also lesen. Der Veranstaltungsort sieht, ob ein Ticket hinein darf, und eine Zufallszahl, \
         die anderswo nichts bedeutet, nie Ihre Handfläche.",
        "Wie lange: bis zu dem Ende, das Sie in den nächsten Zeilen wählen, höchstens ein Jahr. \
         Danach wird das Muster von selbst von der Maschine gelöscht.",
        "Wie Sie es beenden: Melden Sie sich bei Ihren Tickets an und wählen Sie \"jetzt \
         löschen\", oder öffnen Sie den Link in der E-Mail, die wir Ihnen dazu schicken. Die \
         Löschung wirkt sofort. Sie können jederzeit widerrufen und brauchen keinen Grund.",
        "Verknüpfen Sie nur Ihre eigene Handfläche.",
    ],
    purposes: &[
        PurposeText {
            purpose: Purpose::DuplicateCheck,
            text: "Einmal vor dem Speichern prüfen, dass Ihre Handfläche nicht schon mit diesem \
                   Ticketunternehmen verknüpft ist. Wenn doch, wird nichts gespeichert.",
        },
        PurposeText {
            purpose: Purpose::Entry,
            text: "Sie an den Eingängen der Veranstaltungen erkennen, die Sie unten wählen, und \
                   nur solange Sie ein Ticket für eine davon haben.",
        },
    ],
};

static PAYMENT_ENGLISH: ConsentText = ConsentText {
    version: PAYMENT_VERSION,
    language: Language::English,
    title: "Pay with your palm",
    paragraphs: &[
        "If you switch this on, you can pay at the venue's shops by holding your linked palm over \
         the shop's device. The device shows shop and amount first; only then it asks for your \
         palm.",
        "For this your stored palm pattern is also compared by the vault machine when somebody pays \
         at one of these shops. Each shop gets a random number of its own for you, never your \
         palm, and the payment service keeps your card: neither we nor the shop see its number.",
        "You can switch it off here at any time; your palm then goes on entering, if you want.",
    ],
    purposes: &[PurposeText {
        purpose: Purpose::Payment,
        text: "Recognise you at the shops of the venues that your palm link covers, and charge the \
               payment method of your wallet with the amount shown.",
    }],
};

static PAYMENT_SPANISH: ConsentText = ConsentText {
    version: PAYMENT_VERSION,
    language: Language::Spanish,
    title: "Paga con tu palma",
    paragraphs: &[
        "Si lo activas, puedes pagar en las tiendas del recinto poniendo tu palma vinculada sobre \
         el aparato de la tienda. El aparato enseña primero la tienda y el importe; solo después \
         pide tu palma.",
        "Para ello, la máquina que guarda tu patrón también lo compara cuando alguien paga en una \
         de estas tiendas. Cada tienda recibe un número al azar propio para ti, nunca tu palma, y \
         tu tarjeta la guarda el servicio de pago: ni nosotros ni la tienda vemos su número.",
        "Puedes desactivarlo aquí cuando quieras; tu palma seguirá sirviendo para entrar, si \
         quieres.",
    ],
    purposes: &[PurposeText {
        purpose: Purpose::Payment,
        text: "Reconocerte en las tiendas de los recintos que cubre el vínculo de tu palma, y \
               cobrar el importe mostrado con el medio de pago de tu cartera.",
    }],
};

static PAYMENT_GERMAN: ConsentText = ConsentText {
    version: PAYMENT_VERSION,
    language: Language::German,
    title: "Bezahlen Sie mit Ihrer Handfläche",
    paragraphs: &[
        "Wenn Sie das einschalten, können Sie in den Läden des Veranstaltungsorts bezahlen, indem \
         Sie Ihre verknüpfte Handfläche über das Gerät des Ladens halten. Das Gerät zeigt zuerst \
         Laden und Betrag; erst dann fragt es nach Ihrer Hand.",
        "Dafür wird Ihr gespeichertes Muster auf der Maschine auch dann verglichen, wenn jemand \
         in einem dieser Läden bezahlt. Jeder Laden bekommt eine eigene Zufallszahl für Sie, nie \
         Ihre Handfläche, und Ihre Karte liegt beim Zahlungsdienst: Weder wir noch der Laden \
         sehen deren Nummer.",
        "Sie können es hier jederzeit ausschalten; hineingehen können Sie mit der Handfläche dann \
         weiterhin, wenn Sie wollen.",
    ],
    purposes: &[PurposeText {
        purpose: Purpose::Payment,
        text: "Sie in den Läden der Veranstaltungsorte erkennen, für die Ihre Verknüpfung gilt, \
               und den angezeigten Betrag über das Zahlungsmittel Ihrer Wallet einziehen.",
    }],
};

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_language_says_the_same_things() {
        for &language in Language::ALL {
            for (text, english) in [
                (consent_text(language), &PALM_ENGLISH),
                (payment_consent_text(language), &PAYMENT_ENGLISH),
            ] {
                assert_eq!(text.language, language);
                assert_eq!(text.version, english.version);
                assert_eq!(text.paragraphs.len(), english.paragraphs.len());
                let purposes = |text: &ConsentText| -> Vec<Purpose> {
                    text.purposes.iter().map(|purpose| purpose.purpose).collect()
                };
                assert_eq!(purposes(text), purposes(english));
                assert_eq!(released_text(text.version, language), Some(text));
            }
        }
        assert_eq!(released_text("palm-2020-1", Language::English), None);
    }

    /// Consent records name these words. If this fails, undo the edit and release a new version.
    #[test]
    fn released_texts_never_change() {
        let mut words = String::new();
        for &language in Language::ALL {
            for text in [consent_text(language), payment_consent_text(language)] {
                words.push_str(text.title);
                words.extend(text.paragraphs.iter().copied());
                words.extend(text.purposes.iter().map(|purpose| purpose.text));
            }
        }
        let digest = Sha256::digest(words.as_bytes());
        assert_eq!(crate::base32::encode(&digest[..10]), "8HNK29Z4SY5B2XM9");
    }
}
