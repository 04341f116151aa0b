//! What is sold of an event, for how much, and how many of it.

use std::collections::HashMap;

use handfast_model::{CompanyId, Currency, EventId, Money, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, CodeKind, Event, Result, Thing, event, sales_desk};

/// The highest price of a ticket, in minor units: what a till charges at once.
const PRICE_MINOR_MAX: i64 = 10_000_000;

/// Whether a ticket `t` of an order `o` takes a place that nobody else can have at the time given.
macro_rules! takes_a_place {
    ($now:literal) => {
        concat!(
            "t.state IN ('valid', 'blocked')
             AND (o.state IN ('paid', 'unapproved')
                  OR (o.state = 'pending' AND (o.hold_until IS NULL OR o.hold_until > ",
            $now,
            " OR o.payment_nonce IS NOT NULL)))"
        )
    };
}

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
    /// Which codes its tickets are issued with from now on; to set it, `None` leaves them as they are,
    /// static at first.
    pub codes: Option<CodeKind>,
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
            codes: Some(row.get("code_kind")?),
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
    /// products have; [`BoxOfficeError::SalesCurrency`] for another than the company sells online in.
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
        let Product { price, capacity, on_sale, codes, .. } = product;
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
                    if *on_sale && price.minor > 0 {
                        sales_desk::check_currency(tx, company_id, price.currency).await?;
                    }
                    tx.execute(
                        "INSERT INTO products (event_id, name, price_minor, currency, capacity,
                                               attention, on_sale, code_kind)
                         VALUES ($1, $2, $3, $4, $5, FALSE, $6, $8)
                         ON CONFLICT (event_id, name) DO UPDATE SET price_minor = $3,
                             currency = $4, capacity = $5, on_sale = $6,
                             code_kind = COALESCE($7, products.code_kind)",
                        params![
                            event_id,
                            name,
                            price.minor,
                            price.currency,
                            capacity,
                            on_sale,
                            codes,
                            codes.unwrap_or(CodeKind::Static)
                        ],
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
                    let sql = "SELECT name, price_minor, currency, capacity, on_sale, code_kind
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

    /// Events with something on sale that are not over, of every company, in the order they start,
    /// with all their products by name.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn sales(&self) -> Result<Vec<(Event, Vec<ProductSales>)>> {
        let now = self.now();
        self.store
            .read("product.on_sale", |tx| {
                Box::pin(async move {
                    let events = event::on_sale(tx, now).await?;
                    with_products(tx, events, now).await
                })
            })
            .await
    }

    /// A company's events that are not over, in the order they start, with all their products by
    /// name.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn company_sales(
        &self,
        company_id: CompanyId,
    ) -> Result<Vec<(Event, Vec<ProductSales>)>> {
        let now = self.now();
        self.store
            .read("product.of_company", |tx| {
                Box::pin(async move {
                    let events = event::coming(tx, company_id, now).await?;
                    with_products(tx, events, now).await
                })
            })
            .await
    }
}

struct ProductRow {
    event_id: EventId,
    product: Product,
}

impl FromRow for ProductRow {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { event_id: row.get("event_id")?, product: Product::from_row(row)? })
    }
}

/// Puts products to events that are not over: two statements, however many events there are.
async fn with_products(
    tx: &mut Tx<'_>,
    events: Vec<Event>,
    now: Timestamp,
) -> Result<Vec<(Event, Vec<ProductSales>)>> {
    let sql = "SELECT p.event_id, p.name, p.price_minor, p.currency, p.capacity, p.on_sale,
                      p.code_kind
               FROM products p JOIN events e ON e.id = p.event_id
               WHERE e.ends_at > $1 ORDER BY p.name";
    let products: Vec<ProductRow> = tx.fetch_all(sql, params![now]).await?;
    let sql = concat!(
        "SELECT t.event_id, t.product, CAST(SUM(t.party_size) AS BIGINT)
         FROM events e JOIN tickets t ON t.event_id = e.id JOIN orders o ON o.id = t.order_id
         WHERE e.ends_at > $1 AND ",
        takes_a_place!("$1"),
        " GROUP BY t.event_id, t.product"
    );
    let taken: Vec<(EventId, String, u32)> = tx.fetch_all(sql, params![now]).await?;
    let taken: HashMap<(EventId, String), u32> =
        taken.into_iter().map(|(event, product, people)| ((event, product), people)).collect();
    let mut of_event: HashMap<EventId, Vec<ProductSales>> = HashMap::new();
    for ProductRow { event_id, product } in products {
        let taken = taken.get(&(event_id, product.name.clone())).copied().unwrap_or(0);
        of_event.entry(event_id).or_default().push(ProductSales { product, taken });
    }
    let with = |event: Event| {
        let products = of_event.remove(&event.id).unwrap_or_default();
        (event, products)
    };
    Ok(events.into_iter().map(with).collect())
}

/// One product of an event.
pub(crate) async fn find(tx: &mut Tx<'_>, event_id: EventId, name: &str) -> Result<Product> {
    let sql = "SELECT name, price_minor, currency, capacity, on_sale, code_kind FROM products
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
    let sql = concat!(
        "SELECT COALESCE(CAST(SUM(t.party_size) AS BIGINT), 0)
         FROM tickets t JOIN orders o ON o.id = t.order_id
         WHERE t.event_id = $1 AND t.product = $2 AND ",
        takes_a_place!("$3")
    );
    let (taken,): (u32,) = tx.fetch_one(sql, params![event_id, name, now]).await?;
    Ok(taken)
}
