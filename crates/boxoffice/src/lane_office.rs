//! A lane's own box office: the same admission engine over a copy in the lane's own SQLite file. It
//! decides when the hub does not answer, remembers what it decided, and hands that over later.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use handfast_model::{
    AccountId, AdmissionId, Clock, DeviceId, Duration, EventId, Random, TicketId, Timestamp,
};
use handfast_store::{Store, Tx, from_row, params};

use crate::lane_copy::{CopiedEvent, CopiedPassage, CopiedPlace, CopiedTicket, check_version};
use crate::lane_merge::{LaneQueue, QUEUE_AT_ONCE_MAX, QueuedAttempt};
use crate::{
    AdmissionRequest, AdmissionTerms, BoxOffice, CheckInList, Device, LaneCopy, Language, Result,
    Verdict, check_in_list, question,
};

/// The clock that a lane decides by: its own, corrected by what the hub's said at the last copy.
struct CorrectedClock {
    own: Arc<dyn Clock>,
    ahead_micros: AtomicI64,
}

impl Clock for CorrectedClock {
    fn now(&self) -> Timestamp {
        self.own.now() - Duration::from_micros(self.ahead_micros.load(Ordering::Relaxed))
    }
}

/// A lane that can decide alone.
#[derive(Clone)]
pub struct LaneOffice {
    office: BoxOffice,
    clock: Arc<CorrectedClock>,
    random: Arc<dyn Random>,
}

struct State {
    copied_until: Timestamp,
    offline_since: Option<Timestamp>,
    ahead_micros: i64,
    revoked_at: Option<Timestamp>,
}

from_row!(State { copied_until, offline_since, ahead_micros, revoked_at });

