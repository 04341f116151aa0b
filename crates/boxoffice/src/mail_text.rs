//! What our mails say, in each language. Plain text: it reads the same everywhere.

use crate::{Language, Realm};

/// Subject and text of a mail.
pub(crate) struct MailText {
    pub subject: String,
    pub body: String,
}

/// What a mail about a palm link names.
pub(crate) struct LinkNames<'a> {
    pub event: &'a str,
    pub venue: &'a str,
    pub product: &'a str,
}

/// The mail that signs somebody in.
pub(crate) fn sign_in(language: Language, realm: Realm, link: &str) -> MailText {
    let (subject, body) = match (language, realm) {
        (Language::English, Realm::Fan) => {
            ("Sign in to your tickets", "Open this link to sign in. It works once, for 15 minutes:")
        }
        (Language::English, Realm::Staff) => {
            ("Sign in to the console", "Open this link to sign in. It works once, for 15 minutes:")
        }
        (Language::Spanish, Realm::Fan) => (
            "Entra en tus entradas",
            "Abre este enlace para entrar. Sirve una sola vez, durante 15 minutos:",
        ),
        (Language::Spanish, Realm::Staff) => (
            "Entra en la consola",
            "Abre este enlace para entrar. Sirve una sola vez, durante 15 minutos:",
        ),
        (Language::German, Realm::Fan) => (
            "Anmelden bei Ihren Tickets",
            "Öffnen Sie diesen Link, um sich anzumelden. Er gilt einmal, 15 Minuten lang:",
        ),
        (Language::German, Realm::Staff) => (
            "Anmelden bei der Konsole",
            "Öffnen Sie diesen Link, um sich anzumelden. Er gilt einmal, 15 Minuten lang:",
        ),
    };
    let not_you = match language {
        Language::English => "If you did not ask for it, do nothing.",
        Language::Spanish => "Si no lo has pedido, no hagas nada.",
        Language::German => "Wenn Sie ihn nicht angefordert haben, tun Sie nichts.",
    };
    MailText { subject: subject.to_owned(), body: format!("{body}\n\n{link}\n\n{not_you}\n") }
}

/// The mail that tells an account's holder of a new palm link and lets them confirm or undo it.
pub(crate) fn link_made(language: Language, names: &LinkNames<'_>, link: &str) -> MailText {
    let LinkNames { event, venue, product } = names;
    let (subject, body) = match language {
        Language::English => (
            format!("A palm was linked to your ticket for {event}"),
            format!(
                "At {venue}, a palm was linked to your ticket \"{product}\" for {event}. It enters \
                 with that ticket only.\n\nOpen this link within 7 days to confirm it or undo it:\
                 \n\n{link}\n\n- It was your palm: confirm, and it enters with your other tickets \
                 too.\n- It was somebody you came with, using one of your tickets: leave it as it \
                 is. Do not confirm a palm that is not yours.\n- You know nothing of it: undo it, \
                 and the palm is deleted.\n"
            ),
        ),
        Language::Spanish => (
            format!("Se ha vinculado una palma a tu entrada para {event}"),
            format!(
                "En {venue} se ha vinculado una palma a tu entrada \"{product}\" para {event}. Solo \
                 entra con esa entrada.\n\nAbre este enlace en los próximos 7 días para confirmarlo \
                 o deshacerlo:\n\n{link}\n\n- Era tu palma: confirma, y entrará también con tus \
                 otras entradas.\n- Era alguien que vino contigo con una de tus entradas: déjalo \
                 como está. No confirmes una palma que no es tuya.\n- No sabes nada de esto: \
                 deshazlo, y la palma se borra.\n"
            ),
        ),
        Language::German => (
            format!("Eine Handfläche wurde mit Ihrem Ticket für {event} verknüpft"),
            format!(
                "In {venue} wurde eine Handfläche mit Ihrem Ticket \"{product}\" für {event} \
                 verknüpft. Sie öffnet nur mit diesem Ticket.\n\nÖffnen Sie diesen Link innerhalb \
                 von 7 Tagen, um zu bestätigen oder rückgängig zu machen:\n\n{link}\n\n- Es war \
                 Ihre Hand: Bestätigen Sie, dann öffnet sie auch mit Ihren anderen Tickets.\n- Es \
                 war jemand aus Ihrer Begleitung mit einem Ihrer Tickets: Lassen Sie es, wie es \
                 ist. Bestätigen Sie keine Hand, die nicht Ihre ist.\n- Sie wissen nichts davon: \
                 Machen Sie es rückgängig, dann wird die Handfläche gelöscht.\n"
            ),
        ),
    };
    MailText { subject, body }
}

