//! What is sold of an event, for how much, and how many of it.

use handfast_model::{CompanyId, Currency, EventId, Money, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, Event, Result, Thing, event};

/// The highest price of a ticket, in minor units: what a till charges at once.
const PRICE_MINOR_MAX: i64 = 10_000_000;

/// A product of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name, as printed on tickets.
    pub name: String,
    /// What a ticket costs.
    pub price: Money,
    /// For how many people tickets are made at most; without end where `None`.
    pub capacity: Option<u32>,
    /// Whether fans may order it; at the window it is sold in any case.
    pub on_sale: bool,
}

/// A product with what is sold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductSales {
    /// The product.
    pub product: Product,
    /// People for whom tickets are sold, or held while they are being paid.
    pub taken: u32,
}

impl ProductSales {
    /// How many are left; `None` without end.
    #[must_use]
    pub fn left(&self) -> Option<u32> {
        self.product.capacity.map(|capacity| capacity.saturating_sub(self.taken))
    }
}

impl FromRow for Product {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        Ok(Self {
            name: row.get("name")?,
            price: Money::new(row.get("price_minor")?, currency),
            capacity: row.get("capacity")?,
            on_sale: row.get("on_sale")?,
        })
    }
}

impl BoxOffice {
    /// Adds a product to an event, or changes it. A capacity below what is sold takes nothing away
    /// from anybody; no more is sold.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::Price`]; [`BoxOfficeError::Unknown`] for another
    /// company's event; [`BoxOfficeError::Mismatch`] for another currency than the event's other
    /// products have.
    pub async fn set_product(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        product: &Product,
    ) -> Result<()> {
        let name = &check_name("a product's name", &product.name)?;
        if !(0..=PRICE_MINOR_MAX).contains(&product.price.minor) {
            return Err(BoxOfficeError::Price { max: PRICE_MINOR_MAX });
        }
        let Product { price, capacity, on_sale, .. } = product;
        self.store
            .transaction("product.set", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, event_id).await?;
                    let others = "SELECT currency FROM products WHERE event_id = $1 AND name <> $2";
                    let other: Option<(Currency,)> =
                        tx.fetch_optional(others, params![event_id, name]).await?;
                    if other.is_some_and(|(currency,)| currency != price.currency) {
                        return Err(BoxOfficeError::Mismatch);
                    }
                    tx.execute(
                        "INSERT INTO products (event_id, name, price_minor, currency, capacity,
                                               attention, on_sale)
                         VALUES ($1, $2, $3, $4, $5, FALSE, $6)
                         ON CONFLICT (event_id, name) DO UPDATE SET price_minor = $3,
                             currency = $4, capacity = $5, on_sale = $6",
                        params![event_id, name, price.minor, price.currency, capacity, on_sale],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// An event's products with what is sold of each, by name.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn products(&self, event_id: EventId) -> Result<Vec<ProductSales>> {
        let now = self.now();
        self.store
            .read("product.of_event", |tx| {
                Box::pin(async move {
                    let sql = "SELECT name, price_minor, currency, capacity, on_sale
                               FROM products WHERE event_id = $1 ORDER BY name";
                    let products: Vec<Product> = tx.fetch_all(sql, params![event_id]).await?;
                    let mut sales = Vec::with_capacity(products.len());
                    for product in products {
                        let taken = taken(tx, event_id, &product.name, now).await?;
                        sales.push(ProductSales { product, taken });
                    }
                    Ok(sales)
                })
            })
            .await
    }

    /// Events with something on sale that are not over, of every company, in the order they start.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn events_on_sale(&self) -> Result<Vec<Event>> {
        let now = self.now();
        self.store.read("event.on_sale", |tx| Box::pin(event::on_sale(tx, now))).await
    }
}

/// One product of an event.
pub(crate) async fn find(tx: &mut Tx<'_>, event_id: EventId, name: &str) -> Result<Product> {
    let sql = "SELECT name, price_minor, currency, capacity, on_sale FROM products
               WHERE event_id = $1 AND name = $2";
    let product = tx.fetch_optional(sql, params![event_id, name]).await?;
    product.ok_or(BoxOfficeError::Unknown(Thing::Product))
}

/// People for whom tickets of a product exist: sold, or held while they are being paid. Counted
/// from the tickets themselves, in the transaction that makes more of them: nothing can drift.
pub(crate) async fn taken(
    tx: &mut Tx<'_>,
    event_id: EventId,
    name: &str,
    now: Timestamp,
) -> Result<u32> {
    let sql = "SELECT COALESCE(CAST(SUM(t.party_size) AS BIGINT), 0)
               FROM tickets t JOIN orders o ON o.id = t.order_id
               WHERE t.event_id = $1 AND t.product = $2 AND t.state IN ('valid', 'blocked')
                 AND (o.state IN ('paid', 'unapproved')
                      OR (o.state = 'pending' AND (o.hold_until IS NULL OR o.hold_until > $3
                                                   OR o.payment_nonce IS NOT NULL)))";
    let (taken,): (u32,) = tx.fetch_one(sql, params![event_id, name, now]).await?;
    Ok(taken)
}
