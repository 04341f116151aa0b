//! Lanes: one queue each at a gate.

use handfast_model::{GateId, LaneId, VenueId};
use handfast_store::{Tx, from_row, params};

use crate::company::check_name;
use crate::presence::Passing;
use crate::{BoxOffice, BoxOfficeError, Result, Thing, gate};

handfast_store::text_enum! {
    /// Where people go on from a lane.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Direction {
        /// Straight ahead.
        Straight = "straight",
        /// To the left.
        Left = "left",
        /// To the right.
        Right = "right",
    }
}

/// One queue at a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its id.
    pub id: LaneId,
    /// Its gate.
    pub gate_id: GateId,
    /// Its name as people know it.
    pub name: String,
    /// Where people go on from it.
    pub direction: Direction,
}

from_row!(Lane { id, gate_id, name, direction });

impl BoxOffice {
    /// Adds a lane to a gate. It admits the `products` only, or all where the list is empty.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::Unknown`] for an unknown gate.
    pub async fn create_lane(
        &self,
        gate_id: GateId,
        name: &str,
        direction: Direction,
        products: &[&str],
    ) -> Result<Lane> {
        let name = check_name("a lane's name", name)?;
        for product in products {
            check_name("a product's name", product)?;
        }
        let id = LaneId::new(&*self.clock, &*self.random);
        let lane = &Lane { id, gate_id, name, direction };
        self.store
            .transaction("lane.create", |tx| {
                Box::pin(async move {
                    gate::find(tx, gate_id).await?;
                    insert(tx, lane, products).await?;
                    Ok(lane.clone())
                })
            })
            .await
    }

    /// Sets which way people pass a lane; in, unless this says otherwise.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn set_lane_passing(&self, id: LaneId, passing: Passing) -> Result<()> {
        self.store
            .transaction("lane.set_passing", |tx| {
                Box::pin(async move {
                    let sql = "UPDATE lanes SET passing = $2 WHERE id = $1";
                    match tx.execute(sql, params![id, passing]).await? {
                        0 => Err(BoxOfficeError::Unknown(Thing::Lane)),
                        _ => Ok(()),
                    }
                })
            })
            .await
    }

    /// A venue's lanes, oldest first.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn lanes(&self, venue_id: VenueId) -> Result<Vec<Lane>> {
        self.store
            .read("lane.of_venue", |tx| {
                Box::pin(async move {
                    let sql = "SELECT l.id, l.gate_id, l.name, l.direction
                               FROM lanes l JOIN gates g ON g.id = l.gate_id
                               WHERE g.venue_id = $1 ORDER BY l.id";
                    Ok(tx.fetch_all(sql, params![venue_id]).await?)
                })
            })
            .await
    }
}

async fn insert(tx: &mut Tx<'_>, lane: &Lane, products: &[&str]) -> Result<()> {
    tx.execute(
        "INSERT INTO lanes (id, gate_id, name, direction) VALUES ($1, $2, $3, $4)",
        params![lane.id, lane.gate_id, lane.name, lane.direction],
    )
    .await?;
    for product in products {
        tx.execute(
            "INSERT INTO lane_products (lane_id, product) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![lane.id, product.trim()],
        )
        .await?;
    }
    Ok(())
}

/// The venue a lane leads into.
pub(crate) async fn venue_of(tx: &mut Tx<'_>, id: LaneId) -> Result<VenueId> {
    let sql = "SELECT g.venue_id FROM lanes l JOIN gates g ON g.id = l.gate_id WHERE l.id = $1";
    let venue: Option<(VenueId,)> = tx.fetch_optional(sql, params![id]).await?;
    venue.map(|(id,)| id).ok_or(BoxOfficeError::Unknown(Thing::Lane))
}

/// The products a lane admits; empty where it admits all.
pub(crate) async fn products(tx: &mut Tx<'_>, id: LaneId) -> Result<Vec<String>> {
    let sql = "SELECT product FROM lane_products WHERE lane_id = $1";
    let products: Vec<(String,)> = tx.fetch_all(sql, params![id]).await?;
    Ok(products.into_iter().map(|(product,)| product).collect())
}
