//! The end of a night: what was sold, who entered, who did not come; and the printable list of
//! tickets for a night without computers.

use handfast_model::{CompanyId, EventId};
use handfast_store::{from_row, params};

use crate::{BoxOffice, Event, Result, event, ticket_csv};

/// One product's figures. People, not tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductSettlement {
    /// The product.
    pub product: String,
    /// Of tickets that give a right to enter.
    pub sold: u64,
    /// Who entered: at most as many as were sold on each ticket.
    pub entered: u64,
    /// Who entered beyond a ticket's right: by force, or during a partition.
    pub beyond: u64,
    /// Who did not come.
    pub no_show: u64,
    /// Of tickets that were cancelled, refunded or withdrawn.
    pub cancelled: u64,
}

/// An event's end-of-night figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The event.
    pub event: Event,
    /// By product, in the order of their names.
    pub products: Vec<ProductSettlement>,
}

/// A line of the printable list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackLine {
    /// The holder's name.
    pub name: String,
    /// The product.
    pub product: String,
    /// How many people.
    pub people: u32,
    /// The code's last six characters: enough to tell two tickets of one name apart.
    pub code_end: String,
    /// How many entered by the time of printing.
    pub entered: u32,
}

struct TicketRow {
    product: String,
    party_size: u64,
    good: bool,
    entered: u64,
}

from_row!(TicketRow { product, party_size, good, entered });

impl Settlement {
    /// As CSV.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Csv`] where writing to memory fails.
    pub fn to_csv(&self) -> Result<Vec<u8>> {
        let header = ["event", "product", "sold", "entered", "beyond", "no_show", "cancelled"];
        let rows = self.products.iter().map(|row| {
            let numbers = [row.sold, row.entered, row.beyond, row.no_show, row.cancelled];
            let texts = [self.event.name.clone(), row.product.clone()];
            texts.into_iter().chain(numbers.map(|number| number.to_string())).collect()
        });
        ticket_csv::write(&header, rows)
    }
}

impl BoxOffice {
    /// What was sold and who entered, by product.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Unknown`] for another company's event.
    pub async fn settlement(&self, company_id: CompanyId, id: EventId) -> Result<Settlement> {
        self.store
            .read("settlement.of_event", |tx| {
                Box::pin(async move {
                    let event = event::find_own(tx, company_id, id).await?;
                    let tickets = tx.fetch_all(TICKETS, params![id]).await?;
                    Ok(Settlement { event, products: by_product(tickets) })
                })
            })
            .await
    }

    /// Every ticket that gives a right to enter, by name, to be printed before the doors.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Unknown`] for another company's event.
    pub async fn fallback_list(
        &self,
        company_id: CompanyId,
        id: EventId,
    ) -> Result<Vec<FallbackLine>> {
        self.store
            .read("settlement.fallback", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, id).await?;
                    type Line = (String, String, u32, String, u32);
                    let lines: Vec<Line> = tx.fetch_all(LINES, params![id]).await?;
                    let line = |(name, product, people, code, entered): Line| {
                        let letters: Vec<char> = code.chars().collect();
                        let code_end = letters[letters.len().saturating_sub(6)..].iter().collect();
                        FallbackLine { name, product, people, code_end, entered }
                    };
                    Ok(lines.into_iter().map(line).collect())
                })
            })
            .await
    }
}

const TICKETS: &str = "SELECT t.product, t.party_size,
           (o.state = 'paid' AND t.state IN ('valid', 'blocked')) AS good,
           (SELECT COALESCE(CAST(SUM(p.people) AS BIGINT), 0) FROM passages p
            WHERE p.ticket_id = t.id AND p.passing = 'entry' AND p.annulled_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM passages x WHERE x.ticket_id = t.id
                  AND x.passing = 'exit' AND x.annulled_at IS NULL AND x.at < p.at)) AS entered
    FROM tickets t JOIN orders o ON o.id = t.order_id WHERE t.event_id = $1";

const LINES: &str = "SELECT a.name, t.product, t.party_size, t.code,
           (SELECT COALESCE(CAST(SUM(p.people) AS BIGINT), 0) FROM passages p
            WHERE p.ticket_id = t.id AND p.passing = 'entry' AND p.annulled_at IS NULL) AS entered
    FROM tickets t
    JOIN orders o ON o.id = t.order_id
    JOIN accounts a ON a.id = t.account_id
    WHERE t.event_id = $1 AND o.state = 'paid' AND t.state = 'valid'
    ORDER BY LOWER(a.name), t.product, t.id";

fn by_product(tickets: Vec<TicketRow>) -> Vec<ProductSettlement> {
    let mut products: std::collections::BTreeMap<String, ProductSettlement> = Default::default();
    for ticket in tickets {
        let row = products.entry(ticket.product.clone()).or_insert_with(|| ProductSettlement {
            product: ticket.product.clone(),
            sold: 0,
            entered: 0,
            beyond: 0,
            no_show: 0,
            cancelled: 0,
        });
        let right = if ticket.good { ticket.party_size } else { 0 };
        let entered = ticket.entered.min(right);
        row.sold += right;
        row.entered += entered;
        row.beyond += ticket.entered - entered;
        row.no_show += right - entered;
        row.cancelled += ticket.party_size - right;
    }
    products.into_values().collect()
}
