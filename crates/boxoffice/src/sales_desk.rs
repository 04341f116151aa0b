//! The register that stands nowhere: a company's online orders are booked at it.

use handfast_model::{CompanyId, Currency, DeviceId, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::device::fresh_api_key;
use crate::{BoxOffice, BoxOfficeError, DeviceKind, Result, venue};

/// What the register is called in the books.
const NAME: &str = "Online";

/// Where a company's online orders are booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalesDesk {
    /// Its register; no machine is it.
    pub register: DeviceId,
    /// Where it belongs to.
    pub venue_id: VenueId,
    /// The till's name for its shop.
    pub shop_reference: Option<String>,
    /// The one currency it takes.
    pub currency: Currency,
}

from_row!(SalesDesk { register, venue_id, shop_reference, currency });

/// A desk to be opened.
#[derive(Clone, Copy, Debug)]
pub struct NewSalesDesk<'a> {
    /// At which of the company's venues.
    pub venue_id: VenueId,
    /// What the till is going to call its shop.
    pub shop_reference: &'a str,
    /// The one currency it takes.
    pub currency: Currency,
}

impl BoxOffice {
    /// Opens a company's sales desk; where there is one already, that one comes back, however many
    /// open it at once.
    ///
    /// # Errors
    /// [`BoxOfficeError::Mismatch`] for another company's venue; [`BoxOfficeError::Unknown`].
    pub async fn open_sales_desk(
        &self,
        company_id: CompanyId,
        new: &NewSalesDesk<'_>,
    ) -> Result<SalesDesk> {
        let id = DeviceId::new(&*self.clock, &*self.random);
        // Its key is forgotten here: nobody signs in as this register.
        let (_, hash) = &fresh_api_key(&*self.random);
        let now = self.now();
        self.store
            .transaction("sales_desk.open", |tx| {
                Box::pin(async move {
                    if let Some(desk) = find(tx, company_id).await? {
                        return Ok(desk);
                    }
                    if venue::find(tx, new.venue_id).await?.company_id != company_id {
                        return Err(BoxOfficeError::Mismatch);
                    }
                    tx.execute(
                        "INSERT INTO devices (id, venue_id, name, kind, shop_reference,
                                              api_key_hash, created_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7)",
                        params![
                            id,
                            new.venue_id,
                            NAME,
                            DeviceKind::Register,
                            new.shop_reference,
                            hash,
                            now
                        ],
                    )
                    .await?;
                    tx.execute(
                        "INSERT INTO sales_desks (company_id, device_id, currency)
                         VALUES ($1, $2, $3)",
                        params![company_id, id, new.currency],
                    )
                    .await?;
                    find(tx, company_id).await?.ok_or(BoxOfficeError::NoSalesDesk)
                })
            })
            .await
    }
}

/// A company's desk, if it sells online.
pub(crate) async fn find(tx: &mut Tx<'_>, company_id: CompanyId) -> Result<Option<SalesDesk>> {
    let sql = "SELECT s.device_id AS register, d.venue_id, d.shop_reference, s.currency
               FROM sales_desks s JOIN devices d ON d.id = s.device_id WHERE s.company_id = $1";
    Ok(tx.fetch_optional(sql, params![company_id]).await?)
}

/// Refuses what the company's desk could not take.
pub(crate) async fn check_currency(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    got: Currency,
) -> Result<()> {
    match find(tx, company_id).await? {
        Some(desk) if desk.currency != got => {
            Err(BoxOfficeError::SalesCurrency { expected: desk.currency })
        }
        _ => Ok(()),
    }
}
