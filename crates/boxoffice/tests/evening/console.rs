//! What the operator sees.

use handfast_boxoffice::{
    AdmissionRequest, AdmissionTerms, BoxOfficeError, CaptureFailureCount, EventLive, Method,
    MinuteCount, Outcome, OutcomeCount, Passing, Presented, Scope, Wait,
};
use handfast_model::{Clock, Duration};
use handfast_store::test_on_both_engines;

use crate::night::{Night, hours};

test_on_both_engines! {
    async fn counts_follow_the_evening(store: Store) {
        let night = Night::begin(store).await;
        let (office, company) = (&night.office, night.red_rocks.company.id);
        let tickets = night.order(&night.ada, &[&night.tonight; 5]).await;
        night.link(&tickets[0], 7, Scope::Event).await;
        let begin = night.clock.now();
        night.hover(&night.red_rocks, 7, 1).await;
        night.scan(&tickets[4]).await;
        night.clock.advance(Duration::from_secs(150));
        night.scan(&tickets[3]).await;
        night.scan(&tickets[3]).await;
        night.hover(&night.red_rocks, 99, 1).await;
        for reason in ["too_dark", "blurred", "too_dark"] {
            office.report_capture_failure(night.red_rocks.entry, reason).await.unwrap();
        }

        let live = office.console_live(company, night.tonight.id).await.unwrap();
        assert_eq!((live.sold, live.entered), (5, 3));
        assert_eq!((live.entered_by_palm, live.entered_by_code), (1, 2));
        assert_eq!(live.minutes, [
            MinuteCount { minute: begin, palm: 1, code: 1 },
            MinuteCount { minute: begin + Duration::from_minutes(2), palm: 0, code: 1 },
        ]);
        assert_eq!(live.refusals, [
            OutcomeCount { outcome: Outcome::AlreadyRedeemed, count: 1 },
            OutcomeCount { outcome: Outcome::Invalid, count: 1 },
        ]);
        assert_eq!(live.linked_palms, 1);
        assert_eq!(live.capture_failures, [
            CaptureFailureCount { reason: "too_dark".to_owned(), count: 2 },
            CaptureFailureCount { reason: "blurred".to_owned(), count: 1 },
        ]);
        assert_eq!(live.devices.len(), 4);
        assert_eq!(live.devices[0].lane_name.as_deref(), Some("Lane 1"));

        assert_eq!(live.gates.len(), 1);
        let gate = |live: EventLive| (live.gates[0].wait, live.gates[0].people, live.gates[0].devices);
        assert_eq!(gate(live), (Wait::Hardly, 2, 2), "the minute that goes on is not counted");
        night.clock.advance(Duration::from_minutes(11));
        let later = office.console_live(company, night.tonight.id).await.unwrap();
        assert_eq!(gate(later), (Wait::Unknown, 0, 0));

        let overview = office.console_events(company).await.unwrap();
        assert_eq!(overview.len(), 1);
        let tonight = &overview[0];
        assert_eq!((tonight.sold, tonight.entered, tonight.palms_armed), (5, 3, 1));

        let recent = office.recent_admissions(company, night.tonight.id, 3).await.unwrap();
        let seen: Vec<_> =
            recent.iter().map(|admission| (admission.outcome, admission.method)).collect();
        assert_eq!(seen.len(), 3);
        assert!(seen.contains(&(Outcome::Invalid, Method::Palm)));
        assert!(seen.contains(&(Outcome::AlreadyRedeemed, Method::Code)));
    }

    async fn a_gates_work_is_its_entries_for_whatever_event(store: Store) {
        let night = Night::begin(store).await;
        let (office, place) = (&night.office, &night.red_rocks);
        let side = night.event(place, "Side stage", -1).await;
        let ticket = night.ticket(&night.ada).await;
        let beside = night.order(&night.ada, &[&side]).await.remove(0);
        night.scan(&ticket).await;
        night.present(place.entry, Presented::Code(beside.code.as_str())).await;
        // Somebody leaves through another lane of the gate.
        let terms = AdmissionTerms { passing: Some(Passing::Exit), ..AdmissionTerms::default() };
        let presented = Presented::Code(ticket.code.as_str());
        let request = AdmissionRequest { device_id: place.inside, nonce: "one-leaves", presented };
        assert_eq!(office.admit_on(&request, terms).await.unwrap().outcome, Outcome::Ok);
        night.clock.advance(Duration::from_minutes(1));
        for event in [night.tonight.id, side.id] {
            let live = office.console_live(place.company.id, event).await.unwrap();
            assert_eq!((live.gates[0].people, live.gates[0].devices), (1, 2));
        }
    }

    async fn another_companys_event_is_not_shown(store: Store) {
        let night = Night::begin(store).await;
        let (rival, event) = (night.rival.company.id, night.tonight.id);
        let live = night.office.console_live(rival, event).await;
        assert!(matches!(live, Err(BoxOfficeError::Unknown(_))));
        assert!(night.office.recent_admissions(rival, event, 10).await.is_err());
        assert_eq!(night.office.console_events(rival).await.unwrap(), []);
    }

    async fn a_reported_reason_is_a_word(store: Store) {
        let night = Night::begin(store).await;
        for reason in ["", "Too dark", "too dark", "ada@example.org", &"x".repeat(41)] {
            let refused = night.office.report_capture_failure(night.red_rocks.entry, reason).await;
            assert!(refused.is_err(), "{reason:?}");
        }
    }

    async fn pedestals_show_what_is_on(store: Store) {
        let night = Night::begin(store).await;
        let (office, venue) = (&night.office, night.red_rocks.venue.id);
        let next = night.event(&night.red_rocks, "Next week", 7 * 24).await;
        assert_eq!(office.event_tonight(venue).await.unwrap(), Some(night.tonight.clone()));
        assert_eq!(office.open_events(venue).await.unwrap().len(), 1);
        night.clock.advance(hours(5));
        assert_eq!(office.event_tonight(venue).await.unwrap(), None);
        assert_eq!(office.open_events(venue).await.unwrap(), []);
        night.clock.advance(hours(6 * 24));
        assert_eq!(office.event_tonight(venue).await.unwrap(), Some(next.clone()));
        assert_eq!(office.events(night.red_rocks.company.id).await.unwrap().len(), 2);
        assert_eq!(office.event(next.id).await.unwrap(), next);
        assert_eq!(office.event_tonight(night.mission.venue.id).await.unwrap(), None);
    }
}
