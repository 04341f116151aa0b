//! Who is inside on a ticket: counted from its passages, people and not scans.

use handfast_model::{AreaId, CheckInListId, Timestamp};
use handfast_store::{FromRow, Row, StoreError};

handfast_store::text_enum! {
    /// Which way people pass a lane.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Passing {
        /// In.
        Entry = "entry",
        /// Out.
        Exit = "exit",
    }
}

/// One passing of people on a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    pub list_id: CheckInListId,
    pub area_id: Option<AreaId>,
    /// From 1 at each list, annulled ones included.
    pub number: i64,
    pub passing: Passing,
    pub people: u32,
    pub at: Timestamp,
    pub annulled: bool,
}

/// The columns of [`Passage`], where `p` is the passage.
macro_rules! passage_columns {
    () => {
        "p.list_id AS p_list_id, p.area_id AS p_area_id, p.number AS p_number,
         p.passing AS p_passing, p.people AS p_people, p.at AS p_at,
         p.annulled_at AS p_annulled_at"
    };
}
pub(crate) use passage_columns;

impl Passage {
    /// The passage of a row that may have none.
    pub fn of_row(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(number) = row.get_optional("p_number")? else { return Ok(None) };
        Ok(Some(Self {
            list_id: row.get("p_list_id")?,
            area_id: row.get("p_area_id")?,
            number,
            passing: row.get("p_passing")?,
            people: row.get("p_people")?,
            at: row.get("p_at")?,
            annulled: row.get::<Option<Timestamp>>("p_annulled_at")?.is_some(),
        }))
    }
}

impl FromRow for Passage {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Self::of_row(row)?.ok_or(StoreError::Missing { transaction: "passage" })
    }
}

/// What passages add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    /// People who entered, ever; who enters twice counts twice.
    pub entered: u32,
    /// People inside now.
    pub inside: u32,
    /// When people entered, in order.
    pub entries: Vec<Timestamp>,
}

impl Presence {
    /// Adds passages up in the order they happened. Nobody who went in before `reset_at` counts as
    /// inside. An exit takes out no more people than are in.
    pub fn of<'a>(
        passages: impl IntoIterator<Item = &'a Passage>,
        reset_at: Option<Timestamp>,
    ) -> Self {
        let mut counted: Vec<&Passage> =
            passages.into_iter().filter(|passage| !passage.annulled).collect();
        counted.sort_by_key(|passage| (passage.at, passage.number));
        let mut presence = Self::default();
        for passage in counted {
            let before_reset = reset_at.is_some_and(|reset| passage.at < reset);
            match passage.passing {
                Passing::Entry => {
                    presence.entered = presence.entered.saturating_add(passage.people);
                    presence.entries.push(passage.at);
                    if !before_reset {
                        presence.inside = presence.inside.saturating_add(passage.people);
                    }
                }
                Passing::Exit if !before_reset => {
                    presence.inside = presence.inside.saturating_sub(passage.people);
                }
                Passing::Exit => {}
            }
        }
        presence
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{ManualClock, SeededRandom};
    use proptest::prelude::*;

    use super::*;

    fn passage(number: i64, passing: Passing, people: u32, at: i64) -> Passage {
        let clock = ManualClock::at(Timestamp::from_micros(0));
        Passage {
            list_id: CheckInListId::new(&clock, &SeededRandom::new(1)),
            area_id: None,
            number,
            passing,
            people,
            at: Timestamp::from_micros(at),
            annulled: false,
        }
    }

    #[test]
    fn people_are_counted_and_not_scans() {
        let family = [
            passage(1, Passing::Entry, 4, 10),
            passage(2, Passing::Exit, 1, 20),
            passage(3, Passing::Entry, 1, 30),
        ];
        let presence = Presence::of(&family, None);
        assert_eq!((presence.entered, presence.inside, presence.entries.len()), (5, 4, 2));
    }

    #[test]
    fn an_annulled_passage_and_one_before_a_reset_leave_nobody_inside() {
        let mut entry = passage(1, Passing::Entry, 2, 10);
        assert_eq!(Presence::of(&[entry], Some(Timestamp::from_micros(11))).inside, 0);
        assert_eq!(Presence::of(&[entry], Some(Timestamp::from_micros(10))).inside, 2);
        entry.annulled = true;
        assert_eq!(Presence::of(&[entry], None), Presence::default());
    }

    proptest! {
        /// What was merged later but happened earlier counts where it happened.
        #[test]
        fn the_order_of_writing_is_no_matter(times in proptest::collection::vec((0..50_i64, any::<bool>(), 1..4_u32), 0..12)) {
            let mut passages: Vec<Passage> = times.iter().enumerate().map(|(place, (at, entry, people))| {
                let passing = if *entry { Passing::Entry } else { Passing::Exit };
                passage(place as i64, passing, *people, at * 100 + place as i64)
            }).collect();
            let wanted = Presence::of(&passages, None);
            passages.reverse();
            prop_assert_eq!(Presence::of(&passages, None), wanted);
        }
    }
}
