//! What a lane gets to decide from when nobody else answers: tonight's events at its venue, their
//! lists and tickets, and who has passed. No name, no mail address, no code in clear: a ticket's
//! code goes as its hash, so that a stolen lane prints no tickets.

use handfast_model::{
    AdmissionId, AreaId, CheckInListId, CompanyId, DeviceId, Duration, EventId, GateId, LaneId,
    OrderId, QuestionId, TicketId, Timestamp, VenueId,
};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};
use serde::{Deserialize, Serialize};

use crate::presence::Passing;
use crate::{
    Biometrics, BoxOffice, BoxOfficeError, CodeKind, Device, DeviceKind, Direction, ListTerms,
    Method, OrderState, Question, Result, TicketState, check_in_list, device, question, ticket,
};

/// The version of what is copied; a lane refuses one that it does not know.
pub const COPY_VERSION: u32 = 1;
/// How long before its doors an event is copied.
const AHEAD: Duration = Duration::from_hours(24);
/// How long after its end: exits are still recorded then.
const BEHIND: Duration = Duration::from_hours(6);
/// Changes are sent again for so long: a transaction may commit after a later one.
const OVERLAP: Duration = Duration::from_secs(10);

/// Everything that changed since the last copy; all of it at the first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneCopy {
    /// [`COPY_VERSION`].
    pub version: u32,
    /// When it was made, by the hub's clock; the next copy is asked for since then.
    pub as_of: Timestamp,
    pub(crate) place: CopiedPlace,
    pub(crate) events: Vec<CopiedEvent>,
    pub(crate) tickets: Vec<CopiedTicket>,
    pub(crate) passages: Vec<CopiedPassage>,
    pub(crate) answers: Vec<(TicketId, QuestionId)>,
    pub(crate) signing_keys: Vec<CopiedKey>,
}

impl LaneCopy {
    /// How many tickets are in it.
    #[must_use]
    pub fn ticket_count(&self) -> usize {
        self.tickets.len()
    }
}

/// Where the lane is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CopiedPlace {
    pub company_id: CompanyId,
    pub venue_id: VenueId,
    pub venue_name: String,
    pub utc_offset_minutes: i32,
    pub areas: Vec<(AreaId, String)>,
    pub gates: Vec<(GateId, Option<AreaId>, String)>,
    pub lanes: Vec<CopiedLane>,
    pub device_id: DeviceId,
    pub device_name: String,
    pub device_kind: DeviceKind,
    pub lane_id: Option<LaneId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CopiedLane {
    pub id: LaneId,
    pub gate_id: GateId,
    pub name: String,
    pub direction: Direction,
    pub passing: Passing,
    pub products: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CopiedEvent {
    pub id: EventId,
    pub name: String,
    pub doors_at: Timestamp,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub biometrics: Biometrics,
    pub lists: Vec<(CheckInListId, ListTerms)>,
    pub questions: Vec<Question>,
    /// Whom, where, from when on.
    pub resets: Vec<(Option<TicketId>, Option<AreaId>, Timestamp)>,
    pub foreign_keys: Vec<[u8; 32]>,
}

/// A ticket without its holder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CopiedTicket {
    pub id: TicketId,
    pub order_id: OrderId,
    pub order_state: OrderState,
    pub event_id: EventId,
    pub product: String,
    pub code_hash: String,
    pub state: TicketState,
    pub party_size: u32,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub addon_to: Option<TicketId>,
    pub code_kind: CodeKind,
    pub code_serial: u16,
    pub totp_secret: Option<Vec<u8>>,
}

impl FromRow for CopiedTicket {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let code: String = row.get("code")?;
        Ok(Self {
            id: row.get("id")?,
            order_id: row.get("order_id")?,
            order_state: row.get("order_state")?,
            event_id: row.get("event_id")?,
            product: row.get("product")?,
            code_hash: ticket::hashed_code(&code),
            state: row.get("state")?,
            party_size: row.get("party_size")?,
            valid_from: row.get("valid_from")?,
            valid_until: row.get("valid_until")?,
            addon_to: row.get("addon_to")?,
            code_kind: row.get("code_kind")?,
            code_serial: row.get("code_serial")?,
            totp_secret: row.get("totp_secret")?,
        })
    }
}

/// A passage with where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedPassage {
    pub(crate) ticket_id: TicketId,
    pub(crate) list_id: CheckInListId,
    pub(crate) number: i64,
    pub(crate) passing: Passing,
    pub(crate) people: u32,
    pub(crate) admission_id: AdmissionId,
    pub(crate) event_id: EventId,
    pub(crate) area_id: Option<AreaId>,
    pub(crate) method: Method,
    pub(crate) at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) annulled_at: Option<Timestamp>,
    pub(crate) gate_id: Option<GateId>,
    pub(crate) lane_id: Option<LaneId>,
}

from_row!(CopiedPassage {
    ticket_id,
    list_id,
    number,
    passing,
    people,
    admission_id,
    event_id,
    area_id,
    method,
    at,
    changed_at,
    annulled_at,
    gate_id,
    lane_id,
});

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CopiedKey {
    pub key_id: [u8; 8],
    pub public_key: [u8; 32],
}

from_row!(CopiedKey { key_id, public_key });

