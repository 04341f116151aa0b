//! Where a device stands, with everything that a ticket is judged against there.

use handfast_model::{AreaId, Duration, Timestamp};
use handfast_store::{Tx, params};

use crate::judgement::{Door, OpenEvent};
use crate::presence::Passing;
use crate::{Device, Result, check_in_list, event, lane, question};

/// How long after an event's end its exits are still recorded: until the last car has left.
const EXITS_AFTER_END: Duration = Duration::from_hours(6);

/// What tickets are judged against at a device now; `passing` outweighs what the lane is for.
pub(crate) async fn at(
    tx: &mut Tx<'_>,
    device: &Device,
    passing: Option<Passing>,
    now: Timestamp,
) -> Result<Door> {
    let (products, lane_passing) = match device.lane_id {
        Some(lane_id) => (lane::products(tx, lane_id).await?, lane::passing(tx, lane_id).await?),
        None => (Vec::new(), Passing::Entry),
    };
    let passing = passing.unwrap_or(lane_passing);
    let since = match passing {
        Passing::Entry => now,
        Passing::Exit => now - EXITS_AFTER_END,
    };
    let (mut open, mut resets) = (Vec::new(), Vec::new());
    for event in event::open_between(tx, device.venue_id, now, since).await? {
        let lists = check_in_list::of_event(tx, event.id).await?;
        let list = check_in_list::serving(lists, device.gate_id);
        resets.extend(check_in_list::resets(tx, event.id, now).await?);
        let questions = question::of_event(tx, event.id).await?;
        open.push(OpenEvent { id: event.id, list, questions });
    }
    let (area_id, utc_offset_minutes) = place(tx, device).await?;
    Ok(Door {
        company_id: device.company_id,
        venue_id: device.venue_id,
        gate_name: device.gate_name.clone(),
        area_id,
        passing,
        utc_offset_minutes,
        products,
        open,
        resets,
    })
}

async fn place(tx: &mut Tx<'_>, device: &Device) -> Result<(Option<AreaId>, i32)> {
    let sql = "SELECT g.area_id, v.utc_offset_minutes
               FROM venues v LEFT JOIN gates g ON g.id = $2 WHERE v.id = $1";
    Ok(tx.fetch_one(sql, params![device.venue_id, device.gate_id]).await?)
}
