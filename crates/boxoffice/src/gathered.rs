//! What a group of attempts looks up, read for all of them in a few statements before the first is
//! decided: where the database is another process, each statement is a journey. Whatever is found
//! here is what reading it one by one would find: a thing is given out once, and what the group itself
//! changes is dropped and read again, once what the group keeps back is written.

use std::collections::HashMap;

use handfast_model::{DeviceId, TicketId};
use handfast_store::{FromRow, Param, Row, StoreError, ToParam, Tx};

use crate::Result;
use crate::attempt::{Attempt, Parsed, Recorded, find_recorded, recorded_where};
use crate::scanned_code::ScannedCode;
use crate::ticket::{self, TicketFacts, hashed_code, ticket_facts_where};
use crate::unwritten::Unwritten;

/// Things that one statement looks up; the statement has so many places, empty where there are fewer.
pub(crate) const PLACES: usize = 16;

/// What was read ahead.
#[derive(Default)]
pub(crate) struct Gathered {
    recorded: HashMap<(DeviceId, String), Option<Recorded>>,
    tickets: HashMap<String, Option<TicketFacts>>,
    /// What the group decided and has not written yet.
    pub unwritten: Unwritten,
}

impl Gathered {
    /// Reads ahead for a group; one alone reads as it goes.
    pub async fn ahead(tx: &mut Tx<'_>, attempts: &[Attempt]) -> Result<Self> {
        let mut gathered = Self::default();
        if attempts.len() < 2 {
            return Ok(gathered);
        }
        for some in attempts.chunks(PLACES) {
            gathered.read_recorded(tx, some).await?;
            gathered.read_tickets(tx, some).await?;
        }
        Ok(gathered)
    }

    /// The record of an attempt under this nonce, if there is one.
    pub async fn recorded(
        &mut self,
        tx: &mut Tx<'_>,
        device_id: DeviceId,
        nonce: &str,
    ) -> Result<Option<Recorded>> {
        match self.recorded.remove(&(device_id, nonce.to_owned())) {
            Some(found) => Ok(found),
            None => {
                self.unwritten.write(tx).await?;
                find_recorded(tx, device_id, nonce).await
            }
        }
    }

    /// The ticket with this code, if there is one.
    pub async fn by_code(&mut self, tx: &mut Tx<'_>, code: &str) -> Result<Option<TicketFacts>> {
        match self.tickets.remove(code) {
            Some(found) => Ok(found),
            None => {
                self.unwritten.write(tx).await?;
                ticket::facts_by_code(tx, code).await
            }
        }
    }

    /// Says that the group changed a ticket: whoever comes next with it reads it again.
    pub fn changed(&mut self, id: TicketId) {
        self.tickets.retain(|_, found| found.as_ref().is_none_or(|ticket| ticket.id != id));
    }

    async fn read_recorded(&mut self, tx: &mut Tx<'_>, some: &[Attempt]) -> Result<()> {
        let mut params = Vec::with_capacity(2 * PLACES);
        for place in 0..PLACES {
            params.push(at(some, place, |attempt| attempt.device_id));
            params.push(at(some, place, |attempt| attempt.nonce.clone()));
        }
        let rows: Vec<Named> = tx.fetch_all(RECORDED_SQL, params).await?;
        for attempt in some {
            self.recorded.insert((attempt.device_id, attempt.nonce.clone()), None);
        }
        for row in rows {
            self.recorded.insert((row.device_id, row.nonce), Some(row.recorded));
        }
        Ok(())
    }

    async fn read_tickets(&mut self, tx: &mut Tx<'_>, some: &[Attempt]) -> Result<()> {
        let codes: Vec<&str> = some.iter().filter_map(code_of).collect();
        if codes.is_empty() {
            return Ok(());
        }
        let mut params = Vec::with_capacity(2 * PLACES);
        for place in 0..PLACES {
            params.push(at(&codes, place, |code| (*code).to_owned()));
            params.push(at(&codes, place, |code| hashed_code(code)));
        }
        let found = ticket::gather(tx.fetch_all(TICKETS_SQL, params).await?);
        for code in codes {
            let hash = hashed_code(code);
            let ticket = found.iter().find(|ticket| [code, &hash].contains(&ticket.code.expose()));
            self.tickets.insert(code.to_owned(), ticket.cloned());
        }
        Ok(())
    }
}

/// What the code looked up is, where it is looked up as it stands.
fn code_of(attempt: &Attempt) -> Option<&str> {
    match &attempt.presented {
        Parsed::Code(ScannedCode::Static(code)) => Some(code.as_str()),
        Parsed::Code(ScannedCode::Foreign(text)) => Some(text.as_str()),
        _ => None,
    }
}

/// A place's parameter; nothing equals the one of an empty place.
fn at<T, P: ToParam>(some: &[T], place: usize, of: impl Fn(&T) -> P) -> Param {
    some.get(place).map(of).to_param()
}

struct Named {
    device_id: DeviceId,
    nonce: String,
    recorded: Recorded,
}

impl FromRow for Named {
    fn from_row(row: &Row) -> std::result::Result<Self, StoreError> {
        Ok(Self {
            device_id: row.get("device_id")?,
            nonce: row.get("nonce")?,
            recorded: Recorded::from_row(row)?,
        })
    }
}

/// Pairs side by side, for each of which both engines use the key.
const RECORDED_SQL: &str = recorded_where!(
    "(a.device_id = $1 AND a.nonce = $2) OR (a.device_id = $3 AND a.nonce = $4)
     OR (a.device_id = $5 AND a.nonce = $6) OR (a.device_id = $7 AND a.nonce = $8)
     OR (a.device_id = $9 AND a.nonce = $10) OR (a.device_id = $11 AND a.nonce = $12)
     OR (a.device_id = $13 AND a.nonce = $14) OR (a.device_id = $15 AND a.nonce = $16)
     OR (a.device_id = $17 AND a.nonce = $18) OR (a.device_id = $19 AND a.nonce = $20)
     OR (a.device_id = $21 AND a.nonce = $22) OR (a.device_id = $23 AND a.nonce = $24)
     OR (a.device_id = $25 AND a.nonce = $26) OR (a.device_id = $27 AND a.nonce = $28)
     OR (a.device_id = $29 AND a.nonce = $30) OR (a.device_id = $31 AND a.nonce = $32)"
);
const TICKETS_SQL: &str = ticket_facts_where!(
    "t.code IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
     ORDER BY t.id"
);
