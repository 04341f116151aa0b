//! What a ticket would be answered somewhere at some moment, step by step: for whoever writes a rule
//! and wants to see it work. Nothing is recorded, and nobody enters.

use handfast_model::{CompanyId, DeviceId, Timestamp};

use crate::attempt::{Attempt, Parsed};
use crate::gathered::Gathered;
use crate::judgement::{Step, Trace};
use crate::scanned_code::ScannedCode;
use crate::{
    AdmissionTerms, BoxOffice, BoxOfficeError, Outcome, Reason, Result, Thing, device, door,
};

/// A nonce that no attempt is recorded under.
const NONCE: &str = "explanation-only";

/// What the engine would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The answer.
    pub outcome: Outcome,
    /// Why not, where it is a refusal.
    pub reason: Option<Reason>,
    /// Every check that was made, in order.
    pub steps: Vec<Step>,
}

impl BoxOffice {
    /// What this code would be answered at a device of the company at `at`.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's device; [`BoxOfficeError::ApiKey`] for a
    /// revoked one.
    pub async fn explain(
        &self,
        company_id: CompanyId,
        device_id: DeviceId,
        code: &str,
        at: Timestamp,
    ) -> Result<Explanation> {
        let presented = Parsed::Code(ScannedCode::read(code));
        let attempt = &Attempt::new(device_id, NONCE, presented, AdmissionTerms::default())?;
        self.store
            .read("admission.explain", |tx| {
                Box::pin(async move {
                    let device = device::find_working(tx, device_id).await?;
                    if device.company_id != company_id {
                        return Err(BoxOfficeError::Unknown(Thing::Device));
                    }
                    let door = door::at(tx, &device, None, at).await?;
                    let mut trace = Trace::wanted(true);
                    let decided = attempt
                        .decide(tx, &mut Gathered::default(), (&door, at), &mut trace)
                        .await?;
                    let (outcome, reason) = (decided.judgement.outcome, decided.judgement.reason);
                    Ok(Explanation { outcome, reason, steps: trace.into_steps() })
                })
            })
            .await
    }
}
