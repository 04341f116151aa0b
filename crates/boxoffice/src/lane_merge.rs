//! What lanes decided on their own, put into the hub's books: each attempt once, however often it
//! is sent; and the report of tickets that were admitted twice meanwhile.

use std::collections::BTreeMap;

use handfast_model::{
    AdmissionId, CheckInListId, CompanyId, DeviceId, Duration, EventId, TicketId, Timestamp,
};
use handfast_store::{Tx, from_row, params};
use serde::{Deserialize, Serialize};

use crate::judgement::Note;
use crate::lane_copy::CopiedPassage;
use crate::presence::Passing;
use crate::{
    AntiPassback, BoxOffice, BoxOfficeError, CheckInList, Device, EntryMode, Method, Outcome,
    Reason, Result, check_in_list, device, event,
};

/// The most attempts of one message: with the longest nonces they stay below the 64 KiB that any
/// request may have.
pub const QUEUE_AT_ONCE_MAX: usize = 25;
/// How long after it was revoked a device may still hand over: an evening and the morning after. A
/// stolen one does not write into the books for ever.
const REVOKED_HANDS_OVER: Duration = Duration::from_hours(24);
/// Behind the nonce of an attempt that the hub refused and the lane, not having heard, let in.
const DECIDED_OFFLINE: &str = "-offline";

/// What a lane sends: attempts it decided alone, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneQueue {
    /// The lane's own clock at sending: what its times are worth.
    pub now: Timestamp,
    /// Until when its copy was made.
    pub copied_until: Timestamp,
    /// Since when it decides alone.
    pub offline_since: Option<Timestamp>,
    /// How many more wait.
    pub left: u64,
    pub(crate) attempts: Vec<QueuedAttempt>,
}

impl LaneQueue {
    /// How many attempts are in it.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }
}

/// An attempt that a lane decided alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedAttempt {
    pub(crate) id: AdmissionId,
    pub(crate) nonce: String,
    pub(crate) request_hash: [u8; 32],
    pub(crate) event_id: Option<EventId>,
    pub(crate) list_id: Option<CheckInListId>,
    pub(crate) ticket_id: Option<TicketId>,
    pub(crate) passing: Passing,
    pub(crate) method: Method,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<Reason>,
    pub(crate) note: Option<Note>,
    pub(crate) people: u8,
    pub(crate) available: u8,
    pub(crate) at: Timestamp,
    pub(crate) annulled_at: Option<Timestamp>,
    pub(crate) passages: Vec<CopiedPassage>,
}

/// A ticket that was let in beyond its right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubleEntry {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its product.
    pub product: String,
    /// The entry before.
    pub first: DoubleUse,
    /// The one that was too many.
    pub second: DoubleUse,
    /// People who were let in beyond its right by the second.
    pub people_too_many: u32,
}

/// One of the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubleUse {
    /// The attempt.
    pub admission_id: AdmissionId,
    /// When.
    pub at: Timestamp,
    /// At which gate.
    pub gate_name: Option<String>,
    /// At which lane.
    pub lane_name: Option<String>,
    /// By which device.
    pub device_name: String,
    /// Whether that device decided alone.
    pub offline: bool,
}

impl BoxOffice {
    /// Puts a lane's attempts into the books. Sending them again changes nothing. Times are
    /// corrected by how far the lane's clock is ahead now.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::ApiKey`] for an unknown device; a *revoked* one's attempts are taken
    /// too, for the people it let in are inside, but no longer than a day after.
    pub async fn merge_lane(&self, device_id: DeviceId, queue: &LaneQueue) -> Result<u64> {
        let now = self.now();
        let ahead = queue.now - now;
        self.store
            .transaction("lane_merge.merge", |tx| {
                Box::pin(async move {
                    let device = device::find(tx, device_id).await?;
                    if device.revoked_at.is_some_and(|at| now - at > REVOKED_HANDS_OVER) {
                        return Err(BoxOfficeError::ApiKey);
                    }
                    let mut merged = 0;
                    for attempt in queue.attempts.iter().take(QUEUE_AT_ONCE_MAX) {
                        let merge = Merge { device: &device, attempt, ahead, now };
                        merged += u64::from(merge.run(tx).await?);
                    }
                    report(tx, device_id, queue, ahead, now).await?;
                    Ok(merged)
                })
            })
            .await
    }

