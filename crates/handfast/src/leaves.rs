//! What the transparency log is told: one method for each thing that leaves a leaf. A leaf names
//! nobody; what opens it is kept for the person it is about ([`handfast_trust`]).

use handfast_boxoffice::{Biometrics, Consent, Device, DueDeletion, Link, Role, Scope, WideAct};
use handfast_model::{AccountId, CompanyId, EventId, GalleryId, LinkId, ShopId, VenueId};
use handfast_tlog::{
    AccessReason, AuditTag, AuditTags, DeletionCause, DemandOutcome, PublicText, Purpose, Rule,
    StaffRole, Statement, Step, TAGS_MAX,
};
use handfast_trust::{
    AgeRecord, ConsentRecord, ConsentScope, Promised, Record, SignedPart, SignedTag, SignedTags,
    TrustError,
};
use handfast_vault::{DeletionReceipt, PalmIdentification, SignedTagPart, ThresholdPolicy};
use sha2::{Digest as _, Sha256};

use crate::http::access::StaffCaller;
use crate::hub::Hub;
use crate::linking::{LinkingError, RECEIPT_LOST};

impl Hub {
    /// Logs that galleries were searched, with the tags by which the person who was found recognises
    /// the search, before anything that was found may be told. `found` goes gallery by gallery.
    pub(crate) async fn promise_search(
        &self,
        purpose: Purpose,
        galleries: &[GalleryId],
        device: &Device,
        found: &[PalmIdentification],
    ) -> Result<Vec<Promised>, TrustError> {
        let (place, at) = (&place_of(device), self.clock.now());
        let palms = found.len() / galleries.len().max(1);
        let promising =
            galleries.iter().zip(found.chunks(palms.max(1))).map(|(&gallery, found)| {
                let record = Record::Use {
                    purpose: word_of(purpose),
                    place: place.clone(),
                    at,
                    tags: self.signed_tags(found),
                };
                async move {
                    // A gallery that nobody opened yet is searched in vain.
                    let searched = self.vault.armed(gallery).await.unwrap_or(0);
                    let statement = Statement::Identify {
                        purpose,
                        place: self.trust.label(&gallery),
                        searched: count(searched),
                        tags: tags_of(found),
                    };
                    self.trust.promise(statement, &record).await
                }
            });
        // Together, so that the log makes them durable at once.
        futures_util::future::try_join_all(promising).await
    }

    /// What the nodes signed of the tags of these palms; none where one machine matches in clear.
    fn signed_tags(&self, found: &[PalmIdentification]) -> Option<SignedTags> {
        let deployment = self.vault.deployment()?.id().to_bytes();
        let searches = found.iter().take(TAGS_MAX).map(|palm| {
            let handfast_vault::AuditTag { query, tag, parts } = palm.audit;
            let parts = parts?.map(|SignedTagPart { part, signature }| {
                let mut signed: SignedPart = [0; 80];
                signed[..16].copy_from_slice(&part);
                signed[16..].copy_from_slice(&signature);
                signed
            });
            Some(SignedTag { query, tag, parts })
        });
        Some(SignedTags { deployment, searches: searches.collect::<Option<_>>()? })
    }

    /// Logs that palms were enrolled and linked, under this consent. The leaf is owed where the log
    /// fails; then nothing is armed until the log is back ([`Hub::note_arming`]).
    pub(crate) async fn log_enrolment(
        &self,
        account: AccountId,
        link: LinkId,
        venue: VenueId,
    ) -> Result<(), LinkingError> {
        let Some(link) = self.link(account, link).await? else { return Ok(()) };
        let statement =
            Statement::Enrol { place: self.trust.label(&venue), palms: count(link.palms.len()) };
        let record = self.consent_record(&link, &link.consent).await?;
        Ok(self.trust.record(link.id, statement, &record).await?)
    }

    /// Logs that a person changed how far their consent reaches. What it reaches now is armed only
    /// once this leaf is promised.
    pub(crate) async fn log_consent_change(
        &self,
        account: AccountId,
        link: LinkId,
    ) -> Result<(), LinkingError> {
        let Some(link) = self.link(account, link).await? else { return Ok(()) };
        let statement = Statement::Arm {
            purpose: Purpose::Entry,
            place: self.trust.label(&link.company_id),
            palms: count(link.palms.len()),
        };
        let record = self.consent_record(&link, &link.consent).await?;
        Ok(self.trust.record(link.id, statement, &record).await?)
    }

    async fn link(&self, account: AccountId, id: LinkId) -> Result<Option<Link>, LinkingError> {
        let links = self.boxoffice.links(account).await?;
        Ok(links.into_iter().find(|link| link.id == id))
    }

    async fn consent_record(&self, link: &Link, consent: &Consent) -> Result<Record, LinkingError> {
        Ok(Record::Consent(Box::new(ConsentRecord {
            consent_id: consent.id.to_string(),
            link_id: link.id.to_string(),
            controller: self.company_name(link.company_id).await?,
            text_version: consent.text_version.clone(),
            language: consent.language.as_str().to_owned(),
            purposes: consent.purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect(),
            scope: consent.scope.map_or(Some(ConsentScope::Shops), |scope| Some(scope_of(scope))),
            given_at: consent.given_at,
            until: consent.until,
            withdraw_at: format!("{}/portal", self.public_url),
            age: consent.age.map(|age| AgeRecord {
                said: age.said.as_str().to_owned(),
                by: age.by.as_str().to_owned(),
                at: age.at,
            }),
        })))
    }

