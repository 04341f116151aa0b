//! Rules of a check-in list: small data that says when a ticket enters, and explains itself.
//!
//! A rule is JSON with one key a node, at most [`DEPTH_MAX`] deep and [`NODES_MAX`] large:
//!
//! | node | holds where |
//! |---|---|
//! | `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}` | all, one or none of the inner rules hold |
//! | `{"from": {"of": "doors", "shift_minutes": -30}}` | it is that time or later (`doors`, `start`, `end`) |
//! | `{"until": {"of": "end"}}` | it is earlier than that time |
//! | `{"daily": {"from": "18:00", "until": "23:30"}}` | the venue's clock is between them (past midnight too) |
//! | `{"weekdays": ["sat", "sun"]}` | the venue's day is one of them |
//! | `{"products": ["VIP"]}`, `{"gates": ["North gate"]}` | the ticket's product, the gate's name is one of them |
//! | `{"entries": {"less_than": 2}}` | so many entries happened at this list |
//! | `{"entries_today": {"less_than": 1}}` | so many since the venue's midnight |
//! | `{"minutes_since_last_entry": {"at_least": 15}}` | so long ago; no entry at all is infinitely long ago |
//! | `{"minutes_since_first_entry": {"less_than": 60}}` | as above, for the first |
//! | `{"inside": false}` | somebody is inside on this ticket, or nobody |

use std::fmt;

use handfast_model::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How deep rules nest: what a person can still read.
pub const DEPTH_MAX: usize = 8;
/// How many nodes a rule has: evaluated at each scan, within microseconds.
pub const NODES_MAX: usize = 64;
/// The longest text of a rule that is read at all.
pub const TEXT_LEN_MAX: usize = 16 * 1024;

const MINUTE_MICROS: i64 = 60_000_000;
const DAY_MINUTES: i64 = 24 * 60;

/// A rule, see the module's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Every inner rule holds.
    All(Vec<Rule>),
    /// At least one inner rule holds.
    Any(Vec<Rule>),
    /// The inner rule does not hold.
    Not(Box<Rule>),
    /// Not before a moment.
    From(Moment),
    /// Before a moment.
    Until(Moment),
    /// Between two times of the venue's day.
    Daily(Daily),
    /// On one of these days of the venue's week.
    Weekdays(Vec<Weekday>),
    /// The product is one of these.
    Products(Vec<String>),
    /// The gate is one of these.
    Gates(Vec<String>),
    /// How many entries there were at this list.
    Entries(Bound),
    /// How many of them since the venue's midnight.
    EntriesToday(Bound),
    /// Minutes since the last entry.
    MinutesSinceLastEntry(Bound),
    /// Minutes since the first entry.
    MinutesSinceFirstEntry(Bound),
    /// Whether somebody is inside on this ticket.
    Inside(bool),
}

/// A time of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Which.
    pub of: Anchor,
    /// So many minutes later, or earlier where negative.
    #[serde(default)]
    pub shift_minutes: i32,
}

/// What a [`Moment`] is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// When the doors open.
    Doors,
    /// When the event starts.
    Start,
    /// When the event ends.
    End,
}

/// A span of the venue's day; one that ends before it begins goes past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daily {
    /// From, inclusive.
    pub from: TimeOfDay,
    /// Until, exclusive.
    pub until: TimeOfDay,
}

/// A time of day as `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days name themselves")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A bound of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words name themselves")]
pub enum Bound {
    AtLeast(u32),
    AtMost(u32),
    MoreThan(u32),
    LessThan(u32),
}

/// Why a text is no rule.
#[derive(Debug, Error)]
pub enum RuleError {
    /// It is longer than any rule needs to be.
    #[error("a rule has at most {TEXT_LEN_MAX} bytes; split it over several check-in lists")]
    TooLong,
    /// It is no JSON, or none of the nodes.
    #[error("this is no rule: {0}; docs/ticketing.md lists the nodes")]
    Unreadable(#[from] serde_json::Error),
    /// It nests too deep.
    #[error("a rule nests at most {DEPTH_MAX} deep; write it flatter")]
    TooDeep,
    /// It has too many nodes.
    #[error("a rule has at most {NODES_MAX} nodes; split it over several check-in lists")]
    TooLarge,
}

/// What a rule looks at.
#[derive(Clone, Debug)]
pub(crate) struct RuleFacts<'a> {
    pub now: Timestamp,
    pub utc_offset_minutes: i32,
    pub doors_at: Timestamp,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub product: &'a str,
    pub gate: Option<&'a str>,
    /// Times of the entries at this list, in order.
    pub entries: &'a [Timestamp],
    pub inside: bool,
}