impl LaneOffice {
    /// Opens a lane's own store, empty or as it was left.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn open(store: Store, own: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self> {
        let clock = Arc::new(CorrectedClock { own, ahead_micros: AtomicI64::new(0) });
        let office = BoxOffice::open(store, clock.clone(), random.clone(), "").await?;
        let lane = Self { office, clock, random };
        if let Some(state) = lane.state().await? {
            lane.clock.ahead_micros.store(state.ahead_micros, Ordering::Relaxed);
        }
        Ok(lane)
    }

    /// Since when to ask for changes; `None` before the first copy.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn copied_until(&self) -> Result<Option<Timestamp>> {
        Ok(self.state().await?.map(|state| state.copied_until))
    }

    /// The device that it decides as; `None` before the first copy.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn device_id(&self) -> Result<Option<DeviceId>> {
        self.office
            .store
            .read("lane_office.device", |tx| {
                Box::pin(async move {
                    let sql = "SELECT device_id FROM lane_state";
                    let device: Option<(DeviceId,)> = tx.fetch_optional(sql, params![]).await?;
                    Ok(device.map(|(id,)| id))
                })
            })
            .await
    }

    /// Since when it decides alone.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn offline_since(&self) -> Result<Option<Timestamp>> {
        Ok(self.state().await?.and_then(|state| state.offline_since))
    }

    /// The device that it decides as, where it stands; `None` before the first copy.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn device(&self) -> Result<Option<Device>> {
        match self.device_id().await? {
            Some(id) => Ok(Some(self.office.device(id).await?)),
            None => Ok(None),
        }
    }

    /// Since when it knows that it was revoked; it decides nothing any more, and still hands over
    /// what it decided before.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn revoked_at(&self) -> Result<Option<Timestamp>> {
        Ok(self.state().await?.and_then(|state| state.revoked_at))
    }

    /// Remembers that the hub knows its key no more.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn set_revoked(&self) -> Result<()> {
        let now = self.clock.now();
        self.office
            .store
            .transaction("lane_office.revoked", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE lane_state SET revoked_at = $1 WHERE revoked_at IS NULL";
                    tx.execute(sql, params![now]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// How many attempts the hub has not got yet.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn waiting(&self) -> Result<u64> {
        self.office
            .store
            .read("lane_office.waiting", |tx| {
                Box::pin(async move {
                    let (waiting,): (u64,) = tx.fetch_one(WAITING, params![]).await?;
                    Ok(waiting)
                })
            })
            .await
    }

    /// How many tickets it has.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn ticket_count(&self) -> Result<u64> {
        self.office
            .store
            .read("lane_office.tickets", |tx| {
                Box::pin(async move {
                    let sql = "SELECT COUNT(*) FROM tickets";
                    let (count,): (u64,) = tx.fetch_one(sql, params![]).await?;
                    Ok(count)
                })
            })
            .await
    }

    /// The time by its corrected clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes a copy in: all of it or nothing.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::CopyVersion`] for one of a newer program.
    pub async fn apply(&self, copy: &LaneCopy) -> Result<()> {
        check_version(copy)?;
        // How far the own clock is ahead of the hub's; the way of the message is within a second.
        let ahead = self.clock.own.now() - copy.as_of;
        let account = AccountId::new(&*self.clock, &*self.random);
        let (sql_ahead, as_of) = (ahead.as_micros(), copy.as_of);
        self.office
            .store
            .transaction("lane_office.apply", |tx| {
                Box::pin(async move {
                    apply_place(tx, &copy.place, as_of).await?;
                    for event in &copy.events {
                        apply_event(tx, &copy.place, event, as_of).await?;
                    }
                    apply_tickets(tx, &copy.place, &copy.tickets, account, as_of).await?;
                    apply_keys(tx, copy).await?;
                    apply_passages(tx, &copy.place, &copy.passages).await?;
                    for (ticket_id, question_id) in &copy.answers {
                        let sql = "INSERT INTO answers (ticket_id, question_id, answer, at)
                                   VALUES ($1, $2, '', $3) ON CONFLICT DO NOTHING";
                        tx.execute(sql, params![ticket_id, question_id, as_of]).await?;
                    }
                    tx.execute(
                        "INSERT INTO lane_state (device_id, copied_until, offline_since,
                                                 ahead_micros)
                         VALUES ($1, $2, NULL, $3)
                         ON CONFLICT (device_id) DO UPDATE SET copied_until = $2,
                             offline_since = NULL, ahead_micros = $3, revoked_at = NULL",
                        params![copy.place.device_id, as_of, sql_ahead],
                    )
                    .await?;
                    Ok::<_, crate::BoxOfficeError>(())
                })
            })
            .await?;
        self.clock.ahead_micros.store(ahead.as_micros(), Ordering::Relaxed);
        Ok(())
    }

    /// Decides an attempt alone and keeps it for the hub; from the first one on the lane is offline
    /// until the next copy.
    ///
    /// # Errors
    /// As [`BoxOffice::admit`].
    pub async fn admit(
        &self,
        request: &AdmissionRequest<'_>,
        terms: AdmissionTerms,
    ) -> Result<Verdict> {
        let now = self.clock.now();
        self.office
            .store
            .transaction("lane_office.offline", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE lane_state SET offline_since = $1
                               WHERE offline_since IS NULL";
                    tx.execute(sql, params![now]).await?;
                    Ok::<_, crate::BoxOfficeError>(())
                })
            })
            .await?;
        self.office.admit_on(request, terms).await
    }

    /// Takes back what it let in alone.
    ///
    /// # Errors
    /// As [`BoxOffice::annul`].
    pub async fn annul(&self, device_id: DeviceId, nonce: &str, reason: &str) -> Result<()> {
        self.office.annul(device_id, nonce, reason).await?;
        // What was handed over already is handed over again, taken back.
        self.office
            .store
            .transaction("lane_office.annul", |tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM lane_sent WHERE admission_id IN
                               (SELECT a.id FROM admissions a
                                WHERE a.device_id = $1 AND a.nonce = $2)";
                    tx.execute(sql, params![device_id, nonce]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// What the hub has not got yet, oldest first; `None` before the first copy.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn queue(&self) -> Result<Option<LaneQueue>> {
        let Some(state) = self.state().await? else { return Ok(None) };
        let now = self.clock.now();
        self.office
            .store
            .read("lane_office.queue", |tx| {
                Box::pin(async move {
                    let rows: Vec<QueuedRow> = tx.fetch_all(UNSENT, params![QUEUED_MAX]).await?;
                    let (waiting,): (u64,) = tx.fetch_one(WAITING, params![]).await?;
                    let mut attempts = Vec::with_capacity(rows.len());
                    for row in rows {
                        let passages = tx.fetch_all(PASSAGES_OF, params![row.id]).await?;
                        attempts.push(row.queued(passages));
                    }
                    let left = waiting - attempts.len() as u64;
                    Ok(Some(LaneQueue {
                        now,
                        copied_until: state.copied_until,
                        offline_since: state.offline_since,
                        left,
                        attempts,
                    }))
                })
            })
            .await
    }

    /// Remembers what the hub has acknowledged.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn acknowledge(&self, queue: &LaneQueue) -> Result<()> {
        self.office
            .store
            .transaction("lane_office.acknowledge", |tx| {
                Box::pin(async move {
                    for attempt in &queue.attempts {
                        let sql = "INSERT INTO lane_sent (admission_id) VALUES ($1)
                                   ON CONFLICT DO NOTHING";
                        tx.execute(sql, params![attempt.id]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn state(&self) -> Result<Option<State>> {
        self.office
            .store
            .read("lane_office.state", |tx| {
                Box::pin(async move {
                    let sql = "SELECT copied_until, offline_since, ahead_micros, revoked_at
                               FROM lane_state";
                    Ok(tx.fetch_optional(sql, params![]).await?)
                })
            })
            .await
    }
}

const QUEUED_MAX: u32 = QUEUE_AT_ONCE_MAX as u32;

const WAITING: &str = "SELECT COUNT(*) FROM admissions a
    WHERE a.nonce NOT LIKE 'hub/%' AND NOT EXISTS
          (SELECT 1 FROM lane_sent s WHERE s.admission_id = a.id)";

const UNSENT: &str = "SELECT a.id, a.nonce, a.request_hash, a.event_id, a.list_id, a.ticket_id,
           a.passing, a.method, a.outcome, a.reason, a.note, a.people, a.available, a.at,
           a.annulled_at
    FROM admissions a
    WHERE a.nonce NOT LIKE 'hub/%' AND NOT EXISTS
          (SELECT 1 FROM lane_sent s WHERE s.admission_id = a.id)
    ORDER BY a.at, a.id LIMIT $1";

const PASSAGES_OF: &str = "SELECT p.ticket_id, p.list_id, p.number, p.passing, p.people,
           p.admission_id, p.event_id, p.area_id, p.method, p.at, p.changed_at, p.annulled_at,
           a.gate_id, a.lane_id
    FROM passages p JOIN admissions a ON a.id = p.admission_id
    WHERE p.admission_id = $1 ORDER BY p.ticket_id, p.list_id, p.number";

struct QueuedRow {
    id: AdmissionId,
    nonce: String,
    request_hash: [u8; 32],
    event_id: Option<EventId>,
    list_id: Option<handfast_model::CheckInListId>,
    ticket_id: Option<TicketId>,
    passing: crate::Passing,
    method: crate::Method,
    outcome: crate::Outcome,
    reason: Option<crate::Reason>,
    note: Option<crate::Note>,
    people: u8,
    available: u8,
    at: Timestamp,
    annulled_at: Option<Timestamp>,
}

from_row!(QueuedRow {
    id,
    nonce,
    request_hash,
    event_id,
    list_id,
    ticket_id,
    passing,
    method,
    outcome,
    reason,
    note,
    people,
    available,
    at,
    annulled_at,
});

impl QueuedRow {
    fn queued(self, passages: Vec<CopiedPassage>) -> QueuedAttempt {
        QueuedAttempt {
            id: self.id,
            nonce: self.nonce,
            request_hash: self.request_hash,
            event_id: self.event_id,
            list_id: self.list_id,
            ticket_id: self.ticket_id,
            passing: self.passing,
            method: self.method,
            outcome: self.outcome,
            reason: self.reason,
            note: self.note,
            people: self.people,
            available: self.available,
            at: self.at,
            annulled_at: self.annulled_at,
            passages,
        }
    }
}

async fn apply_place(tx: &mut Tx<'_>, place: &CopiedPlace, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO companies (id, name, created_at) VALUES ($1, '', $2)
               ON CONFLICT DO NOTHING";
    tx.execute(sql, params![place.company_id, now]).await?;
    let sql = "INSERT INTO venues (id, company_id, name, utc_offset_minutes)
               VALUES ($1, $2, $3, $4)
               ON CONFLICT (id) DO UPDATE SET name = $3, utc_offset_minutes = $4";
    let CopiedPlace { venue_id, company_id, venue_name, utc_offset_minutes, .. } = place;
    tx.execute(sql, params![venue_id, company_id, venue_name, utc_offset_minutes]).await?;
    for (id, name) in &place.areas {
        let sql = "INSERT INTO areas (id, venue_id, name) VALUES ($1, $2, $3)
                   ON CONFLICT (id) DO UPDATE SET name = $3";
        tx.execute(sql, params![id, venue_id, name]).await?;
    }
    for (id, area_id, name) in &place.gates {
        let sql = "INSERT INTO gates (id, venue_id, area_id, name) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (id) DO UPDATE SET area_id = $3, name = $4";
        tx.execute(sql, params![id, venue_id, area_id, name]).await?;
    }
    apply_lanes(tx, place).await?;
    // Nobody signs in to a lane by a key of its copy: no text has this hash.
    let sql = "INSERT INTO devices (id, venue_id, name, kind, lane_id, api_key_hash, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (id) DO UPDATE SET name = $3, lane_id = $5";
    let CopiedPlace { device_id, device_name, device_kind, lane_id, .. } = place;
    let params = params![device_id, venue_id, device_name, device_kind, lane_id, [0_u8; 32], now];
    tx.execute(sql, params).await?;
    Ok(())
}

async fn apply_lanes(tx: &mut Tx<'_>, place: &CopiedPlace) -> Result<()> {
    for lane in &place.lanes {
        let sql = "INSERT INTO lanes (id, gate_id, name, direction, passing)
                   VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (id) DO UPDATE SET gate_id = $2, name = $3, direction = $4,
                       passing = $5";
        let params = params![lane.id, lane.gate_id, lane.name, lane.direction, lane.passing];
        tx.execute(sql, params).await?;
        tx.execute("DELETE FROM lane_products WHERE lane_id = $1", params![lane.id]).await?;
        for product in &lane.products {
            let sql = "INSERT INTO lane_products (lane_id, product) VALUES ($1, $2)";
            tx.execute(sql, params![lane.id, product]).await?;
        }
    }
    Ok(())
}

async fn apply_event(
    tx: &mut Tx<'_>,
    place: &CopiedPlace,
    event: &CopiedEvent,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO events (id, company_id, venue_id, name, doors_at, starts_at, ends_at,
                             biometrics)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET name = $4, doors_at = $5, starts_at = $6, ends_at = $7,
             biometrics = $8",
        params![
            event.id,
            place.company_id,
            place.venue_id,
            event.name,
            event.doors_at,
            event.starts_at,
            event.ends_at,
            event.biometrics
        ],
    )
    .await?;
    for (id, terms) in &event.lists {
        let list = CheckInList { id: *id, event_id: event.id, terms: terms.clone() };
        check_in_list::put(tx, &list, now).await?;
    }
    for asked in &event.questions {
        let there = "SELECT 1 FROM questions WHERE id = $1";
        let there: Option<(i64,)> = tx.fetch_optional(there, params![asked.id]).await?;
        if there.is_none() {
            question::insert(tx, event.id, asked, now).await?;
        }
    }
    for key in &event.foreign_keys {
        let sql = "INSERT INTO foreign_keys (event_id, public_key) VALUES ($1, $2)
                   ON CONFLICT DO NOTHING";
        tx.execute(sql, params![event.id, *key]).await?;
    }
    apply_resets(tx, event).await
}

async fn apply_resets(tx: &mut Tx<'_>, event: &CopiedEvent) -> Result<()> {
    tx.execute("DELETE FROM presence_resets WHERE event_id = $1", params![event.id]).await?;
    for (ticket_id, area_id, at) in &event.resets {
        let sql = "INSERT INTO presence_resets (event_id, ticket_id, area_id, at)
                   VALUES ($1, $2, $3, $4)";
        tx.execute(sql, params![event.id, ticket_id, area_id, at]).await?;
    }
    Ok(())
}

async fn apply_tickets(
    tx: &mut Tx<'_>,
    place: &CopiedPlace,
    tickets: &[CopiedTicket],
    fresh_account: AccountId,
    now: Timestamp,
) -> Result<()> {
    // Whose a ticket is does not leave the hub: one account, of nobody, holds them all.
    let sql = "INSERT INTO accounts (id, email, name, language, created_at)
               VALUES ($1, 'nobody@lane.invalid', '', $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![fresh_account, Language::English, now]).await?;
    let sql = "SELECT id FROM accounts WHERE email = 'nobody@lane.invalid'";
    let (nobody,): (AccountId,) = tx.fetch_one(sql, params![]).await?;
    let mut orders = HashSet::new();
    for ticket in tickets {
        let CopiedTicket { order_id, order_state, .. } = ticket;
        if orders.insert(*order_id) {
            let sql = "INSERT INTO orders (id, company_id, account_id, state, created_at)
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET state = $4";
            tx.execute(sql, params![order_id, place.company_id, nobody, order_state, now]).await?;
        }
        tx.execute(
            "INSERT INTO tickets (id, order_id, event_id, account_id, product, code, state,
                                  party_size, valid_from, valid_until, code_kind, code_serial,
                                  totp_secret)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (id) DO UPDATE SET code = $6, state = $7, party_size = $8,
                 valid_from = $9, valid_until = $10, code_kind = $11, code_serial = $12,
                 totp_secret = $13",
            params![
                ticket.id,
                ticket.order_id,
                ticket.event_id,
                nobody,
                ticket.product,
                ticket.code_hash,
                ticket.state,
                ticket.party_size,
                ticket.valid_from,
                ticket.valid_until,
                ticket.code_kind,
                ticket.code_serial,
                ticket.totp_secret
            ],
        )
        .await?;
    }
    // Once all are there: a ticket may be copied before the one that it is an add-on of.
    for ticket in tickets.iter().filter(|ticket| ticket.addon_to.is_some()) {
        let sql = "UPDATE tickets SET addon_to = $2 WHERE id = $1
                   AND EXISTS (SELECT 1 FROM tickets w WHERE w.id = $2)";
        tx.execute(sql, params![ticket.id, ticket.addon_to]).await?;
    }
    Ok(())
}

async fn apply_keys(tx: &mut Tx<'_>, copy: &LaneCopy) -> Result<()> {
    for key in &copy.signing_keys {
        let sql = "INSERT INTO signing_keys (key_id, company_id, public_key, created_at)
                   VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let params = params![key.key_id, copy.place.company_id, key.public_key, copy.as_of];
        tx.execute(sql, params).await?;
    }
    Ok(())
}

/// Each copied ticket's passages take the place of what was here, but for what the hub has not got
/// yet: that follows behind them.
async fn apply_passages(
    tx: &mut Tx<'_>,
    place: &CopiedPlace,
    passages: &[CopiedPassage],
) -> Result<()> {
    for of_ticket in passages
        .chunk_by(|one, other| (one.ticket_id, one.list_id) == (other.ticket_id, other.list_id))
    {
        let Some(first) = of_ticket.first() else { continue };
        let own = "SELECT p.ticket_id, p.list_id, p.number, p.passing, p.people, p.admission_id,
                          p.event_id, p.area_id, p.method, p.at, p.changed_at, p.annulled_at,
                          a.gate_id, a.lane_id
                   FROM passages p JOIN admissions a ON a.id = p.admission_id
                   WHERE p.ticket_id = $1 AND p.list_id = $2 AND a.nonce NOT LIKE 'hub/%'
                     AND NOT EXISTS (SELECT 1 FROM lane_sent s WHERE s.admission_id = a.id)
                   ORDER BY p.number";
        let place_of = params![first.ticket_id, first.list_id];
        let mut own: Vec<CopiedPassage> = tx.fetch_all(own, place_of).await?;
        own.retain(|kept| of_ticket.iter().all(|hub| hub.admission_id != kept.admission_id));
        let sql = "DELETE FROM passages WHERE ticket_id = $1 AND list_id = $2";
        tx.execute(sql, params![first.ticket_id, first.list_id]).await?;
        let mut number = 0;
        for passage in of_ticket {
            stub_admission(tx, place, passage).await?;
            number = number.max(passage.number);
            insert_passage(tx, passage, passage.number).await?;
        }
        for passage in &own {
            number += 1;
            insert_passage(tx, passage, number).await?;
        }
    }
    Ok(())
}

/// A passage elsewhere was an attempt elsewhere: of it the place and time are known here.
async fn stub_admission(
    tx: &mut Tx<'_>,
    place: &CopiedPlace,
    passage: &CopiedPassage,
) -> Result<()> {
    tx.execute(
        "INSERT INTO admissions (id, device_id, nonce, request_hash, venue_id, gate_id, lane_id,
                                 event_id, ticket_id, method, outcome, people, available, at,
                                 passing, list_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'ok', $11, 0, $12, $13, $14)
         ON CONFLICT DO NOTHING",
        params![
            passage.admission_id,
            place.device_id,
            format!("hub/{}", passage.admission_id),
            [0_u8; 32],
            place.venue_id,
            passage.gate_id,
            passage.lane_id,
            passage.event_id,
            passage.ticket_id,
            passage.method,
            passage.people,
            passage.at,
            passage.passing,
            passage.list_id
        ],
    )
    .await?;
    Ok(())
}

async fn insert_passage(tx: &mut Tx<'_>, passage: &CopiedPassage, number: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO passages (ticket_id, list_id, number, passing, people, admission_id, event_id,
                               area_id, method, at, changed_at, annulled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            passage.ticket_id,
            passage.list_id,
            number,
            passage.passing,
            passage.people,
            passage.admission_id,
            passage.event_id,
            passage.area_id,
            passage.method,
            passage.at,
            passage.changed_at,
            passage.annulled_at
        ],
    )
    .await?;
    Ok(())
}
