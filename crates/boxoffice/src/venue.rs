//! Venues.

use handfast_model::{CompanyId, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, Result, Thing};

/// Kiribati is 14 hours ahead; a day is more than any clock.
const OFFSET_MINUTES_MAX: i32 = 24 * 60;

/// A venue of a ticketing company; a relying party of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Its id.
    pub id: VenueId,
    /// Whose venue it is.
    pub company_id: CompanyId,
    /// Its name as people know it.
    pub name: String,
}

from_row!(Venue { id, company_id, name });

impl BoxOffice {
    /// Adds a venue to a company.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::Unknown`] for an unknown company.
    pub async fn create_venue(&self, company_id: CompanyId, name: &str) -> Result<Venue> {
        let name = check_name("a venue's name", name)?;
        self.company(company_id).await?;
        let id = VenueId::new(&*self.clock, &*self.random);
        let venue = &Venue { id, company_id, name };
        self.store
            .transaction("venue.create", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO venues (id, company_id, name) VALUES ($1, $2, $3)",
                        params![venue.id, venue.company_id, venue.name],
                    )
                    .await?;
                    Ok::<_, BoxOfficeError>(())
                })
            })
            .await?;
        Ok(venue.clone())
    }

    /// How many minutes a venue's clocks are ahead of UTC.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn venue_offset(&self, id: VenueId) -> Result<i32> {
        self.store
            .read("venue.offset", |tx| {
                Box::pin(async move {
                    let sql = "SELECT utc_offset_minutes FROM venues WHERE id = $1";
                    let offset: Option<(i32,)> = tx.fetch_optional(sql, params![id]).await?;
                    offset.map(|(minutes,)| minutes).ok_or(BoxOfficeError::Unknown(Thing::Venue))
                })
            })
            .await
    }

    /// Sets how many minutes a venue's clocks are ahead of UTC, at most a day either way.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn set_venue_offset(&self, id: VenueId, minutes: i32) -> Result<()> {
        let minutes = minutes.clamp(-OFFSET_MINUTES_MAX, OFFSET_MINUTES_MAX);
        self.store
            .transaction("venue.set_offset", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE venues SET utc_offset_minutes = $2 WHERE id = $1";
                    match tx.execute(sql, params![id, minutes]).await? {
                        0 => Err(BoxOfficeError::Unknown(Thing::Venue)),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    /// One venue.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn venue(&self, id: VenueId) -> Result<Venue> {
        self.store.read("venue.one", |tx| Box::pin(find(tx, id))).await
    }

    /// A company's venues, oldest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn venues(&self, company_id: CompanyId) -> Result<Vec<Venue>> {
        self.store
            .read("venue.of_company", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, company_id, name FROM venues
                               WHERE company_id = $1 ORDER BY id";
                    Ok(tx.fetch_all(sql, params![company_id]).await?)
                })
            })
            .await
    }
}

/// The venue called `id`.
pub(crate) async fn find(tx: &mut Tx<'_>, id: VenueId) -> Result<Venue> {
    let sql = "SELECT id, company_id, name FROM venues WHERE id = $1";
    let venue = tx.fetch_optional(sql, params![id]).await?;
    venue.ok_or(BoxOfficeError::Unknown(Thing::Venue))
}
