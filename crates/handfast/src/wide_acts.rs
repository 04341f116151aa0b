//! What touches many people and two of the staff decided: carried out here, repeated until it is whole.

use handfast_boxoffice::{Approval, ApprovalState, WideAct};
use handfast_model::CompanyId;
use handfast_tlog::DeletionCause;

use crate::hub::Hub;
use crate::linking::LinkingError;

type Result<T> = std::result::Result<T, LinkingError>;

impl Hub {
    /// About how many people it is, as far as anybody knows before.
    pub(crate) async fn people_of(&self, company: CompanyId, act: &WideAct) -> Result<usize> {
        Ok(match act {
            WideAct::EndPalmsOfEvent { event_id } => {
                self.boxoffice.links_of_event(company, *event_id).await?.len()
            }
            WideAct::Disclose { people } => usize::try_from(*people).unwrap_or(usize::MAX),
            WideAct::ExportOrders { event_id } => {
                self.boxoffice.export_tickets(company, *event_id).await?.tickets
            }
            WideAct::SwitchAllEvents { .. } | WideAct::SetMinimumAge { .. } => 0,
        })
    }

    /// Carries out what was just approved, if it is still to be done.
    pub(crate) async fn carry_approved_act(&self, company: CompanyId, number: i64) -> Result<()> {
        let _alone = self.acting.lock().await;
        let asked = self.boxoffice.approval(company, number).await?;
        match asked.state {
            ApprovalState::Approved if asked.act.is_immediate() => {
                self.carry_approved(&asked).await
            }
            _ => Ok(()),
        }
    }

    /// Carries out whatever was approved and is not done: in every round, for what a crash cut short.
    /// Each can be repeated.
    pub(crate) async fn carry_approved_acts(&self) -> Result<()> {
        let _alone = self.acting.lock().await;
        let mut failed = None;
        for approved in self.boxoffice.approved_acts().await? {
            failed = self.carry_approved(&approved).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    async fn carry_approved(&self, approved: &Approval) -> Result<()> {
        let company = approved.company_id;
        match &approved.act {
            WideAct::EndPalmsOfEvent { event_id } => {
                for link in self.boxoffice.links_of_event(company, *event_id).await? {
                    // The cause that is written first holds: staff, not the person.
                    self.trust.decide_deletion(link, DeletionCause::Staff).await?;
                    self.boxoffice.end_link_as_staff(link).await?;
                }
                self.carry_due_deletions().await?;
            }
            WideAct::SwitchAllEvents { biometrics } => {
                let now = self.clock.now();
                for event in self.boxoffice.events(company).await? {
                    if event.ends_at > now && event.biometrics != *biometrics {
                        // The leaf first: an event that is switched is passed over in a repetition.
                        self.note_switch(event.id, *biometrics).await?;
                        self.boxoffice.set_biometrics(company, event.id, *biometrics).await?;
                    }
                }
                self.stations.changed();
                self.carry_armings().await?;
            }
            WideAct::SetMinimumAge { venue_id, years } => {
                self.note_minimum_age(*venue_id, *years).await?;
                self.boxoffice.set_minimum_age(company, *venue_id, *years).await?;
            }
            // Whoever asked carries these out.
            WideAct::Disclose { .. } | WideAct::ExportOrders { .. } => return Ok(()),
        }
        tracing::info!("what two of the staff decided was carried out");
        Ok(self.boxoffice.approval_done(company, approved.number).await?)
    }
}