impl std::str::FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text.len() > TEXT_LEN_MAX {
            return Err(RuleError::TooLong);
        }
        let rule: Self = serde_json::from_str(text)?;
        if rule.depth() > DEPTH_MAX {
            return Err(RuleError::TooDeep);
        }
        if rule.nodes() > NODES_MAX {
            return Err(RuleError::TooLarge);
        }
        Ok(rule)
    }
}

impl Rule {
    fn inner(&self) -> &[Self] {
        match self {
            Self::All(rules) | Self::Any(rules) => rules,
            Self::Not(rule) => std::slice::from_ref(rule),
            _ => &[],
        }
    }

    fn depth(&self) -> usize {
        1 + self.inner().iter().map(Self::depth).max().unwrap_or(0)
    }

    fn nodes(&self) -> usize {
        1 + self.inner().iter().map(Self::nodes).sum::<usize>()
    }

    /// Whether the rule holds.
    pub(crate) fn holds(&self, facts: &RuleFacts<'_>) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.holds(facts)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(facts)),
            Self::Not(rule) => !rule.holds(facts),
            Self::From(moment) => facts.now >= moment.at(facts),
            Self::Until(moment) => facts.now < moment.at(facts),
            Self::Daily(daily) => daily.contains(facts.minute_of_day()),
            Self::Weekdays(days) => days.contains(&facts.weekday()),
            Self::Products(products) => products.iter().any(|product| product == facts.product),
            Self::Gates(gates) => gates.iter().any(|gate| Some(gate.as_str()) == facts.gate),
            Self::Entries(bound) => bound.admits(Some(count(facts.entries))),
            Self::EntriesToday(bound) => bound.admits(Some(facts.entries_today())),
            Self::MinutesSinceLastEntry(bound) => {
                bound.admits(facts.minutes_since(facts.entries.last()))
            }
            Self::MinutesSinceFirstEntry(bound) => {
                bound.admits(facts.minutes_since(facts.entries.first()))
            }
            Self::Inside(wanted) => *wanted == facts.inside,
        }
    }

    /// Every node that is no combination, with whether it holds, in the order written.
    pub(crate) fn explain(&self, facts: &RuleFacts<'_>, out: &mut Vec<(String, bool)>) {
        match self {
            Self::All(rules) | Self::Any(rules) => {
                let word = if matches!(self, Self::All(_)) { "all" } else { "any" };
                out.push((format!("{word} of {}", rules.len()), self.holds(facts)));
                for rule in rules {
                    rule.explain(facts, out);
                }
            }
            Self::Not(rule) => {
                out.push(("not".to_owned(), self.holds(facts)));
                rule.explain(facts, out);
            }
            leaf => out.push((leaf.sentence(facts), leaf.holds(facts))),
        }
    }

    fn sentence(&self, facts: &RuleFacts<'_>) -> String {
        let minutes = |since: Option<u32>| match since {
            Some(minutes) => format!("{minutes} minutes ago"),
            None => "never".to_owned(),
        };
        match self {
            Self::From(moment) => format!("not before {moment}"),
            Self::Until(moment) => format!("before {moment}"),
            Self::Daily(daily) => {
                format!("{} to {}, it is {}", daily.from, daily.until, facts.minute_of_day())
            }
            Self::Weekdays(days) => format!("on {days:?}, it is {:?}", facts.weekday()),
            Self::Products(products) => {
                format!("product among {products:?}, it is {:?}", facts.product)
            }
            Self::Gates(gates) => format!("gate among {gates:?}, it is {:?}", facts.gate),
            Self::Entries(bound) => format!("{bound} entries, there are {}", facts.entries.len()),
            Self::EntriesToday(bound) => {
                format!("{bound} entries today, there are {}", facts.entries_today())
            }
            Self::MinutesSinceLastEntry(bound) => {
                let since = minutes(facts.minutes_since(facts.entries.last()));
                format!("last entry {bound} minutes ago, it was {since}")
            }
            Self::MinutesSinceFirstEntry(bound) => {
                let since = minutes(facts.minutes_since(facts.entries.first()));
                format!("first entry {bound} minutes ago, it was {since}")
            }
            Self::Inside(true) => "somebody is inside on this ticket".to_owned(),
            Self::Inside(false) => "nobody is inside on this ticket".to_owned(),
            Self::All(_) | Self::Any(_) | Self::Not(_) => String::new(),
        }
    }
}