    /// Every entry at an event that was beyond its ticket's right and that no supervisor decided,
    /// in the order in which they happened: what lanes let in twice while they could not ask.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Unknown`] for another company's event.
    pub async fn double_entries(
        &self,
        company_id: CompanyId,
        id: EventId,
    ) -> Result<Vec<DoubleEntry>> {
        self.store
            .read("lane_merge.doubles", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, id).await?;
                    let lists = check_in_list::of_event(tx, id).await?;
                    Ok(doubles(&lists, tx.fetch_all(USES, params![id]).await?))
                })
            })
            .await
    }
}

struct Merge<'a> {
    device: &'a Device,
    attempt: &'a QueuedAttempt,
    ahead: Duration,
    now: Timestamp,
}

impl Merge<'_> {
    /// A lane's time as the hub's clock would have had it; never one to come.
    fn corrected(&self, at: Timestamp) -> Timestamp {
        (at - self.ahead).min(self.now)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let attempt = self.attempt;
        let known = "SELECT 1 FROM admissions WHERE id = $1";
        let known: Option<(i64,)> = tx.fetch_optional(known, params![attempt.id]).await?;
        if known.is_some() {
            return self.annul_too(tx).await;
        }
        let same = "SELECT outcome FROM admissions WHERE device_id = $1 AND nonce = $2";
        let same: Option<(Outcome,)> =
            tx.fetch_optional(same, params![self.device.id, attempt.nonce]).await?;
        let nonce = match same.map(|(outcome,)| outcome) {
            None => attempt.nonce.clone(),
            // The hub had decided, and its answer was lost: the same people.
            Some(Outcome::Ok) => return Ok(false),
            Some(_) if attempt.outcome == Outcome::Ok => {
                format!("{}{DECIDED_OFFLINE}", attempt.nonce)
            }
            Some(_) => return Ok(false),
        };
        self.insert(tx, &nonce).await?;
        for passage in &attempt.passages {
            self.insert_passage(tx, passage).await?;
        }
        Ok(true)
    }

    async fn insert(&self, tx: &mut Tx<'_>, nonce: &str) -> Result<()> {
        let (attempt, device) = (self.attempt, self.device);
        tx.execute(
            "INSERT INTO admissions (id, device_id, nonce, request_hash, venue_id, gate_id,
                                     lane_id, event_id, ticket_id, method, outcome, reason, people,
                                     available, at, passing, list_id, note, offline, annulled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                     $18, TRUE, $19)",
            params![
                attempt.id,
                device.id,
                nonce,
                attempt.request_hash,
                device.venue_id,
                device.gate_id,
                device.lane_id,
                attempt.event_id,
                attempt.ticket_id,
                attempt.method,
                attempt.outcome,
                attempt.reason,
                attempt.people,
                attempt.available,
                self.corrected(attempt.at),
                attempt.passing,
                attempt.list_id,
                attempt.note,
                attempt.annulled_at.map(|at| self.corrected(at))
            ],
        )
        .await?;
        Ok(())
    }

    async fn insert_passage(&self, tx: &mut Tx<'_>, passage: &CopiedPassage) -> Result<()> {
        tx.execute(
            "INSERT INTO passages (ticket_id, list_id, number, passing, people, admission_id,
                                   event_id, area_id, method, at, changed_at, annulled_at)
             SELECT $1, $2, COALESCE(MAX(p.number), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11
             FROM passages p WHERE p.ticket_id = $1 AND p.list_id = $2",
            params![
                passage.ticket_id,
                passage.list_id,
                passage.passing,
                passage.people,
                passage.admission_id,
                passage.event_id,
                passage.area_id,
                passage.method,
                self.corrected(passage.at),
                self.now,
                passage.annulled_at.map(|at| self.corrected(at))
            ],
        )
        .await?;
        Ok(())
    }

    /// What came before may have been taken back at the lane since.
    async fn annul_too(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let Some(at) = self.attempt.annulled_at else { return Ok(false) };
        let sql = "UPDATE admissions SET annulled_at = $2 WHERE id = $1 AND annulled_at IS NULL";
        let annulled = tx.execute(sql, params![self.attempt.id, self.corrected(at)]).await?;
        let sql = "UPDATE passages SET annulled_at = $2, changed_at = $3
                   WHERE admission_id = $1 AND annulled_at IS NULL";
        let params = params![self.attempt.id, self.corrected(at), self.now];
        tx.execute(sql, params).await?;
        Ok(annulled > 0)
    }
}

