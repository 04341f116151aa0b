//! What the operator sees: sold and entered, entries a minute, refusals, linked palms, failures.
//! Counts only, never a person.

use std::collections::BTreeMap;

use handfast_model::{CompanyId, DeviceId, EventId, GateId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, from_row, params};

use crate::gate_wait::{DeviceMinute, GateWork, first_minute};
use crate::{BoxOffice, DeviceKind, Event, GateWait, Method, Outcome, Reason, Result, event};

const MINUTE_MICROS: i64 = 60_000_000;

/// An event and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOverview {
    /// The event.
    pub event: Event,
    /// Tickets that give a right to enter.
    pub sold: u64,
    /// Tickets that entered.
    pub entered: u64,
    /// Palms that are armed for it.
    pub palms_armed: u64,
}

/// An event as it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLive {
    /// Tickets that give a right to enter.
    pub sold: u64,
    /// Tickets that entered.
    pub entered: u64,
    /// Of these, by palm.
    pub entered_by_palm: u64,
    /// Of these, by code.
    pub entered_by_code: u64,
    /// Entries by minute, oldest first; minutes without entries are left out.
    pub minutes: Vec<MinuteCount>,
    /// Refused attempts by outcome, most first.
    pub refusals: Vec<OutcomeCount>,
    /// Living palms that were linked with a ticket of this event.
    pub linked_palms: u64,
    /// Captures that came to nothing, by reason, most first.
    pub capture_failures: Vec<CaptureFailureCount>,
    /// The venue's devices.
    pub devices: Vec<DeviceSight>,
    /// The venue's gates, and how long people wait there.
    pub gates: Vec<GateWait>,
}

/// Entries within one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteCount {
    /// The minute's beginning.
    pub minute: Timestamp,
    /// Entries by palm.
    pub palm: u64,
    /// Entries by code.
    pub code: u64,
}

/// Refused attempts of one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeCount {
    /// The outcome.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

from_row!(OutcomeCount { outcome, count });

/// Failed captures of one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureFailureCount {
    /// The pedestal's word for it.
    pub reason: String,
    /// How many.
    pub count: u64,
}

from_row!(CaptureFailureCount { reason, count });

/// A device and when it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSight {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Its lane.
    pub lane_name: Option<String>,
    /// When it last spoke to us.
    pub last_seen_at: Option<Timestamp>,
}

from_row!(DeviceSight { name, kind, lane_name, last_seen_at });

/// A decided attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentAdmission {
    /// When.
    pub at: Timestamp,
    /// The answer.
    pub outcome: Outcome,
    /// Why not, where it is a refusal.
    pub reason: Option<Reason>,
    /// How.
    pub method: Method,
    /// How many people entered.
    pub people: u8,
    /// At which device.
    pub device_name: String,
    /// At which gate.
    pub gate_name: Option<String>,
    /// At which lane.
    pub lane_name: Option<String>,
}

from_row!(RecentAdmission {
    at,
    outcome,
    reason,
    method,
    people,
    device_name,
    gate_name,
    lane_name,
});

impl FromRow for EventOverview {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            event: Event::from_row(row)?,
            sold: row.get("sold")?,
            entered: row.get("entered")?,
            palms_armed: row.get("palms_armed")?,
        })
    }
}

impl BoxOffice {
    /// A company's events with their counts, in the order they start.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn console_events(&self, company_id: CompanyId) -> Result<Vec<EventOverview>> {
        self.store
            .read("console.events", |tx| {
                Box::pin(async move {
                    let sql = "SELECT e.id, e.company_id, e.venue_id, v.name AS venue_name, e.name,
                                      e.doors_at, e.starts_at, e.ends_at, e.biometrics,
                                      (SELECT COUNT(*) FROM tickets t
                                       JOIN orders o ON o.id = t.order_id
                                       WHERE t.event_id = e.id AND o.state = 'paid'
                                         AND t.state IN ('valid', 'blocked')) AS sold,
                                      (SELECT COUNT(DISTINCT n.ticket_id) FROM passages n
                                       WHERE n.event_id = e.id AND n.passing = 'entry'
                                         AND n.annulled_at IS NULL)
                                          AS entered,
                                      (SELECT COUNT(*) FROM armings a WHERE a.event_id = e.id)
                                          AS palms_armed
                               FROM events e JOIN venues v ON v.id = e.venue_id
                               WHERE e.company_id = $1 ORDER BY e.starts_at, e.id";
                    Ok(tx.fetch_all(sql, params![company_id]).await?)
                })
            })
            .await
    }

    /// One event's live figures.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Unknown`] for an unknown event or another company's.
    pub async fn console_live(&self, company_id: CompanyId, id: EventId) -> Result<EventLive> {
        let now = self.clock.now();
        self.store
            .read("console.live", |tx| {
                Box::pin(async move {
                    let event = event::find_own(tx, company_id, id).await?;
                    live(tx, &event, now).await
                })
            })
            .await
    }

    /// The newest attempts at an event, refused ones included, at most `limit`.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Unknown`] for an unknown event or another company's.
    pub async fn recent_admissions(
        &self,
        company_id: CompanyId,
        id: EventId,
        limit: u32,
    ) -> Result<Vec<RecentAdmission>> {
        self.store
            .read("console.recent", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, id).await?;
                    let sql = "SELECT a.at, a.outcome, a.reason, a.method, a.people,
                                      d.name AS device_name, g.name AS gate_name,
                                      l.name AS lane_name
                               FROM admissions a
                               JOIN devices d ON d.id = a.device_id
                               LEFT JOIN gates g ON g.id = a.gate_id
                               LEFT JOIN lanes l ON l.id = a.lane_id
                               WHERE a.event_id = $1 ORDER BY a.at DESC, a.id DESC LIMIT $2";
                    Ok(tx.fetch_all(sql, params![id, limit]).await?)
                })
            })
            .await
    }
}