impl Moment {
    fn at(self, facts: &RuleFacts<'_>) -> Timestamp {
        let anchor = match self.of {
            Anchor::Doors => facts.doors_at,
            Anchor::Start => facts.starts_at,
            Anchor::End => facts.ends_at,
        };
        anchor + Duration::from_minutes(i64::from(self.shift_minutes))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let anchor = match self.of {
            Anchor::Doors => "the doors",
            Anchor::Start => "the start",
            Anchor::End => "the end",
        };
        match self.shift_minutes {
            0 => f.write_str(anchor),
            later if later > 0 => write!(f, "{later} minutes after {anchor}"),
            earlier => write!(f, "{} minutes before {anchor}", earlier.unsigned_abs()),
        }
    }
}

impl Daily {
    fn contains(self, minute: TimeOfDay) -> bool {
        if self.from.0 <= self.until.0 {
            (self.from.0..self.until.0).contains(&minute.0)
        } else {
            minute.0 >= self.from.0 || minute.0 < self.until.0
        }
    }
}

impl Bound {
    /// `None` is infinitely many.
    fn admits(self, count: Option<u32>) -> bool {
        match (self, count) {
            (Self::AtLeast(_) | Self::MoreThan(_), None) => true,
            (Self::AtMost(_) | Self::LessThan(_), None) => false,
            (Self::AtLeast(bound), Some(count)) => count >= bound,
            (Self::MoreThan(bound), Some(count)) => count > bound,
            (Self::AtMost(bound), Some(count)) => count <= bound,
            (Self::LessThan(bound), Some(count)) => count < bound,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::MoreThan(bound) => write!(f, "more than {bound}"),
            Self::LessThan(bound) => write!(f, "less than {bound}"),
        }
    }
}

impl RuleFacts<'_> {
    fn local_minutes(&self, at: Timestamp) -> i64 {
        at.as_micros().div_euclid(MINUTE_MICROS) + i64::from(self.utc_offset_minutes)
    }

    fn minute_of_day(&self) -> TimeOfDay {
        let minute = self.local_minutes(self.now).rem_euclid(DAY_MINUTES);
        TimeOfDay(u16::try_from(minute).unwrap_or(0))
    }

    fn weekday(&self) -> Weekday {
        // 1970-01-01 was a Thursday.
        let day = (self.local_minutes(self.now).div_euclid(DAY_MINUTES) + 3).rem_euclid(7);
        match day {
            0 => Weekday::Mon,
            1 => Weekday::Tue,
            2 => Weekday::Wed,
            3 => Weekday::Thu,
            4 => Weekday::Fri,
            5 => Weekday::Sat,
            _ => Weekday::Sun,
        }
    }

    fn entries_today(&self) -> u32 {
        let day = |at: Timestamp| self.local_minutes(at).div_euclid(DAY_MINUTES);
        let today = day(self.now);
        count(&self.entries.iter().filter(|at| day(**at) == today).collect::<Vec<_>>())
    }

    fn minutes_since(&self, at: Option<&Timestamp>) -> Option<u32> {
        let micros = (self.now - *at?).as_micros().max(0);
        Some(u32::try_from(micros / MINUTE_MICROS).unwrap_or(u32::MAX))
    }
}

fn count<T>(things: &[T]) -> u32 {
    u32::try_from(things.len()).unwrap_or(u32::MAX)
}