async fn report(
    tx: &mut Tx<'_>,
    device_id: DeviceId,
    queue: &LaneQueue,
    ahead: Duration,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO lane_reports (device_id, copied_until, queued, offline_since,
                                   clock_ahead_micros, at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (device_id) DO UPDATE SET copied_until = $2, queued = $3, offline_since = $4,
             clock_ahead_micros = $5, at = $6",
        params![
            device_id,
            queue.copied_until,
            i64::try_from(queue.left).unwrap_or(i64::MAX),
            queue.offline_since,
            ahead,
            now
        ],
    )
    .await?;
    Ok(())
}

const USES: &str = "SELECT p.ticket_id, p.list_id, p.passing, p.people, p.at, p.admission_id,
           t.product, t.party_size, a.note, a.offline, g.name AS gate_name, l.name AS lane_name,
           d.name AS device_name
    FROM passages p
    JOIN tickets t ON t.id = p.ticket_id
    JOIN admissions a ON a.id = p.admission_id
    JOIN devices d ON d.id = a.device_id
    LEFT JOIN gates g ON g.id = a.gate_id
    LEFT JOIN lanes l ON l.id = a.lane_id
    WHERE p.event_id = $1 AND p.annulled_at IS NULL
    ORDER BY p.at, p.admission_id";

#[derive(Clone)]
struct UseRow {
    ticket_id: TicketId,
    list_id: CheckInListId,
    passing: Passing,
    people: u32,
    at: Timestamp,
    admission_id: AdmissionId,
    product: String,
    party_size: u32,
    note: Option<Note>,
    offline: bool,
    gate_name: Option<String>,
    lane_name: Option<String>,
    device_name: String,
}

from_row!(UseRow {
    ticket_id,
    list_id,
    passing,
    people,
    at,
    admission_id,
    product,
    party_size,
    note,
    offline,
    gate_name,
    lane_name,
    device_name,
});

impl UseRow {
    fn shown(&self) -> DoubleUse {
        DoubleUse {
            admission_id: self.admission_id,
            at: self.at,
            gate_name: self.gate_name.clone(),
            lane_name: self.lane_name.clone(),
            device_name: self.device_name.clone(),
            offline: self.offline,
        }
    }
}

/// Walks through the uses of each ticket at each list in the order they happened: the same report
/// whichever lane's queue came first.
fn doubles(lists: &[CheckInList], uses: Vec<UseRow>) -> Vec<DoubleEntry> {
    let mut by_ticket: BTreeMap<(TicketId, CheckInListId), (u32, Option<UseRow>)> = BTreeMap::new();
    let mut found = Vec::new();
    for row in uses {
        let Some(list) = lists.iter().find(|list| list.id == row.list_id) else { continue };
        let (counted, last) = by_ticket.entry((row.ticket_id, row.list_id)).or_default();
        match (row.passing, counts_until_exit(list)) {
            (Passing::Exit, Some(true)) => *counted = counted.saturating_sub(row.people),
            (Passing::Exit, _) | (Passing::Entry, None) => {}
            (Passing::Entry, Some(_)) => {
                let too_many = (*counted + row.people).saturating_sub(row.party_size.max(*counted));
                *counted += row.people;
                if let (true, Some(first)) = (too_many > 0 && row.note.is_none(), last.as_ref()) {
                    found.push(DoubleEntry {
                        ticket_id: row.ticket_id,
                        product: row.product.clone(),
                        first: first.shown(),
                        second: row.shown(),
                        people_too_many: too_many,
                    });
                }
                *last = Some(row);
            }
        }
    }
    found
}

/// Whether an exit makes room at a list; `None` where it lets in as often as asked.
fn counts_until_exit(list: &CheckInList) -> Option<bool> {
    match (list.terms.entry, list.terms.anti_passback) {
        (EntryMode::Single, _) => Some(false),
        (EntryMode::AfterExit, _) | (EntryMode::Multiple, AntiPassback::Hard) => Some(true),
        (EntryMode::Multiple, _) => None,
    }
}
