//! What mails about money say, in each language. Plain text: it reads the same everywhere.

use handfast_boxoffice::Language;
use handfast_model::Money;
use handfast_till::{MailAbout, OwedMail};

use crate::http::till::receipts::page_of;
use crate::local_time::local_time;

/// A mail's text.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
    /// The link that the text is mostly about.
    pub(super) link: String,
}

/// The same payment or refund has the same mail.
pub(super) fn id_of(mail: &OwedMail) -> String {
    match mail.about {
        MailAbout::Payment => format!("payment.{}", mail.charge),
        MailAbout::Refund(refund) => format!("refund.{refund}"),
    }
}

/// The mail about a payment or a refund.
pub(super) fn of(language: Language, mail: &OwedMail, public_url: &str) -> Text {
    let link = format!("{public_url}{}", page_of(&mail.receipt));
    let alarm = format!("{public_url}/portal#/not-me/{}", mail.alarm.expose());
    let (subject, first) = match mail.about {
        MailAbout::Payment => paid(language, mail),
        MailAbout::Refund(_) => came_back(language, mail),
    };
    let (number, receipt, not_me) = match language {
        Language::English => (
            "Number at the counter",
            "Receipt",
            "This was not you? Open this link. Your wallet is frozen at once, and no palm pays with \
             it until you set a new PIN",
        ),
        Language::Spanish => (
            "Número en el mostrador",
            "Recibo",
            "¿No has sido tú? Abre este enlace. Tu cartera se bloquea al momento y ninguna palma \
             paga con él hasta que pongas un PIN nuevo",
        ),
        Language::German => (
            "Nummer an der Kasse",
            "Beleg",
            "Das waren nicht Sie? Öffnen Sie diesen Link. Ihre Wallet wird sofort gesperrt, und \
             keine Hand zahlt damit, bis Sie eine neue PIN festlegen",
        ),
    };
    let body = format!(
        "{first}\n{}\n{number}: {}\n\n{receipt}:\n{link}\n\n{not_me}:\n{alarm}\n",
        local_time(mail.at, i32::try_from(mail.utc_offset_minutes).unwrap_or(0)),
        mail.number,
    );
    Text { subject, body, link }
}

fn paid(language: Language, mail: &OwedMail) -> (String, String) {
    let (shop, amount) = (&mail.shop_name, amount(language, mail.amount));
    let credit = (mail.credit.minor > 0).then(|| self::amount(language, mail.credit));
    let (subject, credit) = match language {
        Language::English => (
            format!("You paid {amount} at {shop}"),
            credit.map(|credit| format!(" Of it {credit} were credit.")),
        ),
        Language::Spanish => (
            format!("Has pagado {amount} en {shop}"),
            credit.map(|credit| format!(" De ellos, {credit} eran saldo.")),
        ),
        Language::German => (
            format!("Sie haben {amount} bei {shop} bezahlt"),
            credit.map(|credit| format!(" Davon waren {credit} Guthaben.")),
        ),
    };
    let first = format!("{subject}.{}", credit.unwrap_or_default());
    (subject, first)
}

fn came_back(language: Language, mail: &OwedMail) -> (String, String) {
    let (shop, amount) = (&mail.shop_name, amount(language, mail.amount));
    let (subject, when) = match language {
        Language::English => (
            format!("{amount} came back from {shop}"),
            "On a card it can take some days until you see it.",
        ),
        Language::Spanish => (
            format!("{shop} te ha devuelto {amount}"),
            "En una tarjeta puede tardar unos días en verse.",
        ),
        Language::German => (
            format!("{shop} hat Ihnen {amount} erstattet"),
            "Auf einer Karte kann es einige Tage dauern, bis Sie es sehen.",
        ),
    };
    let first = format!("{subject}. {when}");
    (subject, first)
}

fn amount(language: Language, money: Money) -> String {
    let text = money.to_string();
    match language {
        Language::English => text,
        Language::Spanish | Language::German => text.replace('.', ","),
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{
        AccountId, ChargeId, Currency, ManualClock, RefundId, SeededRandom, Timestamp,
    };
    use handfast_till::{AlarmKey, ReceiptKey};

    use super::*;

    #[test]
    fn every_mail_names_what_moved_and_both_its_links() {
        let clock = ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000));
        let random = SeededRandom::new(7);
        let refund = MailAbout::Refund(RefundId::new(&clock, &random));
        for about in [MailAbout::Payment, refund] {
            let mail = OwedMail {
                about,
                charge: ChargeId::new(&clock, &random),
                account: AccountId::new(&clock, &random),
                shop_name: "Pretzels & Lager".to_owned(),
                number: 17,
                amount: Money::new(1_250, Currency::Usd),
                credit: Money::new(1_000, Currency::Usd),
                at: Timestamp::from_micros(1_790_000_000_000_000),
                utc_offset_minutes: -360,
                receipt: ReceiptKey::from_text("rrr"),
                alarm: AlarmKey::from_text("aaa"),
            };
            for &language in Language::ALL {
                let text = of(language, &mail, "https://tickets.example");
                assert!(text.subject.contains("Pretzels & Lager"), "{language}");
                let price = if language == Language::English { "12.50 USD" } else { "12,50 USD" };
                for part in [
                    price,
                    "17",
                    "2026-09-21 08:13",
                    "\nhttps://tickets.example/receipt/rrr\n",
                    "\nhttps://tickets.example/portal#/not-me/aaa\n",
                ] {
                    assert!(text.body.contains(part), "{language}: {part}: {}", text.body);
                }
            }
        }
    }
}
