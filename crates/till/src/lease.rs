//! Which processes are alive: each renews a lease in the database, so that several may serve one
//! till and none gives up what another is still sending.

use handfast_model::Duration;
use handfast_store::params;

use crate::Till;
use crate::error::TillError;

/// How long a process counts as alive after it last said so: many rounds of [`Till::resolve_due`],
/// and soon enough that what a dead one left open is found out while people still stand there.
pub const LEASE: Duration = Duration::from_secs(10);

impl Till {
    /// Says that this process is alive, and forgets those that have long not said so. Call it every
    /// second or two, whatever else takes its time.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn renew_lease(&self) -> Result<(), TillError> {
        let (now, instance) = (self.now(), &*self.instance);
        self.store
            .transaction("lease.renew", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO till_instances (instance_id, lease_until) VALUES ($1, $2) \
                         ON CONFLICT (instance_id) DO UPDATE SET lease_until = excluded.lease_until",
                        params![instance, now + LEASE],
                    )
                    .await?;
                    tx.execute(
                        "DELETE FROM till_instances WHERE lease_until <= $1",
                        params![now],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Ends the lease: whatever this process left open may be looked into at once. Call it when
    /// the process stops in good order.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn end_lease(&self) -> Result<(), TillError> {
        let instance = &*self.instance;
        self.store
            .transaction("lease.end", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "DELETE FROM till_instances WHERE instance_id = $1",
                        params![instance],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}