impl TryFrom<String> for TimeOfDay {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a time of day is written as HH:MM";
        let (hours, minutes) = text.split_once(':').ok_or(EXPECTED)?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return Err(EXPECTED);
        }
        let hours: u16 = hours.parse().map_err(|_| EXPECTED)?;
        let minutes: u16 = minutes.parse().map_err(|_| EXPECTED)?;
        if hours > 23 || minutes > 59 { Err(EXPECTED) } else { Ok(Self(hours * 60 + minutes)) }
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Saturday 2026-06-06, 20:00 UTC.
    const NOW: Timestamp = Timestamp::from_micros(1_780_776_000_000_000);

    fn facts<'a>(entries: &'a [Timestamp]) -> RuleFacts<'a> {
        RuleFacts {
            now: NOW,
            utc_offset_minutes: -360,
            doors_at: NOW - Duration::from_hours(1),
            starts_at: NOW + Duration::from_hours(1),
            ends_at: NOW + Duration::from_hours(5),
            product: "VIP",
            gate: Some("North gate"),
            entries,
            inside: !entries.is_empty(),
        }
    }

    fn holds(text: &str, entries: &[Timestamp]) -> bool {
        text.parse::<Rule>().unwrap().holds(&facts(entries))
    }

    #[test]
    fn each_node_holds_where_it_says() {
        let ago = |minutes| NOW - Duration::from_minutes(minutes);
        for (text, entries, wanted) in [
            (r#"{"all": []}"#, vec![], true),
            (r#"{"any": []}"#, vec![], false),
            (r#"{"not": {"any": []}}"#, vec![], true),
            (r#"{"from": {"of": "doors"}}"#, vec![], true),
            (r#"{"from": {"of": "start", "shift_minutes": -30}}"#, vec![], false),
            (r#"{"until": {"of": "end"}}"#, vec![], true),
            (r#"{"daily": {"from": "13:30", "until": "14:01"}}"#, vec![], true),
            (r#"{"daily": {"from": "14:01", "until": "13:59"}}"#, vec![], false),
            (r#"{"daily": {"from": "22:00", "until": "14:01"}}"#, vec![], true),
            (r#"{"weekdays": ["sat", "sun"]}"#, vec![], true),
            (r#"{"weekdays": ["fri"]}"#, vec![], false),
            (r#"{"products": ["VIP"]}"#, vec![], true),
            (r#"{"gates": ["South gate"]}"#, vec![], false),
            (r#"{"entries": {"less_than": 2}}"#, vec![ago(5), ago(3)], false),
            (r#"{"entries_today": {"at_most": 1}}"#, vec![ago(60 * 15), ago(3)], true),
            (r#"{"minutes_since_last_entry": {"at_least": 15}}"#, vec![], true),
            (r#"{"minutes_since_last_entry": {"at_least": 15}}"#, vec![ago(14)], false),
            (r#"{"minutes_since_last_entry": {"at_least": 15}}"#, vec![ago(15)], true),
            (r#"{"minutes_since_first_entry": {"less_than": 60}}"#, vec![], false),
            (r#"{"inside": true}"#, vec![ago(1)], true),
        ] {
            assert_eq!(holds(text, &entries), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_what_to_do() {
        let deep = format!("{}{{\"inside\": true}}{}", "{\"not\":".repeat(9), "}".repeat(9));
        let wide = format!("{{\"all\": [{}]}}", vec![r#"{"inside": true}"#; 64].join(","));
        for (text, wanted) in [
            ("", "no rule"),
            (r#"{"entries": {"about": 2}}"#, "no rule"),
            (r#"{"daily": {"from": "25:00", "until": "1:00"}}"#, "HH:MM"),
            (&deep, "deep"),
            (&wide, "nodes"),
            (&" ".repeat(TEXT_LEN_MAX + 1), "bytes"),
        ] {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn an_explanation_names_each_node() {
        let rule: Rule =
            r#"{"all": [{"products": ["VIP"]}, {"not": {"inside": true}}]}"#.parse().unwrap();
        let mut out = Vec::new();
        rule.explain(&facts(&[]), &mut out);
        let words: Vec<&str> = out.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(
            words,
            [
                "all of 2",
                "product among [\"VIP\"], it is \"VIP\"",
                "not",
                "somebody is inside on this ticket",
            ]
        );
        assert_eq!(
            out.iter().map(|(_, holds)| *holds).collect::<Vec<_>>(),
            [true, true, true, false]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = text.parse::<Rule>();
        }
    }
}
