//! How long a palm may stay: what jurisdictions ask, as data with sources.
//!
//! The strictest term of all jurisdictions that apply wins, and an operator may be stricter, never
//! laxer. Months count 30 days: shorter than any calendar's, so a term never ends too late.

use std::collections::BTreeSet;

use handfast_model::{Duration, Timestamp};
use serde::Deserialize;
use thiserror::Error;

/// The youngest age where no jurisdiction names one.
const MINIMUM_AGE_DEFAULT: u32 = 13;
const SHIPPED: &str = include_str!("../policies/jurisdictions.json");
/// The version of the file that is read.
const VERSION: u32 = 1;
/// Days of a month, at least.
const MONTH_DAYS: i64 = 30;
/// Months after which an unused palm goes where no jurisdiction asks for less.
pub const DORMANT_MONTHS_DEFAULT: u32 = 24;
/// How long what opens a deleted palm's leaves is kept for its person: as long as a palm may sleep,
/// so that whoever comes back after two years still finds the deletion's receipt.
pub const OPENINGS_KEPT_MONTHS: u32 = 24;
/// How long a backup may exist (the vault's promise): a deletion is complete in them after it.
pub const BACKUP_DAYS_MAX: u32 = 7;

/// Where a term comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Which term.
    pub about: String,
    /// Statute and section.
    pub cite: String,
    /// What it says, in short.
    pub says: String,
    /// Where to read it.
    pub url: String,
}

/// What one jurisdiction asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jurisdiction {
    /// A short name, such as `US-CO`.
    pub id: String,
    /// Its name and law.
    pub name: String,
    /// Months after the last use at which a palm has to be gone.
    pub dormant_months_max: u32,
    /// Days after the purpose's end at which a palm has to be gone, where the law or we say so.
    pub after_purpose_days_max: Option<u32>,
    /// Days within which a person's request is answered.
    pub answer_within_days: Option<u32>,
    /// The age from which a person consents alone; below, a guardian does.
    pub own_consent_from_age: u32,
    /// The youngest age at which a palm is linked, a guardian consenting; a venue may set a higher one.
    pub minimum_age: u32,
    /// Where that comes from.
    pub sources: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    jurisdictions: Vec<Jurisdiction>,
}

/// Why a policy cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is no policy.
    #[error("this is no file of jurisdictions of version {VERSION}: {0}")]
    Malformed(String),
    /// There is no such jurisdiction.
    #[error("there is no jurisdiction {wanted:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// None was named.
    #[error("name at least one jurisdiction")]
    None,
    /// An operator cannot keep palms longer than the law.
    #[error("an unused palm may stay 1 to {max} months here, not {asked}")]
    TooLong {
        /// What the operator asked.
        asked: u32,
        /// What the jurisdictions allow.
        max: u32,
    },
}

/// The jurisdictions that ship.
///
/// # Errors
/// [`PolicyError::Malformed`] where the shipped file was changed into something else.
pub fn jurisdictions() -> Result<Vec<Jurisdiction>, PolicyError> {
    parse(SHIPPED)
}

fn parse(text: &str) -> Result<Vec<Jurisdiction>, PolicyError> {
    let file: File =
        serde_json::from_str(text).map_err(|error| PolicyError::Malformed(error.to_string()))?;
    let malformed = |why: &str| Err(PolicyError::Malformed(why.to_owned()));
    if file.version != VERSION {
        return malformed("another version");
    }
    let ids: BTreeSet<&str> = file.jurisdictions.iter().map(|one| one.id.as_str()).collect();
    if ids.len() != file.jurisdictions.len() {
        return malformed("a jurisdiction is there twice");
    }
    for one in &file.jurisdictions {
        if one.dormant_months_max == 0
            || !one.sources.iter().any(|it| it.about == "dormant_months_max")
        {
            return malformed("a term without its source");
        }
    }
    Ok(file.jurisdictions)
}

/// The terms that apply to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    jurisdictions: Vec<Jurisdiction>,
    dormant_months: u32,
}

