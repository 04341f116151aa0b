//! Importing tickets from CSV, and exporting an event's: whole orders, each once.

use std::collections::HashMap;

use handfast_model::{AccountId, CompanyId, EventId, OrderId, TicketId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::ticket_csv::{self, BadRow, CsvFile, CsvOrder, CsvTicket, ExportedTicket};
use crate::{
    BoxOffice, BoxOfficeError, Language, Order, Result, Standing, Ticket, TicketCode, TicketState,
    account, event, ticket,
};

/// Orders of one transaction: few enough that scans at the gates go on between them.
const ORDERS_AT_ONCE: usize = 50;

/// What an import found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportReport {
    /// Rows of the file, without its header.
    pub rows: u64,
    /// Orders that were (or at a dry run would be) imported.
    pub orders: u64,
    /// Their tickets.
    pub tickets: u64,
    /// Orders that an earlier import brought; they stay as they are.
    pub already_there: u64,
    /// Every row that cannot be imported, by line.
    pub bad: Vec<BadRow>,
    /// Whether anything was written: not at a dry run, nor while a row is bad.
    pub imported: bool,
}

/// An event's tickets for whoever may have all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketExport {
    /// How many there are, in any state.
    pub tickets: usize,
    /// As CSV, in UTF-8.
    pub csv: Vec<u8>,
}

