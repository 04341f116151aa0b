//! What people agree to, in German.

use super::{ConsentText, PALM, PALM_AT_NODES_APART, PALM_AT_NODES_HERE, PAYMENT, PAYMENT_1};
use super::{Purpose, PurposeText};
use crate::Language::German as LANGUAGE;

const TITLE: &str = "Verknüpfen Sie Ihre Handfläche mit Ihrem Ticket";
const CHOICE: &str = "Sie können hineingehen, indem Sie Ihre Handfläche über ein Gerät halten, statt einen Code zu \
     zeigen. Das entscheiden Sie: Ihr Code gilt weiter, mit oder ohne Handfläche, zum gleichen \
     Preis.";
const OWN_PALM: &str = "Verknüpfen Sie nur Ihre eigene Handfläche.";
const SHARES: &str = "Was gespeichert wird: drei Anteile eines Zahlenmusters, das aus Ihrer Handfläche berechnet \
     wird. Ein Anteil allein besteht aus Zufallszahlen; zwei zusammen ergeben das Muster wieder. \
     Die Bilder werden einige Sekunden lang benutzt und nie gespeichert. Die Anteile werden als \
     biometrische Daten von Ihnen behandelt.";
const SHARES_UNTIL: &str = "Wie lange: bis zu dem Ende, das Sie in den nächsten Zeilen wählen, höchstens ein Jahr. \
     Danach werden die Anteile von selbst gelöscht.";
const SHARES_END: &str = "Wie Sie es beenden: Melden Sie sich bei Ihren Tickets an und wählen Sie \"jetzt löschen\", \
     oder öffnen Sie den Link in der E-Mail, die wir Ihnen dazu schicken. Die Anteile werden \
     sofort gelöscht, oder sobald jeder der drei erreichbar ist. Sie können jederzeit widerrufen \
     und brauchen keinen Grund.";
const PURPOSES: &[PurposeText] = &[
    PurposeText {
        purpose: Purpose::DuplicateCheck,
        text: "Einmal vor dem Speichern prüfen, dass Ihre Handfläche nicht schon mit diesem \
               Ticketunternehmen verknüpft ist. Wenn doch, wird nichts gespeichert.",
    },
    PurposeText {
        purpose: Purpose::Entry,
        text: "Sie an den Eingängen der Veranstaltungen erkennen, die Sie unten wählen, und nur \
               solange Sie ein Ticket für eine davon haben.",
    },
];