    async fn company_name(&self, id: CompanyId) -> Result<String, LinkingError> {
        let companies = self.boxoffice.companies().await?;
        let company = companies.into_iter().find(|company| company.id == id);
        Ok(company.map(|company| company.name).unwrap_or_default())
    }

    /// Logs that palms are put into an event's gallery or taken out, before they are.
    pub(crate) async fn note_arming(
        &self,
        event: EventId,
        armed: bool,
        palms: usize,
    ) -> Result<(), TrustError> {
        let place = self.trust.label(&GalleryId::from(event));
        let (purpose, palms) = (Purpose::Entry, count(palms));
        let statement = match armed {
            true => Statement::Arm { purpose, place, palms },
            false => Statement::Disarm { purpose, place, palms },
        };
        self.note(statement).await
    }

    /// Logs that a link's palms may pay at a shop from now on, under the payment consent.
    pub(crate) async fn log_payment_arming(
        &self,
        account: AccountId,
        link: &Link,
        shop: ShopId,
    ) -> Result<(), LinkingError> {
        let statement = Statement::Arm {
            purpose: Purpose::Payment,
            place: self.trust.label(&GalleryId::from(shop)),
            palms: count(link.palms.len()),
        };
        let Some(consent) = self.boxoffice.payment_consent(account).await? else {
            return Ok(());
        };
        let record = self.consent_record(link, &consent).await?;
        let promised = self.trust.promise(statement, &record).await?;
        Ok(self.trust.keep(link.id, promised).await?)
    }

    /// Logs that a link's palms pay at a shop no more.
    pub(crate) async fn log_payment_disarming(
        &self,
        link: &Link,
        shop: ShopId,
        name: &str,
    ) -> Result<(), TrustError> {
        let statement = Statement::Disarm {
            purpose: Purpose::Payment,
            place: self.trust.label(&GalleryId::from(shop)),
            palms: count(link.palms.len()),
        };
        let place = name.to_owned();
        let record = Record::Arming { armed: false, purpose: "payment", place, until: None };
        self.trust.record(link.id, statement, &record).await
    }

    /// Logs that a link's palms were destroyed: it has happened, so the leaf is owed where the log
    /// fails. Without the vault's receipt, which a crash swallowed, the leaf says so.
    pub(crate) async fn log_deletion(
        &self,
        due: &DueDeletion,
        receipt: Option<&DeletionReceipt>,
        cause: DeletionCause,
    ) -> Result<(), TrustError> {
        let palms = receipt.map_or(count(due.palms.len()), |receipt| receipt.palms);
        let lost = || (RECEIPT_LOST.to_owned(), self.clock.now(), RECEIPT_LOST);
        let (receipt_id, deleted_at, statement) = receipt.map_or_else(lost, |receipt| {
            (receipt.receipt.to_string(), receipt.deleted_at, receipt.statement())
        });
        let statement = statement.to_owned();
        let record = Record::Deletion { receipt_id, palms, deleted_at, statement };
        self.trust.record(due.link_id, Statement::Delete { cause, palms }, &record).await
    }

    /// Logs the artist's switch, before it is answered.
    pub(crate) async fn note_switch(
        &self,
        event: EventId,
        to: Biometrics,
    ) -> Result<(), TrustError> {
        let to = match to {
            Biometrics::Allowed => handfast_tlog::Biometrics::Allowed,
            Biometrics::Forbidden => handfast_tlog::Biometrics::Forbidden,
        };
        let event = self.trust.label(&GalleryId::from(event));
        self.note(Statement::BiometricsSwitched { event, to }).await
    }

    /// Logs which program runs from now on: its version, and the hash of its file.
    pub(crate) async fn note_software(&self) -> anyhow::Result<()> {
        let digest = tokio::task::spawn_blocking(|| {
            let program = std::fs::read(std::env::current_exe()?)?;
            Ok::<[u8; 32], std::io::Error>(Sha256::digest(&program).into())
        });
        let statement = Statement::SoftwareVersion {
            component: PublicText::new("handfast hub")?,
            version: PublicText::new(env!("CARGO_PKG_VERSION"))?,
            digest: digest.await??,
        };
        Ok(self.note(statement).await?)
    }