impl BoxOffice {
    /// Imports a CSV file of tickets: all of it, or nothing while a row is bad. At a dry run
    /// nothing is written whatever the rows say. `progress` hears of orders done and of all.
    /// Importing a file again brings only the orders that are not there yet, so that a run that was
    /// cut off is finished by repeating it. Reconcile armings afterwards.
    ///
    /// # Errors
    /// [`BoxOfficeError::Csv`] for what is no such file; a bad row is no error but in the report.
    pub async fn import_tickets(
        &self,
        company_id: CompanyId,
        file: &[u8],
        dry_run: bool,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<ImportReport> {
        let CsvFile { orders, rows, mut bad } = ticket_csv::read(file)?;
        let orders = &orders;
        let checked: Checked = self
            .store
            .read("ticket_import.check", |tx| Box::pin(check(tx, company_id, orders)))
            .await?;
        bad.extend(checked.bad);
        let new: Vec<&CsvOrder> =
            orders.iter().filter(|order| !checked.known.contains_key(&order.reference)).collect();
        let mut report = ImportReport {
            rows,
            orders: new.len() as u64,
            tickets: new.iter().map(|order| order.tickets.len() as u64).sum(),
            already_there: (orders.len() - new.len()) as u64,
            bad: ticket_csv::sorted(bad),
            imported: false,
        };
        if dry_run || !report.bad.is_empty() {
            return Ok(report);
        }
        for (number, chunk) in new.chunks(ORDERS_AT_ONCE).enumerate() {
            progress(number * ORDERS_AT_ONCE, new.len());
            self.import_chunk(company_id, &checked.events, chunk).await?;
        }
        progress(new.len(), new.len());
        report.imported = true;
        Ok(report)
    }

    async fn import_chunk(
        &self,
        company_id: CompanyId,
        events: &HashMap<String, EventId>,
        chunk: &[&CsvOrder],
    ) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("ticket_import.chunk", |tx| {
                Box::pin(async move {
                    for order in chunk {
                        self.import_order(tx, company_id, events, order, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn import_order(
        &self,
        tx: &mut Tx<'_>,
        company_id: CompanyId,
        events: &HashMap<String, EventId>,
        csv: &CsvOrder,
        now: Timestamp,
    ) -> Result<()> {
        let account_id = self.holder(tx, csv, now).await?;
        let id = OrderId::new(&*self.clock, &*self.random);
        let order = Order { id, company_id, account_id, state: csv.state };
        let sql = "INSERT INTO orders (id, company_id, account_id, state, created_at, changed_at,
                                       reference)
                   VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT DO NOTHING";
        let params = params![id, company_id, account_id, csv.state, now, csv.reference];
        if tx.execute(sql, params).await? == 0 {
            // Another import of the same file was quicker.
            return Ok(());
        }
        for row in &csv.tickets {
            let event_id = events.get(&row.event).copied();
            let event_id = event_id.ok_or(BoxOfficeError::Unknown(crate::Thing::Event))?;
            ticket::insert(tx, &self.imported_ticket(&order, event_id, row), now).await?;
        }
        Ok(())
    }

    async fn holder(&self, tx: &mut Tx<'_>, csv: &CsvOrder, now: Timestamp) -> Result<AccountId> {
        if let Some(account) = account::find_by_email(tx, &csv.email).await? {
            return Ok(account.id);
        }
        let id = AccountId::new(&*self.clock, &*self.random);
        tx.execute(
            "INSERT INTO accounts (id, email, name, language, created_at)
             VALUES ($1, $2, $3, $4, $5)",
            params![id, csv.email, csv.name, Language::English, now],
        )
        .await?;
        Ok(id)
    }

    fn imported_ticket(&self, order: &Order, event_id: EventId, row: &CsvTicket) -> Ticket {
        Ticket {
            id: TicketId::new(&*self.clock, &*self.random),
            order_id: order.id,
            event_id,
            account_id: order.account_id,
            product: row.product.clone(),
            code: row.code.clone().unwrap_or_else(|| TicketCode::new(&*self.random)),
            state: TicketState::Valid,
            party_size: row.people,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            addon_to: None,
        }
    }

    /// An event's tickets as CSV, with how many people entered on each.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's event.
    pub async fn export_tickets(&self, company_id: CompanyId, id: EventId) -> Result<TicketExport> {
        let tickets: Vec<ExportedTicket> = self
            .store
            .read("ticket_import.export", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, id).await?;
                    Ok::<_, BoxOfficeError>(tx.fetch_all(EXPORT, params![id]).await?)
                })
            })
            .await?;
        let count = tickets.len();
        let rows = tickets.into_iter().map(ExportedTicket::cells);
        Ok(TicketExport { tickets: count, csv: ticket_csv::write(&ExportedTicket::HEADER, rows)? })
    }
}

const EXPORT: &str = "SELECT COALESCE(o.reference, o.id) AS reference, e.name AS event, t.product,
           a.name, a.email, t.code, t.state, o.state AS order_state, t.party_size,
           (SELECT COALESCE(CAST(SUM(p.people) AS BIGINT), 0) FROM passages p
            WHERE p.ticket_id = t.id AND p.passing = 'entry' AND p.annulled_at IS NULL) AS entered
    FROM tickets t
    JOIN orders o ON o.id = t.order_id
    JOIN events e ON e.id = t.event_id
    JOIN accounts a ON a.id = t.account_id
    WHERE t.event_id = $1 ORDER BY o.id, t.id";

impl FromRow for ExportedTicket {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let standing = Standing::of(row.get("state")?, row.get("order_state")?);
        Ok(Self {
            order: row.get("reference")?,
            event: row.get("event")?,
            product: row.get("product")?,
            name: row.get("name")?,
            email: row.get("email")?,
            code: row.get("code")?,
            state: standing.to_string(),
            people: row.get("party_size")?,
            entered: row.get("entered")?,
        })
    }
}

/// What the database has to say about a file.
#[derive(Default)]
struct Checked {
    /// Events by name or id.
    events: HashMap<String, EventId>,
    /// Orders that are there already, by reference.
    known: HashMap<String, OrderId>,
    bad: Vec<BadRow>,
}

async fn check(tx: &mut Tx<'_>, company_id: CompanyId, orders: &[CsvOrder]) -> Result<Checked> {
    let sql = "SELECT id, name FROM events WHERE company_id = $1 ORDER BY id";
    let events: Vec<(EventId, String)> = tx.fetch_all(sql, params![company_id]).await?;
    let mut checked = Checked::default();
    let mut twice: Vec<String> = Vec::new();
    for (id, name) in events {
        checked.events.insert(id.to_string(), id);
        if checked.events.insert(name.clone(), id).is_some() {
            twice.push(name);
        }
    }
    for order in orders {
        let sql = "SELECT id FROM orders WHERE company_id = $1 AND reference = $2";
        let known: Option<(OrderId,)> =
            tx.fetch_optional(sql, params![company_id, order.reference]).await?;
        if let Some((id,)) = known {
            checked.known.insert(order.reference.clone(), id);
            continue;
        }
        for row in &order.tickets {
            if let Some(reason) = check_row(tx, &checked.events, &twice, row).await? {
                checked.bad.push(BadRow { line: row.line, reason });
            }
        }
    }
    Ok(checked)
}

async fn check_row(
    tx: &mut Tx<'_>,
    events: &HashMap<String, EventId>,
    twice: &[String],
    row: &CsvTicket,
) -> Result<Option<String>> {
    if twice.contains(&row.event) {
        return Ok(Some("several events have this name; write the event's id".to_owned()));
    }
    if !events.contains_key(&row.event) {
        return Ok(Some("there is no such event; write its name or its id".to_owned()));
    }
    let Some(code) = &row.code else { return Ok(None) };
    let taken = ticket::facts_by_code(tx, code.as_str()).await?;
    Ok(taken.map(|_| "another ticket has this code".to_owned()))
}
