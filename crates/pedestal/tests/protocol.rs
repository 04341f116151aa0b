//! The pedestal protocol, as the page speaks it: one golden JSON a view, guidance and touch.

use handfast_model::{Currency, Money, Timestamp};
use handfast_pedestal::{
    AgeAsked, AgeChoice, Biometrics, ChargeBrief, ConsentPurpose, ConsentText, Direction,
    EnteredPin, EventBrief, Guidance, GuidanceState, HandsChoice, Language, Mode, Purpose, Reason,
    ReceiptUrl, Ring, Scope, ScopeOffer, Snapshot, TicketBrief, TicketCode, TicketProblem, Touch,
    View, WantedSide, WayOn,
};
use serde::Serialize;
use serde_json::{Value, json};

/// 2021-09-14T19:00:00Z.
const AT: Timestamp = Timestamp::from_micros(1_631_646_000_000_000);

fn json_of(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("serialises")
}

#[test]
fn views_of_enrolment() {
    let event = Some(EventBrief { name: "Nova".into(), starts_at: AT });
    let cases = [
        (
            View::Welcome { event, biometrics: Biometrics::Allowed },
            json!({"screen": "welcome", "event": {"name": "Nova", "starts_at": "2021-09-14T19:00:00Z"},
                "biometrics": "allowed"}),
        ),
        (
            View::Welcome { event: None, biometrics: Biometrics::Forbidden },
            json!({"screen": "welcome", "event": null, "biometrics": "forbidden"}),
        ),
        (View::ShowTicket { problem: None }, json!({"screen": "show_ticket", "problem": null})),
        (
            View::ShowTicket { problem: Some(TicketProblem::UnknownCode) },
            json!({"screen": "show_ticket", "problem": "unknown_code"}),
        ),
        (View::ChooseHands {}, json!({"screen": "choose_hands"})),
        (View::Working {}, json!({"screen": "working"})),
        (
            View::Linked {
                palms: 2,
                scope: Scope::Company,
                until: AT,
                enters_tonight: true,
                mail_sent: false,
            },
            json!({"screen": "linked", "palms": 2, "scope": "company",
                "until": "2021-09-14T19:00:00Z", "enters_tonight": true, "mail_sent": false}),
        ),
        (
            View::TurnedAway { reason: Reason::AlreadyLinked, way_on: WayOn::SignIn },
            json!({"screen": "turned_away", "reason": "already_linked", "way_on": "sign_in"}),
        ),
    ];
    for (view, expected) in cases {
        assert_eq!(json_of(view), expected);
    }
}

#[test]
fn view_of_the_consent() {
    let view = View::Consent {
        ticket: TicketBrief {
            event_name: "Nova".into(),
            venue_name: "Red Rocks".into(),
            starts_at: AT,
            product: "General admission".into(),
        },
        text: ConsentText {
            version: "2".into(),
            language: Language::Es,
            title: "Su palma".into(),
            paragraphs: vec!["Uno.".into(), "Dos.".into()],
            purposes: vec![ConsentPurpose { id: "duplicate_check".into(), text: "Tres.".into() }],
        },
        scopes: vec![ScopeOffer { id: Scope::Event, until: AT }],
        age: AgeAsked { from: 18, by_guardian: false },
        anew: false,
    };
    let younger = json!({"screen": "younger", "minimum": 13, "own_consent_from": 18});
    assert_eq!(json_of(View::Younger { minimum: 13, own_consent_from: 18 }), younger);
    let expected = json!({
        "screen": "consent",
        "ticket": {"event_name": "Nova", "venue_name": "Red Rocks",
            "starts_at": "2021-09-14T19:00:00Z", "product": "General admission"},
        "text": {"version": "2", "language": "es", "title": "Su palma",
            "paragraphs": ["Uno.", "Dos."],
            "purposes": [{"id": "duplicate_check", "text": "Tres."}]},
        "scopes": [{"id": "event", "until": "2021-09-14T19:00:00Z"}],
        "age": {"from": 18, "by_guardian": false},
        "anew": false,
    });
    assert_eq!(json_of(view), expected);
}

#[test]
fn views_of_entry() {
    let palm = View::Palm {
        purpose: Purpose::Enter,
        side: WantedSide::Either,
        palm: 1,
        palms: 1,
        taken: 2,
        wanted: 3,
        charge: None,
    };
    let cases = [
        (
            palm,
            json!({"screen": "palm", "purpose": "enter", "side": "either", "palm": 1, "palms": 1,
                "taken": 2, "wanted": 3, "charge": null}),
        ),
        (
            View::ChooseCount { available: 5, max: 4 },
            json!({"screen": "choose_count", "available": 5, "max": 4}),
        ),
        (
            View::Admitted { count: 2, direction: Direction::Straight },
            json!({"screen": "admitted", "count": 2, "direction": "straight"}),
        ),
    ];
    for (view, expected) in cases {
        assert_eq!(json_of(view), expected);
    }
}

