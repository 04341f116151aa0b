//! Where devices stand, with everything that a ticket is judged against there.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use handfast_model::{AreaId, Duration, EventId, GateId, LaneId, Timestamp, VenueId};
use handfast_store::{Tx, params};

use crate::check_in_list::Reset;
use crate::judgement::{Door, OpenEvent};
use crate::presence::Passing;
use crate::{BoxOfficeError, CheckInList, Device, Question, Result, Thing, check_in_list};
use crate::{event, question};

/// How long after an event's end its exits are still recorded: until the last car has left.
const EXITS_AFTER_END: Duration = Duration::from_hours(6);

/// What tickets are judged against at a device now; `passing` outweighs what the lane is for.
pub(crate) async fn at(
    tx: &mut Tx<'_>,
    device: &Device,
    passing: Option<Passing>,
    now: Timestamp,
) -> Result<Door> {
    Premises::default().door(tx, device, passing, now).await
}

/// What the doors of a venue have in common, read once for attempts that are decided together: where
/// the database is another process, each statement is a journey.
#[derive(Default)]
pub(crate) struct Premises {
    layouts: HashMap<VenueId, Layout>,
    open: HashMap<(VenueId, Passing), Open>,
}

/// A venue's gates and lanes.
struct Layout {
    utc_offset_minutes: i32,
    areas: HashMap<GateId, Option<AreaId>>,
    lanes: HashMap<LaneId, LaneTerms>,
}

#[derive(Clone)]
struct LaneTerms {
    passing: Passing,
    /// What it admits; everything where empty.
    products: Vec<String>,
}

const GATES_SQL: &str = "SELECT v.utc_offset_minutes, g.id, g.area_id
                         FROM venues v LEFT JOIN gates g ON g.venue_id = v.id WHERE v.id = $1";
const LANES_SQL: &str = "SELECT l.id, l.passing, p.product
                         FROM gates g JOIN lanes l ON l.gate_id = g.id
                         LEFT JOIN lane_products p ON p.lane_id = l.id WHERE g.venue_id = $1";

/// The events that people may pass for at a venue now.
struct Open {
    events: Vec<(EventId, Vec<CheckInList>, Vec<Question>)>,
    resets: Vec<Reset>,
}

impl Premises {
    /// As [`at`].
    pub async fn door(
        &mut self,
        tx: &mut Tx<'_>,
        device: &Device,
        passing: Option<Passing>,
        now: Timestamp,
    ) -> Result<Door> {
        let venue_id = device.venue_id;
        let layout = match self.layouts.entry(venue_id) {
            Place::Occupied(there) => there.into_mut(),
            Place::Vacant(place) => place.insert(Layout::read(tx, venue_id).await?),
        };
        let lane = match device.lane_id {
            Some(id) => {
                let lane = layout.lanes.get(&id).cloned();
                lane.ok_or(BoxOfficeError::Unknown(Thing::Lane))?
            }
            None => LaneTerms { passing: Passing::Entry, products: Vec::new() },
        };
        let passing = passing.unwrap_or(lane.passing);
        let area_id = device.gate_id.and_then(|gate| layout.areas.get(&gate).copied().flatten());
        let utc_offset_minutes = layout.utc_offset_minutes;
        let open = match self.open.entry((venue_id, passing)) {
            Place::Occupied(there) => there.into_mut(),
            Place::Vacant(place) => place.insert(Open::read(tx, venue_id, passing, now).await?),
        };
        let at_gate = |(id, lists, questions): &(EventId, Vec<CheckInList>, Vec<Question>)| {
            let list = check_in_list::serving(lists, device.gate_id).cloned();
            OpenEvent { id: *id, list, questions: questions.clone() }
        };
        Ok(Door {
            company_id: device.company_id,
            venue_id,
            gate_name: device.gate_name.clone(),
            area_id,
            passing,
            utc_offset_minutes,
            products: lane.products,
            open: open.events.iter().map(at_gate).collect(),
            resets: open.resets.clone(),
        })
    }
}

impl Layout {
    async fn read(tx: &mut Tx<'_>, venue_id: VenueId) -> Result<Self> {
        let gates: Vec<(i32, Option<GateId>, Option<AreaId>)> =
            tx.fetch_all(GATES_SQL, params![venue_id]).await?;
        let offset = gates.first().map(|(offset, ..)| *offset);
        let rows: Vec<(LaneId, Passing, Option<String>)> =
            tx.fetch_all(LANES_SQL, params![venue_id]).await?;
        let mut lanes = HashMap::new();
        for (id, passing, product) in rows {
            let lane = lanes.entry(id);
            let lane = lane.or_insert_with(|| LaneTerms { passing, products: Vec::new() });
            lane.products.extend(product);
        }
        Ok(Self {
            utc_offset_minutes: offset.ok_or(BoxOfficeError::Unknown(Thing::Venue))?,
            areas: gates.into_iter().filter_map(|(_, id, area)| Some((id?, area))).collect(),
            lanes,
        })
    }
}

impl Open {
    async fn read(
        tx: &mut Tx<'_>,
        venue_id: VenueId,
        passing: Passing,
        now: Timestamp,
    ) -> Result<Self> {
        let since = match passing {
            Passing::Entry => now,
            Passing::Exit => now - EXITS_AFTER_END,
        };
        let (mut events, mut resets) = (Vec::new(), Vec::new());
        for event in event::open_between(tx, venue_id, now, since).await? {
            let lists = check_in_list::of_event(tx, event.id).await?;
            resets.extend(check_in_list::resets(tx, event.id, now).await?);
            events.push((event.id, lists, question::of_event(tx, event.id).await?));
        }
        Ok(Self { events, resets })
    }
}

#[cfg(test)]
mod tests {
    use handfast_store::{FromRow, Row, Store, StoreError};

    use super::*;
    use crate::schema::MIGRATIONS;

    /// A line of SQLite's plan: its last column.
    struct PlanLine(String);

    impl FromRow for PlanLine {
        fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
            row.get("detail").map(Self)
        }
    }

    /// What every attempt asks must not grow with the venues there are.
    #[tokio::test]
    async fn a_venues_layout_reads_no_whole_table() {
        let store = Store::connect("sqlite::memory:").await.unwrap();
        store.migrate(&MIGRATIONS).await.unwrap();
        for sql in [GATES_SQL, LANES_SQL] {
            let explained: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into());
            let plan: std::result::Result<Vec<PlanLine>, StoreError> = store
                .read("plan", |tx| {
                    Box::pin(async move { tx.fetch_all(explained, params!["ven"]).await })
                })
                .await;
            for PlanLine(line) in plan.unwrap() {
                assert!(!line.starts_with("SCAN") && !line.contains("AUTOMATIC"), "{line}\n{sql}");
            }
        }
    }
}
