//! What a pedestal's customer stepped back from while their hand was still searched: the search
//! cannot be called back, but it takes no money any more.

use handfast_model::{ChargeId, Timestamp};
use handfast_store::{Tx, params};

use crate::error::TillError;

/// One session of a pedestal, by a random name. A hand that was held there pays nothing in it
/// once its customer stepped back; in another session it is another hover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PedestalSession([u8; Self::LEN]);

impl PedestalSession {
    /// Bytes of a name: as many as no two sessions share by chance.
    pub const LEN: usize = 16;

    /// The session of this name.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

/// Makes a step-back durable: from now on no hover of the session pays the charge.
pub(crate) async fn remember(
    tx: &mut Tx<'_>,
    session: PedestalSession,
    charge: ChargeId,
    now: Timestamp,
) -> Result<(), TillError> {
    tx.execute(
        "INSERT INTO till_step_backs (charge_id, session, at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
        params![charge, session.0, now],
    )
    .await?;
    Ok(())
}

/// Whether the session's customer stepped back from the charge.
pub(crate) async fn is_remembered(
    tx: &mut Tx<'_>,
    session: PedestalSession,
    charge: ChargeId,
) -> Result<bool, TillError> {
    let found: Option<(Timestamp,)> = tx
        .fetch_optional(
            "SELECT at FROM till_step_backs WHERE charge_id = $1 AND session = $2",
            params![charge, session.0],
        )
        .await?;
    Ok(found.is_some())
}
