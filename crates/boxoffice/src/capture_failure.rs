//! What pedestals report when a capture comes to nothing: a reason, never a person.

use handfast_model::DeviceId;
use handfast_store::params;

use crate::{BoxOffice, BoxOfficeError, Result, device, event};

/// The longest reason: these are words of a fixed list on the pedestal's side.
const REASON_LEN_MAX: usize = 40;

impl BoxOffice {
    /// Records that a capture came to nothing at a pedestal, for the console's counts.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`] for a reason that is not a short word of lower-case letters and
    /// underscores; [`BoxOfficeError::ApiKey`] for a revoked device.
    pub async fn report_capture_failure(&self, device_id: DeviceId, reason: &str) -> Result<()> {
        let plain = reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if reason.is_empty() || reason.len() > REASON_LEN_MAX || !plain {
            return Err(BoxOfficeError::Text { field: "a reason", max: REASON_LEN_MAX });
        }
        let now = self.now();
        self.store
            .transaction("capture_failure.report", |tx| {
                Box::pin(async move {
                    let device = device::find_working(tx, device_id).await?;
                    let open = event::open_at(tx, device.venue_id, now).await?;
                    tx.execute(
                        "INSERT INTO capture_failures (device_id, event_id, reason, at)
                         VALUES ($1, $2, $3, $4)",
                        params![device_id, open.first().map(|event| event.id), reason, now],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }
}
