//! Age: who may consent alone, who with a guardian.

use handfast_boxoffice::{
    AgeEvidence, AgeLaw, AgeSaid, BoxOfficeError, CURRENT_VERSION, Language, LinkRefusal, NewLink,
    PalmHandle, SaidBy, Scope, Side,
};
use handfast_model::Clock as _;
use handfast_store::test_on_both_engines;

use crate::night::{Night, company_token};

const LAW: AgeLaw = AgeLaw { minimum: 13, own_consent_from: 18 };

test_on_both_engines! {
    async fn somebody_younger_links_a_palm_with_a_guardian_and_not_without(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let palms =
            [PalmHandle { side: Side::Left, company_token: company_token(night.red_rocks.company.id, 1) }];
        let new = NewLink {
            device_id: night.red_rocks.outside,
            ticket_id: ticket.id,
            palms: &palms,
            text_version: CURRENT_VERSION,
            language: Language::English,
            scope: Scope::Event,
            accepted_at: night.clock.now(),
            age: AgeSaid::Guardian,
        };
        let alone = night.office.create_link(&new).await;
        assert!(matches!(alone, Err(BoxOfficeError::Link(LinkRefusal::NoGuardian))), "{alone:?}");
        // Only who holds the ticket consents for whoever uses it.
        let stranger =
            night.office.give_guardian_consent(night.ben.id, ticket.id, Language::English, LAW).await;
        assert!(matches!(stranger, Err(BoxOfficeError::Unknown(_))), "{stranger:?}");
        let given = night
            .office
            .give_guardian_consent(night.ada.id, ticket.id, Language::German, LAW)
            .await
            .unwrap();
        let again = night
            .office
            .give_guardian_consent(night.ada.id, ticket.id, Language::English, LAW)
            .await
            .unwrap();
        assert_eq!(again, given, "a repetition keeps the first");
        let code = ticket.code.as_str();
        let offer = night.office.ticket_to_link(night.red_rocks.outside, code).await.unwrap();
        assert!(offer.guardian);
        night.office.create_link(&new).await.unwrap();
        let link = night.office.links(night.ada.id).await.unwrap().remove(0);
        let evidence =
            AgeEvidence { said: AgeSaid::Guardian, by: SaidBy::Holder, at: given.given_at };
        assert_eq!(link.consent.age, Some(evidence));
        assert_eq!(night.office.living_links().await.unwrap()[0].palms, palms);
    }

    async fn a_guardians_consent_is_withdrawn_and_asked_for_seldom(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        let give = async || {
            night.office.give_guardian_consent(night.ada.id, ticket.id, Language::English, LAW).await
        };
        give().await.unwrap();
        assert_eq!(night.office.guardian_consents(night.ada.id).await.unwrap().len(), 1);
        night.office.withdraw_guardian_consent(night.ada.id, ticket.id).await.unwrap();
        assert_eq!(night.office.guardian_consents(night.ada.id).await.unwrap(), []);
        let (company, venue) = (night.red_rocks.company.id, night.red_rocks.venue.id);
        for (years, counts) in [(17, true), (18, false)] {
            night.office.set_minimum_age(company, venue, years).await.unwrap();
            assert_eq!(LAW.guardians_count(Some(years)), counts);
            let given = give().await;
            let refused = matches!(given, Err(BoxOfficeError::Link(LinkRefusal::OwnConsentOnly)));
            assert_eq!((given.is_ok(), refused), (counts, !counts), "{years}");
        }
        let before = night.office.newest_mails(50).await.unwrap().len();
        for _ in 0..9 {
            night.office.ask_guardian(ticket.id).await.unwrap();
        }
        assert_eq!(night.office.newest_mails(50).await.unwrap().len(), before + 2);
    }

    async fn a_venue_sets_its_own_minimum_age_and_nobody_elses(store: Store) {
        let night = Night::begin(store).await;
        let (company, venue) = (night.red_rocks.company.id, night.red_rocks.venue.id);
        assert_eq!(night.office.minimum_age(venue).await.unwrap(), None);
        night.office.set_minimum_age(company, venue, 16).await.unwrap();
        assert_eq!(night.office.minimum_age(venue).await.unwrap(), Some(16));
        assert!(night.office.set_minimum_age(company, venue, 99).await.is_err());
        let stranger = night.office.create_company("Other").await.unwrap();
        let refused = night.office.set_minimum_age(stranger.id, venue, 13).await;
        assert!(matches!(refused, Err(BoxOfficeError::Unknown(_))), "{refused:?}");
    }
}
