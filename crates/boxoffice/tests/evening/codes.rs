//! Signed, rotating, replaced and foreign codes at the gate.

use handfast_boxoffice::{
    Outcome, Presented, PretixCode, Reason, RotatingCode, Verdict, pretix_public_key,
};
use handfast_model::Duration;
use handfast_store::test_on_both_engines;

use crate::night::Night;

fn answer(verdict: &Verdict) -> (Outcome, Option<Reason>) {
    (verdict.outcome, verdict.reason)
}

async fn show(night: &Night, text: &str) -> (Outcome, Option<Reason>) {
    answer(&night.present(night.red_rocks.scanner, Presented::Code(text)).await)
}

test_on_both_engines! {
    async fn a_signed_code_enters_once_and_no_bit_of_it_may_differ(store: Store) {
        let night = Night::begin(store).await;
        let company = night.red_rocks.company.id;
        let ticket = night.ticket(&night.ada).await;
        let code = night.office.signed_code(company, ticket.id).await.unwrap().encode();
        let digit = code.len() - 40;
        let other = if code.as_bytes()[digit] == b'A' { 'B' } else { 'A' };
        let forged = format!("{}{other}{}", &code[..digit], &code[digit + 1..]);
        assert_eq!(show(&night, &forged).await, (Outcome::Invalid, Some(Reason::BadSignature)));
        assert_eq!(show(&night, &code[..60]).await, (Outcome::Invalid, Some(Reason::DamagedCode)));
        assert_eq!(show(&night, &code.to_lowercase()).await, (Outcome::Ok, None));
        assert_eq!(show(&night, &code).await.0, Outcome::AlreadyRedeemed);
        assert_eq!(show(&night, ticket.code.as_str()).await.0, Outcome::AlreadyRedeemed);
    }

    async fn a_signed_code_of_another_event_or_company_is_told_apart(store: Store) {
        let night = Night::begin(store).await;
        let tomorrow = night.event(&night.red_rocks, "Tomorrow", 24).await;
        let company = night.red_rocks.company.id;
        let ticket = night.order(&night.ada, &[&tomorrow]).await.remove(0);
        let code = night.office.signed_code(company, ticket.id).await.unwrap().encode();
        assert_eq!(show(&night, &code).await, (Outcome::Invalid, Some(Reason::OtherEvent)));
        let rival = night.event(&night.rival, "Rival", -1).await;
        let ticket = night.order(&night.ada, &[&rival]).await.remove(0);
        let code = night.office.signed_code(night.rival.company.id, ticket.id).await.unwrap();
        assert_eq!(show(&night, &code.encode()).await, (Outcome::Invalid, Some(Reason::BadSignature)));
    }

    async fn a_replaced_code_is_withdrawn(store: Store) {
        let night = Night::begin(store).await;
        let company = night.red_rocks.company.id;
        let ticket = night.ticket(&night.ada).await;
        let signed = night.office.signed_code(company, ticket.id).await.unwrap().encode();
        let new = night.office.replace_code(company, ticket.id).await.unwrap();
        assert_eq!(show(&night, &signed).await, (Outcome::Revoked, Some(Reason::Withdrawn)));
        let old = ticket.code.as_str();
        assert_eq!(show(&night, old).await, (Outcome::Invalid, Some(Reason::UnknownCode)));
        assert_eq!(show(&night, new.as_str()).await, (Outcome::Ok, None));
    }

    async fn a_rotating_code_lives_for_moments_and_a_photograph_says_so(store: Store) {
        let night = Night::begin(store).await;
        let company = night.red_rocks.company.id;
        let ticket = night.ticket(&night.ada).await;
        let issue = night.office.rotating_code(company, ticket.id).await.unwrap();
        let photographed = issue.code.encode();
        let static_code = ticket.code.as_str();
        let needed = (Outcome::Invalid, Some(Reason::RotatingCodeNeeded));
        assert_eq!(show(&night, static_code).await, needed);
        night.clock.advance(Duration::from_minutes(1));
        let old = (Outcome::Invalid, Some(Reason::OldRotatingCode));
        assert_eq!(show(&night, &photographed).await, old);
        let wrong = RotatingCode { ticket_id: ticket.id, value: issue.code.value ^ 1 };
        let never = (Outcome::Invalid, Some(Reason::WrongRotatingCode));
        assert_eq!(show(&night, &wrong.encode()).await, never);
        let again = night.office.rotating_code(company, ticket.id).await.unwrap();
        assert_eq!(*again.secret, *issue.secret);
        assert_eq!(show(&night, &again.code.encode()).await, (Outcome::Ok, None));
        assert_eq!(show(&night, &again.code.encode()).await.0, Outcome::AlreadyRedeemed);
    }

    async fn a_code_that_pretix_signed_is_told_from_forgeries(store: Store) {
        let night = Night::begin(store).await;
        let mut lines = include_str!("../golden/pretix_sig1.txt").lines();
        let (code, key) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(PretixCode::decode(code).is_ok());
        assert_eq!(show(&night, code).await, (Outcome::Invalid, Some(Reason::BadSignature)));
        let key = pretix_public_key(key).unwrap();
        let (company, event) = (night.red_rocks.company.id, night.tonight.id);
        night.office.trust_pretix_key(company, event, &key).await.unwrap();
        assert_eq!(show(&night, code).await, (Outcome::Invalid, Some(Reason::UnknownCode)));
    }
}
