//! The scenarios: a list, a ticket, steps, and what each side answers.

use handfast_boxoffice::{AntiPassback, EntryMode};

/// A check-in list as both sides can have it.
pub struct List {
    pub entry: EntryMode,
    pub anti_passback: (AntiPassback, Option<u32>),
    pub include_unpaid: bool,
    pub addon_match: bool,
    /// The products; all where empty.
    pub products: &'static [&'static str],
    pub rule: Option<&'static str>,
    /// The same rule in pretix's JSON logic.
    pub pretix_rule: Option<&'static str>,
}

/// What ticket is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    Paid,
    Unpaid,
    Unapproved,
    Cancelled,
    Blocked,
    /// Its signed code was replaced.
    Revoked,
    NotYetValid,
    NoLongerValid,
    /// Of a product that a question is asked for.
    Vip,
    /// General admission with so many parking add-ons.
    WithParking(u8),
    OtherEvent,
    /// A text that no ticket has.
    Unknown,
    /// One ticket for three people; three tickets of one order in pretix.
    Group,
    /// The doors open tomorrow.
    Tomorrow,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    In,
    Out,
    /// In, with the nonce of the last scan.
    InAgain,
    /// In, answering the question.
    InAnswering,
    /// In, for so many people.
    InFor(u8),
    /// A supervisor's decision.
    Force,
    /// The last scan is taken back.
    Annul,
}

pub struct Step {
    /// So many minutes after the beginning.
    pub minute: i64,
    pub deed: Deed,
    pub ours: &'static str,
    pub theirs: &'static str,
}

impl Step {
    /// Whether both answered in the same words, but for the spelling of "cancelled".
    pub fn is_alike(&self) -> bool {
        self.ours == self.theirs || (self.ours == "cancelled" && self.theirs == "canceled")
    }
}

pub struct Scenario {
    pub name: &'static str,
    pub list: List,
    pub holder: Holder,
    pub steps: &'static [Step],
    /// Why the two differ, where they do.
    pub because: &'static str,
}

const PLAIN: List = List {
    entry: EntryMode::Single,
    anti_passback: (AntiPassback::None, None),
    include_unpaid: false,
    addon_match: false,
    products: &[],
    rule: None,
    pretix_rule: None,
};

const fn step(minute: i64, deed: Deed, ours: &'static str, theirs: &'static str) -> Step {
    Step { minute, deed, ours, theirs }
}

const fn both(minute: i64, deed: Deed, outcome: &'static str) -> Step {
    step(minute, deed, outcome, outcome)
}

const fn one(name: &'static str, holder: Holder, steps: &'static [Step]) -> Scenario {
    Scenario { name, list: PLAIN, holder, steps, because: "" }
}

