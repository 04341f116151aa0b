//! How many people are inside: by area and at the venue, counted from passages.

use std::collections::BTreeMap;

use handfast_model::{AreaId, CompanyId, EventId, TicketId};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::check_in_list::{self, Reset};
use crate::presence::{Passage, Presence, passage_columns};
use crate::{BoxOffice, Result, event};

/// People inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// In the whole venue: on every ticket the most people that any of its areas holds, so that who
    /// passed the outer gate and an inner one counts once.
    pub venue: u64,
    /// By area, in the order of their names; the venue's own ground, which has no name, is left out.
    pub areas: Vec<AreaOccupancy>,
}

/// People inside an area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaOccupancy {
    /// The area.
    pub area_id: AreaId,
    /// Its name.
    pub name: String,
    /// How many.
    pub people: u64,
}

struct TicketPassage {
    ticket_id: TicketId,
    passage: Passage,
}

impl FromRow for TicketPassage {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { ticket_id: row.get("ticket_id")?, passage: Passage::from_row(row)? })
    }
}

impl BoxOffice {
    /// How many people are inside at an event now.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Unknown`] for another company's event.
    pub async fn occupancy(&self, company_id: CompanyId, id: EventId) -> Result<Occupancy> {
        let now = self.now();
        self.store
            .read("occupancy.of_event", |tx| {
                Box::pin(async move {
                    let event = event::find_own(tx, company_id, id).await?;
                    let resets = check_in_list::resets(tx, id, now).await?;
                    let inside = inside_by_area(&passages(tx, id).await?, &resets);
                    let sql = "SELECT id, name FROM areas WHERE venue_id = $1 ORDER BY name, id";
                    let named: Vec<(AreaId, String)> =
                        tx.fetch_all(sql, params![event.venue_id]).await?;
                    Ok(add_up(&inside, named))
                })
            })
            .await
    }
}

async fn passages(tx: &mut Tx<'_>, id: EventId) -> Result<Vec<TicketPassage>> {
    let sql = concat!(
        "SELECT p.ticket_id, ",
        passage_columns!(),
        " FROM passages p WHERE p.event_id = $1 AND p.annulled_at IS NULL"
    );
    Ok(tx.fetch_all(sql, params![id]).await?)
}

type Inside = BTreeMap<(TicketId, Option<AreaId>), u32>;

fn inside_by_area(passages: &[TicketPassage], resets: &[Reset]) -> Inside {
    let mut by_place: BTreeMap<(TicketId, Option<AreaId>), Vec<Passage>> = BTreeMap::new();
    for TicketPassage { ticket_id, passage } in passages {
        by_place.entry((*ticket_id, passage.area_id)).or_default().push(*passage);
    }
    let people = |((ticket, area), passages): ((TicketId, Option<AreaId>), Vec<Passage>)| {
        let concerned = |reset: &&Reset| {
            reset.ticket_id.is_none_or(|id| id == ticket)
                && reset.area_id.is_none_or(|id| Some(id) == area)
        };
        let reset_at = resets.iter().filter(concerned).map(|reset| reset.at).max();
        ((ticket, area), Presence::of(&passages, reset_at).inside)
    };
    by_place.into_iter().map(people).collect()
}

fn add_up(inside: &Inside, named: Vec<(AreaId, String)>) -> Occupancy {
    let mut by_ticket: BTreeMap<TicketId, u32> = BTreeMap::new();
    for ((ticket, _), people) in inside {
        let most = by_ticket.entry(*ticket).or_default();
        *most = (*most).max(*people);
    }
    let of_area = |(area_id, name): (AreaId, String)| {
        let here = inside.iter().filter(|((_, area), _)| *area == Some(area_id));
        AreaOccupancy { area_id, name, people: here.map(|(_, people)| u64::from(*people)).sum() }
    };
    Occupancy {
        venue: by_ticket.values().map(|people| u64::from(*people)).sum(),
        areas: named.into_iter().map(of_area).collect(),
    }
}