impl Retention {
    /// The strictest terms of these jurisdictions; `dormant_months` is the operator's own, stricter
    /// one.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn of(ids: &[String], dormant_months: Option<u32>) -> Result<Self, PolicyError> {
        let known = jurisdictions()?;
        let jurisdictions: Vec<Jurisdiction> = ids
            .iter()
            .map(|wanted| {
                known.iter().find(|one| one.id == *wanted).cloned().ok_or_else(|| {
                    let known: Vec<&str> = known.iter().map(|one| one.id.as_str()).collect();
                    PolicyError::Unknown { wanted: wanted.clone(), known: known.join(", ") }
                })
            })
            .collect::<Result<_, _>>()?;
        let max = jurisdictions.iter().map(|one| one.dormant_months_max).min();
        let max = max.ok_or(PolicyError::None)?;
        let dormant_months = match dormant_months {
            Some(asked) if asked == 0 || asked > max => {
                return Err(PolicyError::TooLong { asked, max });
            }
            Some(asked) => asked,
            None => max.min(DORMANT_MONTHS_DEFAULT),
        };
        Ok(Self { jurisdictions, dormant_months })
    }

    /// The strictest terms of all jurisdictions that ship: for whoever names none.
    ///
    /// # Errors
    /// [`PolicyError::Malformed`], [`PolicyError::TooLong`].
    pub fn strictest(dormant_months: Option<u32>) -> Result<Self, PolicyError> {
        let ids: Vec<String> = jurisdictions()?.into_iter().map(|one| one.id).collect();
        Self::of(&ids, dormant_months)
    }

    /// Which jurisdictions apply.
    #[must_use]
    pub fn jurisdictions(&self) -> &[Jurisdiction] {
        &self.jurisdictions
    }

    /// Months after which an unused palm goes.
    #[must_use]
    pub const fn dormant_months(&self) -> u32 {
        self.dormant_months
    }

    /// The same in days, as the log has it.
    #[must_use]
    pub fn dormant_days(&self) -> i64 {
        i64::from(self.dormant_months) * MONTH_DAYS
    }

    /// A palm that was last used then or before is dormant now.
    #[must_use]
    pub fn dormant_since(&self, now: Timestamp) -> Timestamp {
        now - months(self.dormant_months)
    }

    /// Openings of palms that were deleted then or before go now.
    #[must_use]
    pub fn openings_kept_since(now: Timestamp) -> Timestamp {
        now - months(OPENINGS_KEPT_MONTHS)
    }

    /// The youngest age at which a palm is linked where the venue has set `of_venue`: it may be
    /// stricter than the law, never laxer.
    #[must_use]
    pub fn minimum_age(&self, of_venue: Option<u32>) -> u32 {
        let law = self.jurisdictions.iter().map(|one| one.minimum_age).max();
        law.unwrap_or(MINIMUM_AGE_DEFAULT).max(of_venue.unwrap_or_default())
    }

    /// From which age people consent alone.
    #[must_use]
    pub fn own_consent_from_age(&self) -> u32 {
        self.jurisdictions.iter().map(|one| one.own_consent_from_age).max().unwrap_or(18)
    }
}

fn months(count: u32) -> Duration {
    Duration::from_days(i64::from(count) * MONTH_DAYS)
}

/// The retention table, for docs/privacy/retention.md.
#[must_use]
pub fn retention_table(jurisdictions: &[Jurisdiction]) -> String {
    let days =
        |days: Option<u32>| days.map_or_else(|| "not named".to_owned(), |n| format!("{n} days"));
    let mut text = String::from(TABLE_HEAD);
    for one in jurisdictions {
        text.push_str(&format!(
            "| {} | {} | {} months | {} | {} | {} | {} |\n",
            one.id,
            one.name,
            one.dormant_months_max,
            days(one.after_purpose_days_max),
            days(one.answer_within_days),
            one.own_consent_from_age,
            one.minimum_age,
        ));
    }
    text.push_str("\n## Sources\n\n");
    for one in jurisdictions {
        for Source { about, cite, says, url } in &one.sources {
            text.push_str(&format!(
                "- **{}**, {}: [{cite}]({url}): {says}.\n",
                one.id,
                about.replace('_', " ")
            ));
        }
    }
    text.push_str(&format!(
        "\n## What a service keeps\n\n| what | how long | carried out by |\n|---|---|---|\n\
         | a palm linked for one event | until the event's end | the server, within 30 seconds |\n\
         | a palm linked for a venue or company | until its consent ends, a year at most | the server |\n\
         | a palm that nobody uses | {DORMANT_MONTHS_DEFAULT} months, or less by policy | the server |\n\
         | a palm whose person deletes it | at once | every node, signed |\n\
         | backups with a deleted palm's key | {BACKUP_DAYS_MAX} days | the operator |\n\
         | what opens a deleted palm's leaves | {OPENINGS_KEPT_MONTHS} months after its last leaf | the server |\n\
         | leaves of the public log | for good; they name nobody | |\n"
    ));
    text
}