/// The mail that asks a ticket's holder, as a guardian, about a younger person's palm.
pub(crate) fn guardian_asked(
    language: Language,
    event: &str,
    product: &str,
    link: &str,
) -> MailText {
    let (subject, body) = match language {
        Language::English => (
            format!("May the palm of a child be linked to your ticket for {event}?"),
            format!(
                "Somebody who said that they are not of age showed your ticket \"{product}\" for \
                 {event} at a pedestal, and would like to link their palm to it. Nothing of their \
                 hand was looked at.\n\nIf you are their parent or guardian, open this page, sign \
                 in and say whether they may:\n\n{link}\n\nYou can also say so at the box \
                 office's window. The ticket's code works all the same.\n"
            ),
        ),
        Language::Spanish => (
            format!("¿Puede un menor vincular su palma a tu entrada para {event}?"),
            format!(
                "Alguien que dijo ser menor de edad mostró tu entrada \"{product}\" para {event} \
                 en un pedestal y quiere vincular su palma a ella. No se ha mirado nada de su \
                 mano.\n\nSi eres su madre, padre o tutor, abre esta página, entra y di si \
                 puede:\n\n{link}\n\nTambién puedes decirlo en la taquilla. El código de la \
                 entrada sirve igualmente.\n"
            ),
        ),
        Language::German => (
            format!(
                "Darf die Handfläche eines Kindes mit Ihrem Ticket für {event} verknüpft werden?"
            ),
            format!(
                "Jemand, der nach eigener Angabe nicht volljährig ist, hat Ihr Ticket \"{product}\" \
                 für {event} an einer Säule gezeigt und möchte seine Handfläche damit verknüpfen. \
                 Von der Hand wurde nichts angesehen.\n\nWenn Sie Elternteil oder Vormund sind, \
                 öffnen Sie diese Seite, melden Sie sich an und sagen Sie, ob das Kind darf:\
                 \n\n{link}\n\nSie können es auch an der Kasse sagen. Der Code des Tickets gilt \
                 genauso.\n"
            ),
        ),
    };
    MailText { subject, body }
}

/// The mail that tells a ticket's holder that a palm of another account was moved to the ticket.
pub(crate) fn link_moved(language: Language, names: &LinkNames<'_>, link: &str) -> MailText {
    let LinkNames { event, venue, product } = names;
    let (subject, body) = match language {
        Language::English => (
            format!("A palm now enters with your ticket for {event}"),
            format!(
                "Somebody who has the code of your ticket \"{product}\" for {event} at {venue} \
                 tied their palm to it. If you gave them the ticket, all is well.\n\nIf you did \
                 not, open this link within 7 days and undo it:\n\n{link}\n"
            ),
        ),
        Language::Spanish => (
            format!("Una palma entra ahora con tu entrada para {event}"),
            format!(
                "Alguien que tiene el código de tu entrada \"{product}\" para {event} en {venue} \
                 ha vinculado su palma a ella. Si le diste la entrada, todo está bien.\n\nSi no, \
                 abre este enlace en los próximos 7 días y deshazlo:\n\n{link}\n"
            ),
        ),
        Language::German => (
            format!("Eine Handfläche öffnet jetzt mit Ihrem Ticket für {event}"),
            format!(
                "Jemand mit dem Code Ihres Tickets \"{product}\" für {event} in {venue} hat seine \
                 Handfläche damit verknüpft. Wenn Sie das Ticket weitergegeben haben, ist alles \
                 gut.\n\nWenn nicht, öffnen Sie diesen Link innerhalb von 7 Tagen und machen Sie es \
                 rückgängig:\n\n{link}\n"
            ),
        ),
    };
    MailText { subject, body }
}