impl BoxOffice {
    /// What a lane's device has to know: everything, or what changed since its last copy was made.
    ///
    /// # Errors
    /// [`BoxOfficeError::ApiKey`] for a revoked device.
    pub async fn lane_copy(
        &self,
        device_id: DeviceId,
        since: Option<Timestamp>,
    ) -> Result<LaneCopy> {
        let now = self.now();
        let since = since.map_or(Timestamp::from_micros(i64::MIN), |since| since - OVERLAP);
        self.store
            .read("lane_copy.make", |tx| {
                Box::pin(async move {
                    let device = device::find_working(tx, device_id).await?;
                    let events = events(tx, &device, now).await?;
                    let (mut tickets, mut passages, mut answers) = (vec![], vec![], vec![]);
                    for event in &events {
                        tickets.extend(tx.fetch_all(TICKETS, params![event.id, since]).await?);
                        passages.extend(tx.fetch_all(PASSAGES, params![event.id, since]).await?);
                        let answered: Vec<(TicketId, QuestionId)> =
                            tx.fetch_all(ANSWERS, params![event.id, since]).await?;
                        answers.extend(answered);
                    }
                    let keys = "SELECT key_id, public_key FROM signing_keys WHERE company_id = $1";
                    Ok(LaneCopy {
                        version: COPY_VERSION,
                        as_of: now,
                        place: place(tx, &device).await?,
                        events,
                        tickets,
                        passages,
                        answers,
                        signing_keys: tx.fetch_all(keys, params![device.company_id]).await?,
                    })
                })
            })
            .await
    }
}

const TICKETS: &str = "SELECT t.id, t.order_id, o.state AS order_state, t.event_id, t.product,
           t.code, t.state, t.party_size, t.valid_from, t.valid_until, t.addon_to, t.code_kind,
           t.code_serial, t.totp_secret
    FROM tickets t JOIN orders o ON o.id = t.order_id
    WHERE t.event_id = $1 AND (t.changed_at >= $2 OR o.changed_at >= $2) ORDER BY t.id";

/// All passages of each ticket that has a new one: a lane replaces what it had.
const PASSAGES: &str = "SELECT p.ticket_id, p.list_id, p.number, p.passing, p.people,
           p.admission_id, p.event_id, p.area_id, p.method, p.at, p.changed_at, p.annulled_at,
           a.gate_id, a.lane_id
    FROM passages p JOIN admissions a ON a.id = p.admission_id
    WHERE p.event_id = $1 AND p.ticket_id IN
          (SELECT c.ticket_id FROM passages c WHERE c.event_id = $1 AND c.changed_at >= $2)
    ORDER BY p.ticket_id, p.list_id, p.number";

const ANSWERS: &str = "SELECT s.ticket_id, s.question_id FROM answers s
    JOIN tickets t ON t.id = s.ticket_id
    WHERE t.event_id = $1 AND s.at >= $2";

async fn events(tx: &mut Tx<'_>, device: &Device, now: Timestamp) -> Result<Vec<CopiedEvent>> {
    let sql = "SELECT id, name, doors_at, starts_at, ends_at, biometrics FROM events
               WHERE venue_id = $1 AND doors_at <= $2 AND ends_at > $3 ORDER BY id";
    type Found = (EventId, String, Timestamp, Timestamp, Timestamp, Biometrics);
    let params = params![device.venue_id, now + AHEAD, now - BEHIND];
    let found: Vec<Found> = tx.fetch_all(sql, params).await?;
    let mut events = Vec::with_capacity(found.len());
    for (id, name, doors_at, starts_at, ends_at, biometrics) in found {
        let lists = check_in_list::of_event(tx, id).await?;
        let resets = "SELECT ticket_id, area_id, at FROM presence_resets WHERE event_id = $1";
        let keys = "SELECT public_key FROM foreign_keys WHERE event_id = $1";
        let keys: Vec<([u8; 32],)> = tx.fetch_all(keys, params![id]).await?;
        events.push(CopiedEvent {
            id,
            name,
            doors_at,
            starts_at,
            ends_at,
            biometrics,
            lists: lists.into_iter().map(|list| (list.id, list.terms)).collect(),
            questions: question::of_event(tx, id).await?,
            resets: tx.fetch_all(resets, params![id]).await?,
            foreign_keys: keys.into_iter().map(|(key,)| key).collect(),
        });
    }
    Ok(events)
}

async fn place(tx: &mut Tx<'_>, device: &Device) -> Result<CopiedPlace> {
    let venue = device.venue_id;
    let areas = "SELECT id, name FROM areas WHERE venue_id = $1 ORDER BY id";
    let gates = "SELECT id, area_id, name FROM gates WHERE venue_id = $1 ORDER BY id";
    let lanes = "SELECT l.id, l.gate_id, l.name, l.direction, l.passing FROM lanes l
                 JOIN gates g ON g.id = l.gate_id WHERE g.venue_id = $1 ORDER BY l.id";
    let offset = "SELECT utc_offset_minutes FROM venues WHERE id = $1";
    let (utc_offset_minutes,): (i32,) = tx.fetch_one(offset, params![venue]).await?;
    let found: Vec<(LaneId, GateId, String, Direction, Passing)> =
        tx.fetch_all(lanes, params![venue]).await?;
    let mut lanes = Vec::with_capacity(found.len());
    for (id, gate_id, name, direction, passing) in found {
        let products = crate::lane::products(tx, id).await?;
        lanes.push(CopiedLane { id, gate_id, name, direction, passing, products });
    }
    Ok(CopiedPlace {
        company_id: device.company_id,
        venue_id: venue,
        venue_name: device.venue_name.clone(),
        utc_offset_minutes,
        areas: tx.fetch_all(areas, params![venue]).await?,
        gates: tx.fetch_all(gates, params![venue]).await?,
        lanes,
        device_id: device.id,
        device_name: device.name.clone(),
        device_kind: device.kind,
        lane_id: device.lane_id,
    })
}

/// A lane reads no other version than its own.
pub(crate) fn check_version(copy: &LaneCopy) -> Result<()> {
    if copy.version == COPY_VERSION { Ok(()) } else { Err(BoxOfficeError::CopyVersion) }
}
