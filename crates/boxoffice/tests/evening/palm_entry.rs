//! Entering by palm: own ticket first, the account's others once confirmed, never somebody else's.

use std::sync::Arc;

use handfast_boxoffice::{
    AdmissionRequest, Biometrics, BoxOfficeError, Method, Outcome, Presented, Reason, Scope, Turned,
};
use handfast_store::test_on_both_engines;

use crate::night::{Night, hours, venue_token};

test_on_both_engines! {
    async fn a_pending_link_enters_with_its_own_ticket_only(store: Store) {
        let night = Night::begin(store).await;
        let tickets = night.order(&night.ada, &[&night.tonight, &night.tonight]).await;
        night.link(&tickets[0], 7, Scope::Company).await;
        let token = night.identify(&night.red_rocks, 7).await.unwrap();
        let candidates =
            night.office.candidates_for_palm(night.red_rocks.entry, &token).await.unwrap();
        assert_eq!((candidates.available, candidates.turned), (1, None));
        let verdict = night.hover(&night.red_rocks, 7, 1).await;
        assert_eq!((verdict.outcome, verdict.people), (Outcome::Ok, 1));
        let again = night.hover(&night.red_rocks, 7, 1).await;
        assert_eq!(again.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(again.previous.unwrap().method, Method::Palm);
        // By code the same ticket is redeemed, the other is not.
        assert_eq!(night.scan(&tickets[0]).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.scan(&tickets[1]).await.outcome, Outcome::Ok);
    }

    async fn what_entered_by_code_is_redeemed_for_the_palm(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
        night.scan(&ticket).await;
        let token = night.identify(&night.red_rocks, 7).await.unwrap();
        let candidates =
            night.office.candidates_for_palm(night.red_rocks.entry, &token).await.unwrap();
        assert_eq!(candidates.available, 0);
        let Some(Turned { outcome, reason, previous }) = candidates.turned else { panic!() };
        assert_eq!((outcome, reason), (Outcome::AlreadyRedeemed, Reason::EnteredBefore));
        assert_eq!(previous.unwrap().method, Method::Code);
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.outcome, Outcome::AlreadyRedeemed);
    }

    async fn a_confirmed_palm_brings_as_many_as_it_chooses(store: Store) {
        let night = Night::begin(store).await;
        let events = [&night.tonight; 10];
        let tickets = night.order(&night.ada, &events).await;
        let linked = night.link(&tickets[3], 7, Scope::Event).await;
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        let token = night.identify(&night.red_rocks, 7).await.unwrap();
        let entry = night.red_rocks.entry;
        let available = async || {
            night.office.candidates_for_palm(entry, &token).await.unwrap().available
        };
        assert_eq!(available().await, 8);
        let verdict = night.hover(&night.red_rocks, 7, 3).await;
        assert_eq!((verdict.outcome, verdict.people, verdict.available), (Outcome::Ok, 3, 8));
        // Its own ticket went first.
        assert_eq!(night.scan(&tickets[3]).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(available().await, 7);
        let all = night.hover(&night.red_rocks, 7, 8).await;
        assert_eq!((all.outcome, all.reason, all.people, all.available),
                   (Outcome::Incomplete, Some(Reason::FewerAvailable), 0, 7));
        assert_eq!(night.hover(&night.red_rocks, 7, 7).await.people, 7);
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 10);

        for people in [0, 9] {
            let request = AdmissionRequest {
                device_id: entry,
                nonce: "too-many-or-none",
                presented: Presented::Palm { token: &token, people },
            };
            let refused = night.office.admit(&request).await;
            assert!(matches!(refused, Err(BoxOfficeError::People)), "{refused:?}");
        }
    }

    async fn several_people_of_one_order_each_enter_with_their_own(store: Store) {
        let night = Night::begin(store).await;
        let events = [&night.tonight; 3];
        let tickets = night.order(&night.ada, &events).await;
        let first = night.link(&tickets[0], 1, Scope::Event).await;
        night.link(&tickets[1], 2, Scope::Event).await;
        night.office.confirm_link(night.ada.id, first.link_id).await.unwrap();
        let available = async |palm| {
            let token = night.identify(&night.red_rocks, palm).await.unwrap();
            let entry = night.red_rocks.entry;
            night.office.candidates_for_palm(entry, &token).await.unwrap().available
        };
        // The holder has their own and the free one; the companion theirs alone.
        assert_eq!((available(1).await, available(2).await), (2, 1));
        assert_eq!(night.hover(&night.red_rocks, 1, 2).await.people, 2);
        assert_eq!(night.hover(&night.red_rocks, 2, 1).await.outcome, Outcome::Ok);
        assert_eq!(night.hover(&night.red_rocks, 1, 1).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 3);
    }

    async fn two_confirmed_palms_share_what_is_free_exactly(store: Store) {
        let night = Arc::new(Night::begin(store).await);
        let events = [&night.tonight; 7];
        let tickets = night.order(&night.ada, &events).await;
        for palm in [1, 2] {
            let ticket = &tickets[usize::from(palm)];
            let linked = night.link(ticket, palm, Scope::Event).await;
            night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        }
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let night = night.clone();
                tokio::spawn(async move {
                    let palm = 1 + number % 2;
                    u32::from(night.hover(&night.red_rocks, palm, 1).await.people)
                })
            })
            .collect();
        let mut entered = 0;
        for task in tasks {
            entered += task.await.unwrap();
        }
        assert_eq!(entered, 7);
        assert_eq!(night.count("SELECT COUNT(*) FROM passages").await, 7);
    }

    async fn strangers_and_lookalikes_leave_no_identifier(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
        let stranger = night.hover(&night.red_rocks, 99, 1).await;
        assert_eq!((stranger.outcome, stranger.reason),
                   (Outcome::Invalid, Some(Reason::NotRecognised)));
        // A token that the box office does not know is a stranger's too.
        let unknown = venue_token(night.red_rocks.venue.id, 98);
        let presented = Presented::Palm { token: &unknown, people: 1 };
        let verdict = night.present(night.red_rocks.entry, presented).await;
        assert_eq!(verdict.reason, Some(Reason::NotRecognised));
        let several = night.present(night.red_rocks.entry, Presented::AmbiguousPalm).await;
        assert_eq!((several.outcome, several.reason),
                   (Outcome::Ambiguous, Some(Reason::SeveralPalms)));
        assert_eq!(night.count("SELECT COUNT(*) FROM admissions").await, 3);
        assert_eq!(night.count("SELECT COUNT(ticket_id) FROM admissions").await, 0);
        // Nor do two strangers' records differ in anything that could be theirs.
        let distinct = night.count(
            "SELECT COUNT(DISTINCT request_hash) FROM admissions WHERE reason = 'not_recognised'"
        ).await;
        assert_eq!(distinct, 2);
        night.hover(&night.red_rocks, 97, 1).await;
        let distinct = night.count(
            "SELECT COUNT(DISTINCT request_hash) FROM admissions WHERE reason = 'not_recognised'"
        ).await;
        assert_eq!(distinct, 2);
    }

    async fn a_linked_palm_without_a_ticket_for_tonight_is_told_so(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let linked = night.link(&ticket, 7, Scope::Venue).await;
        let own = night.office.ticket_by_code(ticket.code.as_str()).await.unwrap();
        assert_eq!(own, ticket);
        // The ticket is moved away to next week's; the vault still has tonight's arming.
        let later = night.event(&night.red_rocks, "Next week", 7 * 24).await;
        let next = night.order(&night.ada, &[&later]).await.remove(0);
        let code = next.code.as_str();
        night.office.move_link(night.ada.id, linked.link_id, code).await.unwrap();
        let verdict = night.hover(&night.red_rocks, 7, 1).await;
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Invalid, Some(Reason::NoTicket)));
        assert_eq!(night.count("SELECT COUNT(ticket_id) FROM admissions").await, 0);
    }

    async fn without_biometrics_no_palm_enters(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
        let token = night.identify(&night.red_rocks, 7).await.unwrap();
        let company = night.red_rocks.company.id;
        let switch = async |biometrics| {
            night.office.set_biometrics(company, night.tonight.id, biometrics).await.unwrap()
        };
        assert_eq!(switch(Biometrics::Forbidden).await.biometrics, Biometrics::Forbidden);
        // Before anything was disarmed the answer is already no.
        let presented = Presented::Palm { token: &token, people: 1 };
        let verdict = night.present(night.red_rocks.entry, presented).await;
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Rules, Some(Reason::NoBiometrics)));
        let candidates =
            night.office.candidates_for_palm(night.red_rocks.entry, &token).await.unwrap();
        assert_eq!(candidates.available, 0);
        night.reconcile().await;
        assert_eq!(night.armed(7).await, []);
        assert_eq!(night.count("SELECT COUNT(*) FROM venue_tokens").await, 0);
        assert_eq!(night.scan(&ticket).await.outcome, Outcome::Ok);
        switch(Biometrics::Allowed).await;
        night.reconcile().await;
        assert_eq!(night.armed(7).await, [night.tonight.id]);
    }

    async fn a_filled_event_is_as_if_each_palm_had_been_linked(store: Store) {
        use crate::night::company_token;
        let night = Night::begin(store).await;
        let (company, venue) = (night.red_rocks.company.id, night.red_rocks.venue.id);
        let palms: Vec<_> = (0..200)
            .map(|palm| (company_token(company, palm), venue_token(venue, palm)))
            .collect();
        let (device, account) = (night.red_rocks.outside, night.ada.id);
        let event = night.tonight.id;
        let tickets =
            night.office.danger_fill_links(device, account, event, &palms).await.unwrap();
        let changes = night.office.arming_changes().await.unwrap();
        assert!(changes.arm.is_empty() && changes.disarm.is_empty());
        let presented = Presented::Palm { token: &palms[42].1, people: 1 };
        let verdict = night.present(night.red_rocks.entry, presented).await;
        assert_eq!(verdict.outcome, Outcome::Ok);
        assert_eq!(night.scan(&tickets[42]).await.outcome, Outcome::AlreadyRedeemed);
        assert_eq!(night.scan(&tickets[43]).await.outcome, Outcome::Ok);
        assert_eq!(night.office.links(account).await.unwrap().len(), 200);
    }

    async fn who_linked_inside_enters_future_events_only(store: Store) {
        let night = Night::begin(store).await;
        let inside = night.red_rocks.inside;
        let soon = night.event(&night.red_rocks, "Tomorrow", 24).await;
        let overlapping = night.event(&night.mission, "Same night", 0).await;
        let tickets =
            night.order(&night.ada, &[&night.tonight, &night.tonight, &soon, &overlapping]).await;
        night.scan(&tickets[0]).await;
        let offer = night.office.ticket_to_link(inside, tickets[0].code.as_str()).await.unwrap();
        assert!(!offer.enters_tonight);
        let scopes: Vec<_> = offer.scopes.iter().map(|offered| offered.scope).collect();
        assert_eq!(scopes, [Scope::Venue, Scope::Company]);
        let narrow = night.try_link(inside, &tickets[0], 7, Scope::Event).await;
        assert!(matches!(narrow, Err(BoxOfficeError::Scope)), "{narrow:?}");

        let linked = night.try_link(inside, &tickets[0], 7, Scope::Company).await.unwrap();
        assert!(!linked.enters_tonight);
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        night.reconcile().await;
        // Tonight has another free ticket, and the Mission plays at the same time: neither.
        assert_eq!(night.armed(7).await, []);
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.reason, Some(Reason::NotRecognised));
        let narrow =
            night.office.change_link_scope(night.ada.id, linked.link_id, Scope::Event).await;
        assert!(matches!(narrow, Err(BoxOfficeError::Scope)));

        // From the end of the night tomorrow's is armed, and entered.
        night.clock.advance(hours(5));
        night.reconcile().await;
        assert_eq!(night.armed(7).await, [soon.id]);
        night.clock.advance(hours(20));
        assert_eq!(night.hover(&night.red_rocks, 7, 1).await.outcome, Outcome::Ok);
    }
}