/// The mail that tells somebody that their palm is deleted.
pub(crate) fn palm_deleted(language: Language, receipt: &str, link: &str) -> MailText {
    let (subject, body) = match language {
        Language::English => (
            "Your palm is deleted",
            format!(
                "Your palm and everything made of it is deleted. Nobody enters or pays with it any \
                 more.\n\nThe deletion's receipt: {receipt}\n\nWhat it proves, and everything else \
                 that was ever done with your palm:\n\n{link}\n"
            ),
        ),
        Language::Spanish => (
            "Tu palma está borrada",
            format!(
                "Tu palma y todo lo que se hizo con ella están borrados. Nadie entra ni paga ya con \
                 ella.\n\nEl recibo del borrado: {receipt}\n\nLo que demuestra, y todo lo que se \
                 hizo alguna vez con tu palma:\n\n{link}\n"
            ),
        ),
        Language::German => (
            "Ihre Handfläche ist gelöscht",
            format!(
                "Ihre Handfläche und alles, was daraus gemacht wurde, ist gelöscht. Niemand kommt \
                 damit mehr hinein oder zahlt damit.\n\nDer Beleg der Löschung: {receipt}\n\nWas \
                 er beweist, und alles, was je mit Ihrer Handfläche geschah:\n\n{link}\n"
            ),
        ),
    };
    MailText { subject: subject.to_owned(), body }
}

/// The mail that offers a ticket to somebody.
pub(crate) fn ticket_offered(
    language: Language,
    (from, product, event): (&str, &str, &str),
    link: &str,
) -> MailText {
    let (subject, body) = match language {
        Language::English => (
            format!("{from} hands you a ticket for {event}"),
            format!(
                "{from} wants to give you a ticket \"{product}\" for {event}.\n\nOpen this link \
                 within 7 days to take it:\n\n{link}\n\nFrom then on it is yours alone: it gets a \
                 new code. If you do not want it, do nothing.\n"
            ),
        ),
        Language::Spanish => (
            format!("{from} te pasa una entrada para {event}"),
            format!(
                "{from} quiere darte una entrada \"{product}\" para {event}.\n\nAbre este enlace en \
                 los próximos 7 días para aceptarla:\n\n{link}\n\nDesde entonces es solo tuya: \
                 recibe un código nuevo. Si no la quieres, no hagas nada.\n"
            ),
        ),
        Language::German => (
            format!("{from} gibt Ihnen ein Ticket für {event}"),
            format!(
                "{from} möchte Ihnen ein Ticket \"{product}\" für {event} geben.\n\nÖffnen Sie \
                 diesen Link innerhalb von 7 Tagen, um es anzunehmen:\n\n{link}\n\nVon da an gehört \
                 es Ihnen allein: Es bekommt einen neuen Code. Wenn Sie es nicht möchten, tun Sie \
                 nichts.\n"
            ),
        ),
    };
    MailText { subject, body }
}

/// The mail that tells whoever handed a ticket on that it was taken.
pub(crate) fn ticket_taken(
    language: Language,
    (taker, product, event): (&str, &str, &str),
) -> MailText {
    let (subject, body) = match language {
        Language::English => (
            format!("Your ticket for {event} was taken over"),
            format!(
                "{taker} took over your ticket \"{product}\" for {event}. Its old code opens \
                 nothing any more.\n"
            ),
        ),
        Language::Spanish => (
            format!("Tu entrada para {event} ya tiene nuevo titular"),
            format!(
                "{taker} ha aceptado tu entrada \"{product}\" para {event}. Su código antiguo ya \
                 no abre nada.\n"
            ),
        ),
        Language::German => (
            format!("Ihr Ticket für {event} wurde übernommen"),
            format!(
                "{taker} hat Ihr Ticket \"{product}\" für {event} übernommen. Sein alter Code öffnet \
                 nichts mehr.\n"
            ),
        ),
    };
    MailText { subject, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_names_its_link_and_what_it_is_about() {
        let names = LinkNames { event: "The Night", venue: "Red Rocks", product: "GA" };
        for &language in Language::ALL {
            for text in [link_made(language, &names, "L"), link_moved(language, &names, "L")] {
                assert!(text.subject.contains("The Night"), "{language}");
                for part in ["\n\nL\n", "Red Rocks", "GA"] {
                    assert!(text.body.contains(part), "{language}: {part}");
                }
            }
            assert!(palm_deleted(language, "R-1", "L").body.contains(": R-1\n"));
            for &realm in Realm::ALL {
                assert!(sign_in(language, realm, "L").body.contains("\n\nL\n"));
            }
        }
    }
}
