//! Gates: places where people enter.

use handfast_model::{AreaId, GateId, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, Result, Thing, venue};

/// A place where people enter a venue, or an area of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Its id.
    pub id: GateId,
    /// The venue it leads into.
    pub venue_id: VenueId,
    /// The area it leads into, where the venue has areas.
    pub area_id: Option<AreaId>,
    /// Its name as people know it.
    pub name: String,
}

from_row!(Gate { id, venue_id, area_id, name });

impl BoxOffice {
    /// Adds a gate to a venue.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::Unknown`] for an unknown venue;
    /// [`BoxOfficeError::Mismatch`] for an area of another venue.
    pub async fn create_gate(
        &self,
        venue_id: VenueId,
        area_id: Option<AreaId>,
        name: &str,
    ) -> Result<Gate> {
        let name = check_name("a gate's name", name)?;
        let id = GateId::new(&*self.clock, &*self.random);
        let gate = &Gate { id, venue_id, area_id, name };
        self.store
            .transaction("gate.create", |tx| {
                Box::pin(async move {
                    venue::find(tx, venue_id).await?;
                    check_area(tx, gate).await?;
                    tx.execute(
                        "INSERT INTO gates (id, venue_id, area_id, name) VALUES ($1, $2, $3, $4)",
                        params![gate.id, gate.venue_id, gate.area_id, gate.name],
                    )
                    .await?;
                    Ok(gate.clone())
                })
            })
            .await
    }

    /// A venue's gates, oldest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn gates(&self, venue_id: VenueId) -> Result<Vec<Gate>> {
        self.store
            .read("gate.of_venue", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, venue_id, area_id, name FROM gates
                               WHERE venue_id = $1 ORDER BY id";
                    Ok(tx.fetch_all(sql, params![venue_id]).await?)
                })
            })
            .await
    }
}

/// The gate called `id`.
pub(crate) async fn find(tx: &mut Tx<'_>, id: GateId) -> Result<Gate> {
    let sql = "SELECT id, venue_id, area_id, name FROM gates WHERE id = $1";
    let gate = tx.fetch_optional(sql, params![id]).await?;
    gate.ok_or(BoxOfficeError::Unknown(Thing::Gate))
}

async fn check_area(tx: &mut Tx<'_>, gate: &Gate) -> Result<()> {
    let Some(area_id) = gate.area_id else { return Ok(()) };
    let sql = "SELECT id FROM areas WHERE id = $1 AND venue_id = $2";
    let area: Option<(AreaId,)> = tx.fetch_optional(sql, params![area_id, gate.venue_id]).await?;
    area.map(drop).ok_or(BoxOfficeError::Mismatch)
}