#[test]
fn views_of_payment() {
    let amount = Money::new(1_250, Currency::Usd);
    let (shop_name, pay_qr) = ("Bar East".into(), Some("<svg/>".into()));
    let brief = ChargeBrief { shop_name, number: 7, amount, pay_qr };
    let palm = View::Palm {
        purpose: Purpose::Pay,
        side: WantedSide::Left,
        palm: 1,
        palms: 1,
        taken: 0,
        wanted: 3,
        charge: Some(brief.clone()),
    };
    let cases = [
        (
            View::WaitingForCharge {
                shop_name: "Bar East".into(),
                biometrics: Biometrics::Unavailable,
            },
            json!({"screen": "waiting_for_charge", "shop_name": "Bar East",
                "biometrics": "unavailable"}),
        ),
        (
            palm,
            json!({"screen": "palm", "purpose": "pay", "side": "left", "palm": 1, "palms": 1,
                "taken": 0, "wanted": 3, "charge": {"shop_name": "Bar East", "number": 7,
                "amount": {"minor": 1250, "currency": "USD"}, "pay_qr": "<svg/>"}}),
        ),
        (
            View::Pin { charge: brief.clone(), tries_left: Some(4), wrong: true },
            json!({"screen": "pin", "charge": {"shop_name": "Bar East", "number": 7,
                "amount": {"minor": 1250, "currency": "USD"}, "pay_qr": "<svg/>"},
                "tries_left": 4, "wrong": true}),
        ),
        (
            View::Paying { charge: brief },
            json!({"screen": "paying", "charge": {"shop_name": "Bar East", "number": 7,
                "amount": {"minor": 1250, "currency": "USD"}, "pay_qr": "<svg/>"}}),
        ),
        (
            View::Paid {
                number: 7,
                amount,
                credit_used: Some(Money::new(1_000, Currency::Usd)),
                receipt_url: Some(ReceiptUrl::new("/receipt/KEY".into())),
                held: false,
                discount: Some(Money::new(50, Currency::Usd)),
            },
            json!({"screen": "paid", "number": 7, "amount": {"minor": 1250, "currency": "USD"},
                "credit_used": {"minor": 1000, "currency": "USD"}, "receipt_url": "/receipt/KEY",
                "held": false, "discount": {"minor": 50, "currency": "USD"}}),
        ),
        (
            View::Paid {
                number: 7,
                amount,
                credit_used: None,
                receipt_url: None,
                held: true,
                discount: None,
            },
            json!({"screen": "paid", "number": 7, "amount": {"minor": 1250, "currency": "USD"},
                "credit_used": null, "receipt_url": null, "held": true, "discount": null}),
        ),
    ];
    for (view, expected) in cases {
        assert_eq!(json_of(view), expected);
    }
}

#[test]
fn a_snapshot_with_guidance() {
    let ring = Ring { x: 0.5, y: 0.25, radius: 0.125 };
    let guidance = Guidance { state: GuidanceState::MoveToCentre, hold: 0.5, hand: Some(ring) };
    let snapshot =
        Snapshot { mode: Mode::EnrolInside, view: View::ChooseHands {}, guidance: Some(guidance) };
    let expected = json!({
        "mode": "enrol_inside",
        "view": {"screen": "choose_hands"},
        "guidance": {"state": "move_to_centre", "hold": 0.5,
            "hand": {"x": 0.5, "y": 0.25, "radius": 0.125}},
    });
    assert_eq!(json_of(snapshot), expected);
    let guidance = Guidance { state: GuidanceState::NoHand, hold: 0.0, hand: None };
    assert_eq!(json_of(guidance), json!({"state": "no_hand", "hold": 0.0, "hand": null}));
}