const TABLE_HEAD: &str = "# How long palms are kept\n\n\
Printed by `handfast policies`. Of several jurisdictions the strictest term holds; an operator may be \
stricter (`handfast serve --dormant-months`), never laxer. A month counts 30 days.\n\n\
| id | law | unused, at most | after the purpose, at most | requests answered within | consents alone from | palms from |\n\
|---|---|---|---|---|---|---|\n";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn of(ids: &[&str], months: Option<u32>) -> Result<Retention, PolicyError> {
        Retention::of(&ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>(), months)
    }

    #[test]
    fn every_term_that_ships_has_its_source() {
        let shipped = jurisdictions().unwrap();
        assert!(shipped.len() >= 3);
        for one in &shipped {
            for (term, named) in [
                ("dormant_months_max", true),
                ("answer_within_days", one.answer_within_days.is_some()),
                ("own_consent_from_age", true),
                ("minimum_age", true),
            ] {
                let sourced = one.sources.iter().any(|source| source.about == term);
                assert_eq!(sourced, named, "{} {term}", one.id);
            }
            assert!(one.sources.iter().all(|source| source.url.starts_with("https://")));
        }
    }

    #[test]
    fn the_strictest_term_holds_and_an_operator_may_only_shorten_it() {
        assert_eq!(of(&["US-IL"], None).unwrap().dormant_months(), 24, "our default");
        assert_eq!(of(&["US-IL"], Some(30)).unwrap().dormant_months(), 30, "the law allows 36");
        assert_eq!(of(&["US-IL", "US-CO"], None).unwrap().dormant_months(), 24);
        assert_eq!(of(&["US-CO"], Some(6)).unwrap().dormant_months(), 6);
        assert_eq!(of(&["US-CO"], Some(25)), Err(PolicyError::TooLong { asked: 25, max: 24 }));
        assert_eq!(of(&["US-CO"], Some(0)), Err(PolicyError::TooLong { asked: 0, max: 24 }));
        assert_eq!(of(&[], None), Err(PolicyError::None));
        assert!(of(&["US-XX"], None).unwrap_err().to_string().contains("US-IL"));
        let both = of(&["EU", "US-IL"], None).unwrap();
        assert_eq!(both.own_consent_from_age(), 18);
        let by_venue = [None, Some(16), Some(3)].map(|years| both.minimum_age(years));
        assert_eq!(by_venue, [13, 16, 13], "a venue may be stricter, never laxer");
    }

    #[test]
    fn a_palm_is_dormant_after_the_policys_months_and_openings_outlive_it() {
        let retention = of(&["US-CO"], Some(6)).unwrap();
        let day = |days| NOW + Duration::from_days(days);
        assert_eq!(retention.dormant_since(day(180)), NOW);
        assert_eq!(Retention::openings_kept_since(day(720)), NOW);
        let strictest = Retention::strictest(None).unwrap();
        assert_eq!(strictest.jurisdictions().len(), jurisdictions().unwrap().len());
        assert_eq!(Retention::strictest(Some(3)).unwrap().dormant_months(), 3);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "{}",
            r#"{"version":2,"jurisdictions":[]}"#,
            r#"{"version":1,"jurisdictions":[],"x":1}"#,
        ] {
            assert!(matches!(parse(text), Err(PolicyError::Malformed(_))), "{text}");
        }
        let twice = SHIPPED.replace("\"US-CO\"", "\"US-IL\"");
        assert!(parse(&twice).is_err());
        let unsourced =
            SHIPPED.replacen("\"about\": \"dormant_months_max\"", "\"about\": \"x\"", 1);
        assert!(parse(&unsourced).is_err());
    }

    #[test]
    fn the_committed_table_is_that_of_the_policies() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/privacy/retention.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let printed = retention_table(&jurisdictions().unwrap());
        assert_eq!(committed, printed, "run `handfast policies > docs/privacy/retention.md`");
    }
}