async fn live(tx: &mut Tx<'_>, event: &Event, now: Timestamp) -> Result<EventLive> {
    let minutes = minutes(tx, event.id).await?;
    let sold = "SELECT COUNT(*) FROM tickets t JOIN orders o ON o.id = t.order_id
                WHERE t.event_id = $1 AND o.state = 'paid' AND t.state IN ('valid', 'blocked')";
    let entered = "SELECT COUNT(DISTINCT ticket_id) FROM passages
                   WHERE event_id = $1 AND passing = 'entry' AND annulled_at IS NULL";
    let by_palm = "SELECT COUNT(DISTINCT ticket_id) FROM passages
                   WHERE event_id = $1 AND passing = 'entry' AND annulled_at IS NULL
                     AND method = 'palm'";
    let refusals = "SELECT outcome, COUNT(*) AS count FROM admissions
                    WHERE event_id = $1 AND outcome <> 'ok'
                    GROUP BY outcome ORDER BY COUNT(*) DESC, outcome";
    let linked = "SELECT COUNT(*) FROM link_palms p
                  JOIN links k ON k.id = p.link_id
                  JOIN tickets t ON t.id = k.made_with
                  WHERE t.event_id = $1 AND k.state IN ('pending', 'confirmed')";
    let failures = "SELECT reason, COUNT(*) AS count FROM capture_failures
                    WHERE event_id = $1 GROUP BY reason ORDER BY COUNT(*) DESC, reason";
    let devices = "SELECT d.name, d.kind, l.name AS lane_name, s.last_seen_at
                   FROM devices d
                   LEFT JOIN lanes l ON l.id = d.lane_id
                   LEFT JOIN device_sightings s ON s.device_id = d.id
                   WHERE d.venue_id = $1 AND d.revoked_at IS NULL
                     AND NOT EXISTS (SELECT 1 FROM sales_desks x WHERE x.device_id = d.id)
                     AND NOT EXISTS (SELECT 1 FROM sales_registers x WHERE x.device_id = d.id)
                   ORDER BY d.id";
    let (sold,): (u64,) = tx.fetch_one(sold, params![event.id]).await?;
    let (linked_palms,): (u64,) = tx.fetch_one(linked, params![event.id]).await?;
    let (entered,): (u64,) = tx.fetch_one(entered, params![event.id]).await?;
    let (entered_by_palm,): (u64,) = tx.fetch_one(by_palm, params![event.id]).await?;
    Ok(EventLive {
        sold,
        entered,
        entered_by_palm,
        entered_by_code: entered - entered_by_palm,
        minutes,
        refusals: tx.fetch_all(refusals, params![event.id]).await?,
        linked_palms,
        capture_failures: tx.fetch_all(failures, params![event.id]).await?,
        devices: tx.fetch_all(devices, params![event.venue_id]).await?,
        gates: gates(tx, event, now).await?,
    })
}

async fn gates(tx: &mut Tx<'_>, event: &Event, now: Timestamp) -> Result<Vec<GateWait>> {
    let now = now.as_micros().div_euclid(MINUTE_MICROS);
    // Whoever queues stands there for any event of the venue; the people are this one's.
    let sql = "SELECT gate_id, device_id, at / $3 AS minute, COUNT(*) AS verdicts,
                      CAST(SUM(CASE WHEN outcome = 'ok' AND event_id = $4 THEN people ELSE 0 END)
                           AS BIGINT) AS people
               FROM admissions
               WHERE venue_id = $1 AND at >= $2 AND gate_id IS NOT NULL AND passing = 'entry'
               GROUP BY gate_id, device_id, at / $3";
    let since = first_minute(now) * MINUTE_MICROS;
    let rows: Vec<(GateId, DeviceId, i64, u64, u64)> =
        tx.fetch_all(sql, params![event.venue_id, since, MINUTE_MICROS, event.id]).await?;
    let mut work: BTreeMap<GateId, Vec<DeviceMinute>> = BTreeMap::new();
    for (gate, device, minute, verdicts, people) in rows {
        work.entry(gate).or_default().push(DeviceMinute { device, minute, verdicts, people });
    }
    let sql = "SELECT id, name FROM gates WHERE venue_id = $1 ORDER BY id";
    let gates: Vec<(GateId, String)> = tx.fetch_all(sql, params![event.venue_id]).await?;
    let seen = gates.into_iter().map(|(gate_id, name)| {
        let of = GateWork::new(work.remove(&gate_id).unwrap_or_default(), now);
        GateWait { gate_id, name, wait: of.wait(), people: of.people(), devices: of.devices() }
    });
    Ok(seen.collect())
}

async fn minutes(tx: &mut Tx<'_>, id: EventId) -> Result<Vec<MinuteCount>> {
    let sql = "SELECT at / $2 AS minute, method, CAST(SUM(people) AS BIGINT) AS count
               FROM passages
               WHERE event_id = $1 AND passing = 'entry' AND annulled_at IS NULL
               GROUP BY at / $2, method ORDER BY at / $2";
    let rows: Vec<(i64, Method, u64)> = tx.fetch_all(sql, params![id, MINUTE_MICROS]).await?;
    let mut minutes: Vec<MinuteCount> = Vec::new();
    for (number, method, count) in rows {
        let minute = Timestamp::from_micros(number * MINUTE_MICROS);
        if minutes.last().is_none_or(|last| last.minute != minute) {
            minutes.push(MinuteCount { minute, palm: 0, code: 0 });
        }
        if let Some(last) = minutes.last_mut() {
            match method {
                Method::Palm => last.palm += count,
                Method::Code | Method::Staff => last.code += count,
            }
        }
    }
    Ok(minutes)
}
