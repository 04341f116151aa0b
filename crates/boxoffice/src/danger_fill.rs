//! Filling an event with linked, armed palms at once: for `handfast bench`, on a database of its own.

use handfast_model::{AccountId, ConsentId, DeviceId, EventId, LinkId, OrderId, PairwiseToken};
use handfast_model::{TicketId, Timestamp};
use handfast_store::{Tx, params};

use crate::{
    BoxOffice, BoxOfficeError, CURRENT_VERSION, Consent, Event, Language, Order, OrderState,
    Result, Scope, Side, Ticket, TicketCode, TicketState, consent, device, event, ticket,
};

/// Links stored in one transaction: large enough to be quick, small enough to let others through.
const CHUNK: usize = 500;

impl BoxOffice {
    /// Makes a ticket and a link for each of these palms, given as (company token, event's venue
    /// token), as if each had been linked and armed: no pedestal, no consent of a person, no mail.
    /// Only for measuring on a database that is thrown away. Returns the tickets, in order.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown device, account or event;
    /// [`BoxOfficeError::Store`] for a token that is there already.
    pub async fn danger_fill_links(
        &self,
        device_id: DeviceId,
        account_id: AccountId,
        event_id: EventId,
        palms: &[(PairwiseToken, PairwiseToken)],
    ) -> Result<Vec<Ticket>> {
        let mut tickets = Vec::with_capacity(palms.len());
        for chunk in palms.chunks(CHUNK) {
            let filled = self.store.transaction("danger.fill_links", |tx| {
                Box::pin(async move {
                    device::find(tx, device_id).await?;
                    let event = &event::find(tx, event_id).await?;
                    let order = &self.fill_order(tx, account_id, event).await?;
                    let mut tickets = Vec::with_capacity(chunk.len());
                    for palm in chunk {
                        tickets.push(self.fill_link(tx, device_id, order, event, palm).await?);
                    }
                    Ok::<_, BoxOfficeError>(tickets)
                })
            });
            tickets.extend(filled.await?);
        }
        Ok(tickets)
    }

    async fn fill_order(
        &self,
        tx: &mut Tx<'_>,
        account_id: AccountId,
        event: &Event,
    ) -> Result<Order> {
        let order = Order {
            id: OrderId::new(&*self.clock, &*self.random),
            company_id: event.company_id,
            account_id,
            state: OrderState::Paid,
        };
        tx.execute(
            "INSERT INTO orders (id, company_id, account_id, state, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $5)",
            params![order.id, order.company_id, order.account_id, order.state, self.now()],
        )
        .await?;
        Ok(order)
    }

    fn bench_ticket(&self, order: &Order, event: &Event) -> Ticket {
        Ticket {
            id: TicketId::new(&*self.clock, &*self.random),
            order_id: order.id,
            event_id: event.id,
            account_id: order.account_id,
            product: "Bench".to_owned(),
            code: TicketCode::new(&*self.random),
            state: TicketState::Valid,
            party_size: 1,
            valid_from: None,
            valid_until: None,
            addon_to: None,
        }
    }

    async fn fill_link(
        &self,
        tx: &mut Tx<'_>,
        device_id: DeviceId,
        order: &Order,
        event: &Event,
        palm: &(PairwiseToken, PairwiseToken),
    ) -> Result<Ticket> {
        let ticket = self.bench_ticket(order, event);
        ticket::insert(tx, &ticket, self.now()).await?;
        let id = LinkId::new(&*self.clock, &*self.random);
        let now = self.now();
        tx.execute(
            "INSERT INTO links (id, company_id, venue_id, account_id, made_with, ticket_id,
                                device_id, state, scope, future_only, active_from, until,
                                created_at)
             VALUES ($1, $2, $3, $4, $5, $5, $6, 'pending', 'event', FALSE, $7, $8, $7)",
            params![
                id,
                event.company_id,
                event.venue_id,
                order.account_id,
                ticket.id,
                device_id,
                now,
                event.ends_at
            ],
        )
        .await?;
        let consent = self.fill_consent(now, event)?;
        consent::insert(tx, order.account_id, Some(id), &consent).await?;
        arm(tx, id, event, palm).await?;
        Ok(ticket)
    }

    fn fill_consent(&self, now: Timestamp, event: &Event) -> Result<Consent> {
        Ok(Consent {
            id: ConsentId::new(&*self.clock, &*self.random),
            text_version: CURRENT_VERSION.to_owned(),
            language: Language::English,
            purposes: consent::palm_purposes(CURRENT_VERSION, Language::English)?,
            scope: Some(Scope::Event),
            until: Some(event.ends_at),
            given_at: now,
            withdrawn_at: None,
            age: None,
        })
    }
}

async fn arm(
    tx: &mut Tx<'_>,
    id: LinkId,
    event: &Event,
    (company_token, venue_token): &(PairwiseToken, PairwiseToken),
) -> Result<()> {
    tx.execute(
        "INSERT INTO link_palms (link_id, side, company_id, company_token) VALUES ($1, $2, $3, $4)",
        params![id, Side::Left, event.company_id, company_token],
    )
    .await?;
    tx.execute(
        "INSERT INTO venue_tokens (venue_id, token, link_id, side) VALUES ($1, $2, $3, $4)",
        params![event.venue_id, venue_token, id, Side::Left],
    )
    .await?;
    tx.execute(
        "INSERT INTO armings (link_id, side, event_id, until) VALUES ($1, $2, $3, $4)",
        params![id, Side::Left, event.id, event.ends_at],
    )
    .await?;
    Ok(())
}

impl BoxOffice {
    /// Makes so many paid tickets for an event and returns their codes. Only for measuring on a
    /// database that is thrown away.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for an unknown account or event.
    pub async fn danger_fill_tickets(
        &self,
        account_id: AccountId,
        event_id: EventId,
        count: usize,
    ) -> Result<Vec<TicketCode>> {
        let mut codes = Vec::with_capacity(count);
        while codes.len() < count {
            let chunk = CHUNK.min(count - codes.len());
            let filled = self.store.transaction("danger.fill_tickets", |tx| {
                Box::pin(async move {
                    let event = event::find(tx, event_id).await?;
                    let order = self.fill_order(tx, account_id, &event).await?;
                    let mut codes = Vec::with_capacity(chunk);
                    for _ in 0..chunk {
                        let ticket = self.bench_ticket(&order, &event);
                        ticket::insert(tx, &ticket, self.now()).await?;
                        codes.push(ticket.code);
                    }
                    Ok::<_, BoxOfficeError>(codes)
                })
            });
            codes.extend(filled.await?);
        }
        Ok(codes)
    }
}
