//! Areas: parts of a venue that people are in or not.

use handfast_model::{AreaId, VenueId};
use handfast_store::{from_row, params};

use crate::company::check_name;
use crate::{BoxOffice, Result, venue};

/// A part of a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its id.
    pub id: AreaId,
    /// The venue it is part of.
    pub venue_id: VenueId,
    /// Its name as people know it.
    pub name: String,
}

from_row!(Area { id, venue_id, name });

impl BoxOffice {
    /// Adds an area to a venue.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Text`]; [`crate::BoxOfficeError::Unknown`] for an unknown venue.
    pub async fn create_area(&self, venue_id: VenueId, name: &str) -> Result<Area> {
        let name = check_name("an area's name", name)?;
        let id = AreaId::new(&*self.clock, &*self.random);
        let area = &Area { id, venue_id, name };
        self.store
            .transaction("area.create", |tx| {
                Box::pin(async move {
                    venue::find(tx, venue_id).await?;
                    tx.execute(
                        "INSERT INTO areas (id, venue_id, name) VALUES ($1, $2, $3)",
                        params![area.id, area.venue_id, area.name],
                    )
                    .await?;
                    Ok(area.clone())
                })
            })
            .await
    }

    /// A venue's areas, oldest first.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Store`].
    pub async fn areas(&self, venue_id: VenueId) -> Result<Vec<Area>> {
        self.store
            .read("area.of_venue", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, venue_id, name FROM areas
                               WHERE venue_id = $1 ORDER BY id";
                    Ok(tx.fetch_all(sql, params![venue_id]).await?)
                })
            })
            .await
    }
}