pub const SCENARIOS: &[Scenario] = &[
    one(
        "single entry: once, and not again",
        Holder::Paid,
        &[both(0, Deed::In, "ok"), both(1, Deed::In, "already_redeemed")],
    ),
    one(
        "single entry: not after an exit either",
        Holder::Paid,
        &[both(0, Deed::In, "ok"), both(1, Deed::Out, "ok"), both(2, Deed::In, "already_redeemed")],
    ),
    Scenario {
        list: List { entry: EntryMode::AfterExit, ..PLAIN },
        ..one(
            "re-entry after an exit",
            Holder::Paid,
            &[
                both(0, Deed::In, "ok"),
                both(1, Deed::In, "already_redeemed"),
                both(2, Deed::Out, "ok"),
                both(3, Deed::In, "ok"),
            ],
        )
    },
    Scenario {
        list: List { entry: EntryMode::Multiple, ..PLAIN },
        ..one("multiple entry", Holder::Paid, &[both(0, Deed::In, "ok"), both(1, Deed::In, "ok")])
    },
    one(
        "the same nonce again is the same entry",
        Holder::Paid,
        &[both(0, Deed::In, "ok"), both(0, Deed::InAgain, "ok")],
    ),
    one("an exit of somebody who never entered", Holder::Paid, &[both(0, Deed::Out, "ok")]),
    Scenario {
        list: List {
            entry: EntryMode::Multiple,
            anti_passback: (AntiPassback::Hard, None),
            pretix_rule: Some(r#"{"==": [{"var": "entry_status"}, "absent"]}"#),
            ..PLAIN
        },
        because: "pretix has anti-passback as a rule only and says `rules`; ours says that \
                  somebody is inside, as after any other second use",
        ..one(
            "hard anti-passback",
            Holder::Paid,
            &[
                both(0, Deed::In, "ok"),
                step(1, Deed::In, "already_redeemed", "rules"),
                both(2, Deed::Out, "ok"),
                both(3, Deed::In, "ok"),
            ],
        )
    },
    Scenario {
        list: List {
            entry: EntryMode::Multiple,
            anti_passback: (AntiPassback::Soft, None),
            ..PLAIN
        },
        ..one(
            "soft anti-passback: recorded only",
            Holder::Paid,
            &[both(0, Deed::In, "ok"), both(1, Deed::In, "ok")],
        )
    },
    Scenario {
        list: List {
            entry: EntryMode::Multiple,
            anti_passback: (AntiPassback::Timed, Some(15)),
            pretix_rule: Some(
                r#"{"or": [{"<=": [{"var": "minutes_since_last_entry"}, -1]},
                           {">=": [{"var": "minutes_since_last_entry"}, 15]}]}"#,
            ),
            ..PLAIN
        },
        ..one(
            "timed anti-passback, 15 minutes",
            Holder::Paid,
            &[both(0, Deed::In, "ok"), both(14, Deed::In, "rules"), both(16, Deed::In, "ok")],
        )
    },
    Scenario {
        list: List {
            entry: EntryMode::Multiple,
            rule: Some(r#"{"minutes_since_last_entry": {"at_least": 15}}"#),
            pretix_rule: Some(
                r#"{"or": [{"<=": [{"var": "minutes_since_last_entry"}, -1]},
                           {">=": [{"var": "minutes_since_last_entry"}, 15]}]}"#,
            ),
            ..PLAIN
        },
        because: "pretix looks at the nonce after the rules, so a lost answer that is asked for \
                  again is refused; ours looks first and gives the first answer again",
        ..one(
            "a repeated nonce under a timed rule",
            Holder::Paid,
            &[both(0, Deed::In, "ok"), step(1, Deed::InAgain, "ok", "rules")],
        )
    },
    Scenario {
        list: List {
            entry: EntryMode::Multiple,
            rule: Some(r#"{"entries": {"less_than": 2}}"#),
            pretix_rule: Some(r#"{"<": [{"var": "entries_number"}, 2]}"#),
            ..PLAIN
        },
        ..one(
            "a rule that counts entries",
            Holder::Paid,
            &[both(0, Deed::In, "ok"), both(1, Deed::In, "ok"), both(2, Deed::In, "rules")],
        )
    },
    Scenario {
        list: List {
            rule: Some(r#"{"from": {"of": "end"}}"#),
            pretix_rule: Some(r#"{"isAfter": [{"var": "now"}, {"buildTime": ["date_to"]}, null]}"#),
            ..PLAIN
        },
        ..one("a window that has not opened", Holder::Paid, &[both(0, Deed::In, "rules")])
    },
    Scenario {
        list: List {
            rule: Some(r#"{"until": {"of": "doors"}}"#),
            pretix_rule: Some(
                r#"{"isBefore": [{"var": "now"}, {"buildTime": ["date_admission"]}, null]}"#,
            ),
            ..PLAIN
        },
        ..one("a window that has closed", Holder::Paid, &[both(0, Deed::In, "rules")])
    },
    one("a code that no ticket has", Holder::Unknown, &[both(0, Deed::In, "invalid")]),
    one("a ticket of another event", Holder::OtherEvent, &[both(0, Deed::In, "invalid")]),
    one("an unpaid order", Holder::Unpaid, &[both(0, Deed::In, "unpaid")]),
    Scenario {
        list: List { include_unpaid: true, ..PLAIN },
        because: "with pretix the scanning device must say `ignore_unpaid` too; ours goes by the list",
        ..one(
            "an unpaid order at a list that includes them",
            Holder::Unpaid,
            &[step(0, Deed::In, "ok", "unpaid")],
        )
    },
    one("an order that waits for approval", Holder::Unapproved, &[both(0, Deed::In, "unapproved")]),
    one("a cancelled order", Holder::Cancelled, &[step(0, Deed::In, "cancelled", "canceled")]),
    Scenario {
        because: "nobody is kept inside: ours records the exit of any ticket of the event, so that \
                  the count of people stays right",
        ..one(
            "an exit with a cancelled order",
            Holder::Cancelled,
            &[step(0, Deed::Out, "ok", "canceled")],
        )
    },
    one("a blocked ticket", Holder::Blocked, &[both(0, Deed::In, "blocked")]),
    one("a replaced signed code", Holder::Revoked, &[both(0, Deed::In, "revoked")]),
    one(
        "a ticket whose own time has not come",
        Holder::NotYetValid,
        &[both(0, Deed::In, "invalid_time")],
    ),
    one(
        "a ticket whose own time is over",
        Holder::NoLongerValid,
        &[both(0, Deed::In, "invalid_time")],
    ),
    Scenario {
        list: List { products: &["VIP"], ..PLAIN },
        ..one("a product that enters elsewhere", Holder::Paid, &[both(0, Deed::In, "product")])
    },
    one(
        "a required question, then its answer",
        Holder::Vip,
        &[both(0, Deed::In, "incomplete"), both(1, Deed::InAnswering, "ok")],
    ),
    Scenario {
        list: List { products: &["Parking"], addon_match: true, ..PLAIN },
        ..one("an add-on by its ticket's code", Holder::WithParking(1), &[both(0, Deed::In, "ok")])
    },
    Scenario {
        list: List { products: &["Parking"], addon_match: true, ..PLAIN },
        ..one("two add-ons that fit", Holder::WithParking(2), &[both(0, Deed::In, "ambiguous")])
    },
    Scenario {
        because: "a group's ticket is one ticket for several people, who enter in parts; pretix has \
                  a ticket each, and the code is one person's",
        ..one(
            "a group of three: one, then two, then one too many",
            Holder::Group,
            &[
                step(0, Deed::In, "incomplete", "ok"),
                step(1, Deed::InFor(1), "ok", "already_redeemed"),
                step(2, Deed::InFor(3), "incomplete", "already_redeemed"),
                step(3, Deed::InFor(2), "ok", "already_redeemed"),
                both(4, Deed::In, "already_redeemed"),
            ],
        )
    },
    one(
        "a supervisor's force",
        Holder::Paid,
        &[both(0, Deed::In, "ok"), both(1, Deed::Force, "ok")],
    ),
    one(
        "taken back, then in again",
        Holder::Paid,
        &[both(0, Deed::In, "ok"), both(0, Deed::Annul, "ok"), both(1, Deed::In, "ok")],
    ),
    Scenario {
        because: "an entry that was taken back must not open the gate again because an answer was \
                  lost: ours says `annulled`, pretix enters the person afresh",
        ..one(
            "the nonce of an entry that was taken back",
            Holder::Paid,
            &[
                both(0, Deed::In, "ok"),
                both(0, Deed::Annul, "ok"),
                step(0, Deed::InAgain, "annulled", "ok"),
            ],
        )
    },
    Scenario {
        because: "pretix lets a list's rule say when doors open; ours keeps to the event's own doors",
        ..one("the evening before", Holder::Tomorrow, &[step(0, Deed::In, "rules", "ok")])
    },
];