    /// Logs the rules that this program follows, as far as they are others than those that were
    /// followed before: thresholds, sizes and search budgets of galleries, how long a palm may sleep,
    /// and the youngest age.
    pub(crate) async fn note_rules(&self) -> Result<(), TrustError> {
        use handfast_vault::Purpose as For;
        let galleries = [
            (For::DuplicateCheck, Rule::DuplicateThreshold, ThresholdPolicy::DUPLICATE_CHECK),
            (For::Entry, Rule::EntryThreshold, ThresholdPolicy::ENTRY),
            (For::Payment, Rule::PaymentThreshold, ThresholdPolicy::PAYMENT),
        ];
        for (purpose, rule, policy) in galleries {
            let place = self.trust.label(&purpose.as_str());
            // One machine that matches in clear keeps no budgets.
            if self.vault.deployment().is_some() {
                let hourly = i64::from(purpose.searches_hourly().device_hourly);
                self.trust.note_rule(Rule::SearchBudget, place, hourly).await?;
            }
            let score = i64::from(policy.thresholds().identify);
            self.trust.note_rule(rule, place, score).await?;
            let palms = i64::from(policy.palms_max);
            self.trust.note_rule(Rule::GallerySizeMax, place, palms).await?;
        }
        let everywhere = self.trust.label(&"everywhere");
        let days = self.retention.dormant_days();
        self.trust.note_rule(Rule::DormantDays, everywhere, days).await?;
        let years = i64::from(self.retention.minimum_age(None));
        self.trust.note_rule(Rule::MinimumAge, everywhere, years).await.map(drop)
    }

    /// Logs the youngest age of a venue, before it is followed.
    pub(crate) async fn note_minimum_age(
        &self,
        venue: VenueId,
        years: u32,
    ) -> Result<(), TrustError> {
        let (place, years) = (self.trust.label(&venue), i64::from(years));
        self.trust.note_rule(Rule::MinimumAge, place, years).await.map(drop)
    }

    /// Logs that one of the staff asked for something that touches many people, or that another
    /// decided it, before it is.
    pub(crate) async fn note_four_eyes(
        &self,
        step: Step,
        act: &WideAct,
        people: usize,
    ) -> Result<(), TrustError> {
        let act = match act {
            WideAct::EndPalmsOfEvent { .. } => handfast_tlog::WideAct::EndPalms,
            WideAct::SwitchAllEvents { .. } => handfast_tlog::WideAct::SwitchAllEvents,
            WideAct::SetMinimumAge { .. } => handfast_tlog::WideAct::MinimumAge,
            WideAct::Disclose { .. } => handfast_tlog::WideAct::Disclosure,
            WideAct::ExportOrders { .. } => handfast_tlog::WideAct::ExportOrders,
        };
        self.note(Statement::FourEyes { step, act, people: count(people) }).await
    }

    /// Logs that the vault's nodes renewed their shares, once it was heard of.
    pub(crate) async fn note_refresh(&self) -> Result<(), TrustError> {
        match self.vault.share_epoch() {
            Some(epoch) => self.trust.note_epoch(epoch).await.map(drop),
            None => Ok(()),
        }
    }

    /// Logs that staff read personal data of so many people, before they are shown it. Where the log
    /// fails they are shown nothing.
    pub(crate) async fn note_staff_access(
        &self,
        staff: &StaffCaller,
        reason: AccessReason,
        people: usize,
    ) -> Result<(), TrustError> {
        let role = match staff.role {
            Role::Operator => StaffRole::Operator,
            Role::Steward => StaffRole::Steward,
            Role::Supervisor => StaffRole::Supervisor,
            Role::Clerk => StaffRole::Clerk,
        };
        self.note(Statement::StaffAccess { role, reason, people: count(people) }).await
    }

    /// Logs an authority's demand, about how many people who are known here, and what became of it.
    pub(crate) async fn note_demand(
        &self,
        jurisdiction: PublicText,
        outcome: DemandOutcome,
        people: usize,
    ) -> Result<(), TrustError> {
        self.note(Statement::LegalDemand { jurisdiction, outcome, people: count(people) }).await
    }

    /// A leaf with nothing private in it.
    async fn note(&self, statement: Statement) -> Result<(), TrustError> {
        self.trust.promise(statement, &Record::Nothing).await.map(drop)
    }
}

/// One tag a palm that was looked for. More palms than a leaf has place for are shown by nobody.
fn tags_of(found: &[PalmIdentification]) -> AuditTags {
    let tag = |palm: &PalmIdentification| AuditTag { query: palm.audit.query, tag: palm.audit.tag };
    AuditTags::new(found.iter().take(TAGS_MAX).map(tag).collect()).unwrap_or_default()
}

/// Where a device stands, for the person who used it.
fn place_of(device: &Device) -> String {
    let parts = [Some(&device.venue_name), device.gate_name.as_ref(), device.lane_name.as_ref()];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    match parts.len() {
        1 => format!("{} · {}", device.venue_name, device.name),
        _ => parts.join(" · "),
    }
}

const fn word_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::DuplicateCheck => "duplicate_check",
        Purpose::Entry => "entry",
        Purpose::Payment => "payment",
        Purpose::Age => "age",
        Purpose::Loyalty => "loyalty",
    }
}

const fn scope_of(scope: Scope) -> ConsentScope {
    match scope {
        Scope::Event => ConsentScope::Event,
        Scope::Venue => ConsentScope::Venue,
        Scope::Company => ConsentScope::Company,
    }
}

fn count(palms: usize) -> u32 {
    u32::try_from(palms).unwrap_or(u32::MAX)
}