pub(super) static PALMS: [ConsentText; 3] = [
    ConsentText {
        version: PALM,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            "Was gespeichert wird: ein Zahlenmuster, das aus Ihrer Handfläche berechnet wird. Die \
             Bilder werden einige Sekunden lang benutzt und nie gespeichert. Das Muster ist ein \
             biometrisches Datum von Ihnen.",
            "Wer es hat: das Ticketunternehmen, das dieses System betreibt, auf einer einzigen \
             Maschine, die das Muster verschlüsselt auf ihrer Platte hält. Während sie \
             Handflächen vergleicht, rechnet sie mit dem Muster selbst; wer diese Maschine \
             beherrscht, könnte es also lesen. Der Veranstaltungsort sieht, ob ein Ticket hinein \
             darf, und eine Zufallszahl, die anderswo nichts bedeutet, nie Ihre Handfläche.",
            "Wie lange: bis zu dem Ende, das Sie in den nächsten Zeilen wählen, höchstens ein \
             Jahr. Danach wird das Muster von selbst von der Maschine gelöscht.",
            "Wie Sie es beenden: Melden Sie sich bei Ihren Tickets an und wählen Sie \"jetzt \
             löschen\", oder öffnen Sie den Link in der E-Mail, die wir Ihnen dazu schicken. Die \
             Löschung wirkt sofort. Sie können jederzeit widerrufen und brauchen keinen Grund.",
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
    ConsentText {
        version: PALM_AT_NODES_HERE,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            SHARES,
            "Wer es hat: das Ticketunternehmen, das dieses System betreibt. Drei Programme halten \
             je einen Anteil und vergleichen Handflächen, ohne das Muster zusammenzusetzen, aber \
             alle drei laufen auf einer einzigen Maschine: Wer diese Maschine beherrscht, könnte \
             es zusammensetzen und lesen. Der Veranstaltungsort sieht, ob ein Ticket hinein darf, \
             und eine Zufallszahl, die anderswo nichts bedeutet, nie Ihre Handfläche.",
            SHARES_UNTIL,
            SHARES_END,
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
    ConsentText {
        version: PALM_AT_NODES_APART,
        language: LANGUAGE,
        title: TITLE,
        paragraphs: &[
            CHOICE,
            SHARES,
            "Wer es hat: drei Organisationen, von denen keine das Ticketunternehmen ist. Jede \
             hält einen Anteil, und sie vergleichen Handflächen, ohne das Muster \
             zusammenzusetzen. Keine kann es allein lesen; zwei von ihnen gemeinsam könnten es. \
             Während Sie die Handfläche über ein Gerät halten, berechnet das System des \
             Ticketunternehmens das Muster und zerlegt es in Anteile; wer dieses System in dem \
             Augenblick beherrscht, könnte es also lesen. Der Veranstaltungsort sieht, ob ein \
             Ticket hinein darf, und eine Zufallszahl, die anderswo nichts bedeutet, nie Ihre \
             Handfläche.",
            SHARES_UNTIL,
            SHARES_END,
            OWN_PALM,
        ],
        purposes: PURPOSES,
    },
];

const PAYMENT_TITLE: &str = "Bezahlen Sie mit Ihrer Handfläche";
const SHOP_FIRST: &str = "Wenn Sie das einschalten, können Sie in den Läden des Veranstaltungsorts bezahlen, indem Sie \
     Ihre verknüpfte Handfläche über das Gerät des Ladens halten. Das Gerät zeigt zuerst Laden \
     und Betrag; erst dann fragt es nach Ihrer Hand.";
const OFF_AGAIN: &str = "Sie können es hier jederzeit ausschalten; hineingehen können Sie mit der Handfläche dann \
     weiterhin, wenn Sie wollen.";
const PAYMENT_PURPOSES: &[PurposeText] = &[PurposeText {
    purpose: Purpose::Payment,
    text: "Sie in den Läden der Veranstaltungsorte erkennen, für die Ihre Verknüpfung gilt, und \
           den angezeigten Betrag über das Zahlungsmittel Ihrer Wallet einziehen.",
}];

pub(super) static PAYMENTS: [ConsentText; 2] = [
    ConsentText {
        version: PAYMENT_1,
        language: LANGUAGE,
        title: PAYMENT_TITLE,
        paragraphs: &[
            SHOP_FIRST,
            "Dafür wird Ihr gespeichertes Muster auf der Maschine auch dann verglichen, wenn \
             jemand in einem dieser Läden bezahlt. Jeder Laden bekommt eine eigene Zufallszahl \
             für Sie, nie Ihre Handfläche, und Ihre Karte liegt beim Zahlungsdienst: Weder wir \
             noch der Laden sehen deren Nummer.",
            OFF_AGAIN,
        ],
        purposes: PAYMENT_PURPOSES,
    },
    ConsentText {
        version: PAYMENT,
        language: LANGUAGE,
        title: PAYMENT_TITLE,
        paragraphs: &[
            SHOP_FIRST,
            "Dafür wird Ihre gespeicherte Handfläche auch dann verglichen, wenn jemand in einem \
             dieser Läden bezahlt. Jeder Laden bekommt eine eigene Zufallszahl für Sie, nie Ihre \
             Handfläche, und Ihre Karte liegt beim Zahlungsdienst: Weder wir noch der Laden sehen \
             deren Nummer.",
            OFF_AGAIN,
        ],
        purposes: PAYMENT_PURPOSES,
    },
];
