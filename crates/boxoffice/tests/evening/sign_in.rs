//! Mail links and sessions.

use handfast_boxoffice::{BoxOfficeError, Decision, Language, Realm, Role, Scope, Who};
use handfast_model::Duration;
use handfast_store::test_on_both_engines;

use crate::night::{Night, hours};

test_on_both_engines! {
    async fn a_fan_signs_in_once_by_mail(store: Store) {
        let night = Night::begin(store).await;
        night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        let key = night.newest_key(&night.ada).await;
        let session = night.office.open_session(&key).await.unwrap();
        let who = Who::Fan {
            account_id: night.ada.id,
            name: "ada".to_owned(),
            email: night.ada.email.clone(),
        };
        assert_eq!(session.who, who);
        assert_eq!(night.office.who(session.key.expose()).await.unwrap(), Some(who));
        let again = night.office.open_session(&key).await;
        assert!(matches!(again, Err(BoxOfficeError::MailKey)), "{again:?}");

        night.office.end_session(session.key.expose()).await.unwrap();
        assert_eq!(night.office.who(session.key.expose()).await.unwrap(), None);
    }

    async fn keys_and_sessions_end_by_themselves(store: Store) {
        let night = Night::begin(store).await;
        night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        let late = night.newest_key(&night.ada).await;
        night.clock.advance(Duration::from_minutes(15));
        let refused = night.office.open_session(&late).await;
        assert!(matches!(refused, Err(BoxOfficeError::MailKey)), "{refused:?}");

        night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        let key = night.newest_key(&night.ada).await;
        night.clock.advance(Duration::from_micros(15 * 60 * 1_000_000 - 1));
        let session = night.office.open_session(&key).await.unwrap();
        night.clock.advance(session.expires_at - handfast_model::Clock::now(&*night.clock));
        assert_eq!(night.office.who(session.key.expose()).await.unwrap(), None);
    }

    async fn an_unknown_address_gets_no_mail_and_a_known_one_not_too_many(store: Store) {
        let night = Night::begin(store).await;
        let nobody = "nobody@example.org".parse().unwrap();
        night.office.request_sign_in(&nobody, Realm::Fan).await.unwrap();
        // A fan is no staff user.
        night.office.request_sign_in(&night.ada.email, Realm::Staff).await.unwrap();
        assert_eq!(night.office.newest_mails(10).await.unwrap(), []);
        for _ in 0..9 {
            night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        }
        assert_eq!(night.office.unsent_mails(100).await.unwrap().len(), 5);
        night.clock.advance(hours(1));
        night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        assert_eq!(night.office.unsent_mails(100).await.unwrap().len(), 6);
    }

    async fn staff_sign_in_to_the_console_until_disabled(store: Store) {
        let night = Night::begin(store).await;
        let company = &night.red_rocks.company;
        let email = "olga@example.org".parse().unwrap();
        let user = night
            .office
            .create_staff_user(company.id, &email, "Olga", Role::Operator, Language::German)
            .await
            .unwrap();
        night.office.request_sign_in(&email, Realm::Staff).await.unwrap();
        let mail = night.office.newest_mails(1).await.unwrap().remove(0);
        let link = mail.link.unwrap();
        let key = link.strip_prefix("https://tickets.example/console#/enter/").unwrap();
        let session = night.office.open_session(key).await.unwrap();
        let Who::Staff { staff_user_id, role, company_id, company_name, .. } = session.who else {
            panic!("{:?}", session.who)
        };
        assert_eq!((staff_user_id, role), (user.id, Role::Operator));
        assert_eq!((company_id, company_name), (company.id, company.name.clone()));

        let rival = night.rival.company.id;
        assert!(night.office.disable_staff_user(rival, user.id).await.is_err());
        night.office.disable_staff_user(company.id, user.id).await.unwrap();
        assert_eq!(night.office.who(session.key.expose()).await.unwrap(), None);
        assert_eq!(night.office.staff_users(company.id).await.unwrap(), []);
    }

    async fn an_address_has_one_account(store: Store) {
        let night = Night::begin(store).await;
        let again = night.office.create_account(&night.ada.email, "Ada", Language::English).await;
        assert!(matches!(again, Err(BoxOfficeError::EmailTaken)), "{again:?}");
        let found = night.office.account_by_email(&night.ben.email).await.unwrap();
        assert_eq!(found, Some(night.ben.clone()));
    }

    async fn a_key_opens_nothing_but_what_it_is_for(store: Store) {
        let night = Night::begin(store).await;
        let ticket = night.ticket(&night.ada).await;
        night.link(&ticket, 1, Scope::Event).await;
        let about_link = night.newest_key(&night.ada).await;
        let session = night.office.open_session(&about_link).await;
        assert!(matches!(session, Err(BoxOfficeError::MailKey)));
        night.clock.advance(Duration::from_secs(1));
        night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        let sign_in = night.newest_key(&night.ada).await;
        let decided = night.office.decide_link(&sign_in, Decision::Undo).await;
        assert!(matches!(decided, Err(BoxOfficeError::MailKey)));
        assert!(night.office.link_question(&sign_in).await.is_err());
        for key in ["", "AAAA", &"A".repeat(10_000)] {
            assert!(night.office.open_session(key).await.is_err());
            assert_eq!(night.office.who(key).await.unwrap(), None);
        }
    }

    async fn a_sent_mail_forgets_its_key(store: Store) {
        let night = Night::begin(store).await;
        night.office.request_sign_in(&night.ada.email, Realm::Fan).await.unwrap();
        let mail = night.office.unsent_mails(10).await.unwrap().remove(0);
        night.office.mail_sent(mail.id).await.unwrap();
        assert_eq!(night.office.unsent_mails(10).await.unwrap(), []);
        let kept = night.office.newest_mails(10).await.unwrap().remove(0);
        assert_eq!((kept.link, kept.body.as_str()), (None, ""));
        assert!(night.office.mail_sent(mail.id).await.is_err());
    }
}
