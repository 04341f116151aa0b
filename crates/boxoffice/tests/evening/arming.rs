//! Which palms are armed where: consent's scope, standing consent, the company's border.

use handfast_boxoffice::{OrderState, Outcome, Reason, Scope, TicketState};
use handfast_model::Duration;
use handfast_store::test_on_both_engines;

use crate::night::{Night, company_token, hours, venue_token};

test_on_both_engines! {
    async fn each_scope_reaches_as_far_as_it_says(store: Store) {
        let night = Night::begin(store).await;
        let next = night.event(&night.red_rocks, "Next week", 7 * 24).await;
        let mission = night.event(&night.mission, "Mission", 48).await;
        let foreign = night.event(&night.rival, "Rival", 24).await;
        for (palm, scope) in [(1, Scope::Event), (2, Scope::Venue), (3, Scope::Company)] {
            let account = crate::night::account(&night.office, &format!("fan{palm}")).await;
            let tickets = night.order(&account, &[&night.tonight, &mission, &next]).await;
            night.order(&account, &[&foreign]).await;
            let linked = night.link(&tickets[0], palm, scope).await;
            // Until the holder confirms, its own ticket is all.
            assert_eq!(night.armed(palm).await, [night.tonight.id], "{scope}");
            night.office.confirm_link(account.id, linked.link_id).await.unwrap();
            night.reconcile().await;
            let expected = match scope {
                Scope::Event => vec![night.tonight.id],
                Scope::Venue => vec![night.tonight.id, next.id],
                Scope::Company => vec![night.tonight.id, mission.id, next.id],
            };
            assert_eq!(night.armed(palm).await, expected, "{scope}");
        }
        // Two venues of the company know one palm by unrelated tokens; the rival by none.
        night.clock.advance(hours(49));
        let at_mission = night.hover(&night.mission, 3, 1).await;
        assert_eq!(at_mission.outcome, Outcome::Ok);
        assert_ne!(venue_token(night.mission.venue.id, 3), venue_token(night.red_rocks.venue.id, 3));
        assert_eq!(night.count(
            "SELECT COUNT(*) FROM venue_tokens v JOIN venues n ON n.id = v.venue_id
             WHERE n.name = 'Rival Hall'"
        ).await, 0);
    }

    async fn another_company_never_knows_the_palm(store: Store) {
        let night = Night::begin(store).await;
        let foreign = night.event(&night.rival, "Rival", -1).await;
        let ticket = night.ticket(&night.ada).await;
        let rivals = night.order(&night.ada, &[&foreign]).await;
        let linked = night.link(&ticket, 7, Scope::Company).await;
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        night.reconcile().await;
        assert_eq!(night.armed(7).await, [night.tonight.id]);
        let verdict = night.hover(&night.rival, 7, 1).await;
        assert_eq!(verdict.reason, Some(Reason::NotRecognised));
        // Even with the token of the company's own venue in hand, the rival's door knows nobody.
        let token = night.identify(&night.red_rocks, 7).await.unwrap();
        let presented = handfast_boxoffice::Presented::Palm { token: &token, people: 1 };
        let verdict = night.present(night.rival.entry, presented).await;
        assert_eq!(verdict.reason, Some(Reason::NotRecognised));
        // Nor is the link moved to the rival's ticket, or the rival's ticket linked here.
        let moved =
            night.office.move_link(night.ada.id, linked.link_id, rivals[0].code.as_str()).await;
        assert!(moved.is_err());
        assert_ne!(company_token(night.rival.company.id, 7),
                   company_token(night.red_rocks.company.id, 7));
    }

    async fn standing_consent_arms_when_an_order_appears(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let linked = night.link(&ticket, 7, Scope::Company).await;
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        night.reconcile().await;
        let mission = night.event(&night.mission, "Mission", 48).await;
        assert!(night.office.arming_changes().await.unwrap().arm.is_empty());
        let later = night.order(&night.ada, &[&mission]).await;
        let changes = night.office.arming_changes_of(night.ada.id).await.unwrap();
        assert_eq!(changes.arm.iter().map(|arming| arming.event_id).collect::<Vec<_>>(),
                   [mission.id]);
        assert_eq!(changes.arm[0].until, mission.ends_at);
        let bens = night.office.arming_changes_of(night.ben.id).await.unwrap();
        assert!(bens.arm.is_empty() && bens.disarm.is_empty());
        night.reconcile().await;

        // A ticket that is worth nothing any more disarms.
        let company = night.red_rocks.company.id;
        night.office.set_ticket_state(company, later[0].id, TicketState::Revoked).await.unwrap();
        let changes = night.office.arming_changes_of(night.ada.id).await.unwrap();
        assert_eq!(changes.disarm.iter().map(|arming| arming.event_id).collect::<Vec<_>>(),
                   [mission.id]);
        night.reconcile().await;
        night.office.set_order_state(company, ticket.order_id, OrderState::Cancelled).await.unwrap();
        night.reconcile().await;
        assert_eq!(night.armed(7).await, []);
        assert_eq!(night.count("SELECT COUNT(*) FROM armings").await, 0);
        assert_eq!(night.count("SELECT COUNT(*) FROM venue_tokens").await, 0);
    }

    async fn an_event_is_disarmed_at_its_end(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Company).await;
        night.clock.advance(night.tonight.ends_at - handfast_model::Clock::now(&*night.clock));
        let changes = night.office.arming_changes().await.unwrap();
        assert_eq!((changes.arm.len(), changes.disarm.len()), (0, 1));
        night.reconcile().await;
        assert_eq!(night.count("SELECT COUNT(*) FROM venue_tokens").await, 0);
        // The link itself goes on: its consent is for the company's events.
        assert_eq!(night.office.links(night.ada.id).await.unwrap().len(), 1);
    }

    async fn consent_ends_before_a_far_event_begins(store: Store) {
        let night = Night::begin(store).await;
        let far = night.event(&night.red_rocks, "In two years", 2 * 365 * 24).await;
        let tickets = night.order(&night.ada, &[&night.tonight, &far]).await;
        let linked = night.link(&tickets[0], 7, Scope::Company).await;
        night.office.confirm_link(night.ada.id, linked.link_id).await.unwrap();
        assert_eq!(night.armed(7).await, [night.tonight.id]);
        // Renewed a year and a half on, it reaches the event.
        night.clock.advance(Duration::from_days(300));
        night.office.change_link_scope(night.ada.id, linked.link_id, Scope::Venue).await.unwrap();
        night.clock.advance(Duration::from_days(300));
        night.office.change_link_scope(night.ada.id, linked.link_id, Scope::Venue).await.unwrap();
        night.reconcile().await;
        assert_eq!(night.armed(7).await, [far.id]);
    }

    async fn a_late_acknowledgement_of_a_deleted_link_stores_nothing(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let outside = night.red_rocks.outside;
        let linked = night.try_link(outside, &ticket, 7, Scope::Event).await.unwrap();
        let arming = night.office.arming_changes().await.unwrap().arm[0];
        night.office.end_link(night.ada.id, linked.link_id).await.unwrap();
        let token = venue_token(arming.venue_id, 7);
        assert!(!night.office.acknowledge_armed(&arming, &token).await.unwrap());
        assert_eq!(night.count("SELECT COUNT(*) FROM venue_tokens").await, 0);
        assert_eq!(night.count("SELECT COUNT(*) FROM armings").await, 0);
    }

    async fn an_acknowledgement_may_come_twice(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 7, Scope::Event).await;
        let arming = night.office.desired_armings().await.unwrap()[0];
        let token = venue_token(arming.venue_id, 7);
        assert!(night.office.acknowledge_armed(&arming, &token).await.unwrap());
        assert_eq!(night.count("SELECT COUNT(*) FROM venue_tokens").await, 1);
        night.office.acknowledge_disarmed(&arming).await.unwrap();
        night.office.acknowledge_disarmed(&arming).await.unwrap();
        assert_eq!(night.office.arming_changes().await.unwrap().arm, [arming]);
    }
}