#[test]
fn every_word_of_the_protocol() {
    let words = |values: Vec<Value>| {
        let words: Vec<String> =
            values.iter().map(|value| value.as_str().expect("a word").to_owned()).collect();
        words.join(" ")
    };
    use GuidanceState as G;
    let states = [
        G::NoHand,
        G::Closer,
        G::Further,
        G::TooDark,
        G::Glare,
        G::HoldStill,
        G::Tilt,
        G::OpenFingers,
        G::OneHandOnly,
        G::TurnPalm,
        G::Blurred,
        G::MoveToCentre,
        G::Ready,
        G::WrongHand,
        G::TakeHandAway,
    ];
    assert_eq!(
        words(states.map(json_of).to_vec()),
        "no_hand closer further too_dark glare hold_still tilt open_fingers one_hand_only \
         turn_palm blurred move_to_centre ready wrong_hand take_hand_away"
    );
    use Reason as R;
    let reasons = [
        R::NotRecognised,
        R::Ambiguous,
        R::NoTicket,
        R::AlreadyRedeemed,
        R::NoBiometrics,
        R::AlreadyLinked,
        R::DeclinedConsent,
        R::TooYoung,
        R::GuardianWanted,
        R::CaptureTimeout,
        R::VaultUnavailable,
        R::PaymentDeclined,
        R::PaymentUnknown,
        R::NoWallet,
        R::WalletFrozen,
        R::AgeNotKnown,
        R::ChargeExpired,
        R::ChargeCancelled,
        R::EventClosed,
        R::Internal,
    ];
    assert_eq!(
        words(reasons.map(json_of).to_vec()),
        "not_recognised ambiguous no_ticket already_redeemed no_biometrics already_linked \
         declined_consent too_young guardian_wanted capture_timeout vault_unavailable payment_declined payment_unknown \
         no_wallet wallet_frozen age_not_known charge_expired charge_cancelled event_closed \
         internal"
    );
    use TicketProblem as T;
    let problems = [T::UnknownCode, T::OtherEvent, T::AlreadyRedeemed, T::NotValid, T::EventOver];
    assert_eq!(
        words(problems.map(json_of).to_vec()),
        "unknown_code other_event already_redeemed not_valid event_over"
    );
    use WayOn as W;
    let ways = [W::QrLane, W::Staff, W::TryAgain, W::SignIn, W::OtherWayToPay, W::Nothing];
    assert_eq!(
        words(ways.map(json_of).to_vec()),
        "qr_lane staff try_again sign_in other_way_to_pay nothing"
    );
    let modes = [Mode::EnrolOutside, Mode::EnrolInside, Mode::EntryLane, Mode::Counter];
    assert_eq!(words(modes.map(json_of).to_vec()), "enrol_outside enrol_inside entry_lane counter");
}

#[test]
fn touches() {
    let cases = [
        (json!({"type": "begin"}), Touch::Begin),
        (
            json!({"type": "ticket_code", "code": " ABC\n"}),
            Touch::TicketCode { code: TicketCode::parse("ABC") },
        ),
        (json!({"type": "ticket_code", "code": ""}), Touch::TicketCode { code: None }),
        (json!({"type": "accept", "scope": "event"}), Touch::Accept { scope: Scope::Event }),
        (json!({"type": "accept", "scope": "venue"}), Touch::Accept { scope: Scope::Venue }),
        (json!({"type": "accept", "scope": "company"}), Touch::Accept { scope: Scope::Company }),
        (json!({"type": "decline"}), Touch::Decline),
        (json!({"type": "younger"}), Touch::Younger),
        (json!({"type": "age", "choice": "minor"}), Touch::Age { choice: AgeChoice::Minor }),
        (json!({"type": "age", "choice": "too_young"}), Touch::Age { choice: AgeChoice::TooYoung }),
        (json!({"type": "hands", "choice": "one"}), Touch::Hands { choice: HandsChoice::One }),
        (json!({"type": "hands", "choice": "both"}), Touch::Hands { choice: HandsChoice::Both }),
        (json!({"type": "count", "count": 2}), Touch::Count { count: 2 }),
        (json!({"type": "pin", "pin": "2580"}), Touch::Pin { pin: EnteredPin::parse("2580") }),
        (json!({"type": "pin", "pin": "25"}), Touch::Pin { pin: None }),
        (json!({"type": "cancel"}), Touch::Cancel),
        (json!({"type": "language", "language": "de"}), Touch::Language { language: Language::De }),
    ];
    for (message, expected) in cases {
        let touch: Touch = serde_json::from_value(message.clone()).expect("a touch");
        assert_eq!(touch, expected, "{message}");
    }
}

#[test]
fn what_is_no_touch_is_refused() {
    let messages = [
        json!({}),
        json!({"type": "open"}),
        json!({"type": "accept"}),
        json!({"type": "accept", "scope": "world"}),
        json!({"type": "count", "count": -1}),
        json!({"type": "count", "count": "2"}),
        json!({"type": "ticket_code", "code": 7}),
        json!({"type": "language", "language": "xx"}),
        json!([1, 2]),
    ];
    for message in messages {
        assert!(serde_json::from_value::<Touch>(message.clone()).is_err(), "{message}");
    }
}
