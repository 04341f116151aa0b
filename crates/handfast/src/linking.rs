//! What box office, vault and till owe each other about linked palms. Everything here can be
//! repeated and interrupted: it is the difference between what should be and what is, carried over.

use std::collections::{BTreeMap, HashSet};

use handfast_boxoffice::{
    Arming, ArmingChanges, BoxOfficeError, Consent, DueDeletion, Ended, Language, Link, LinkState,
    PalmHandle, Scope,
};
use handfast_model::{
    AccountId, CompanyId, EventId, GalleryId, LinkId, PairwiseToken, RelyingParty, Timestamp,
    VenueId,
};
use handfast_till::{ArmedPalm, Shop, TillError};
use handfast_tlog::DeletionCause;
use handfast_trust::{Replay, Retention, TrustError};
use handfast_vault::{
    Capture, DeletionReceipt, NewGallery, Purpose, ThresholdPolicy, Vault, VaultError,
};
use thiserror::Error;

use crate::consent_reference;
use crate::hub::Hub;

mod unlogged;

pub(crate) use self::unlogged::Unlogged;

#[cfg(test)]
mod at_once;
#[cfg(test)]
mod front_elsewhere;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod signed_search;
#[cfg(test)]
mod ten_years;

/// Armings carried before somebody who links a palm gets a turn: about a second's worth.
const CARRIED_AT_ONCE_MAX: usize = 200;

/// Recorded, and told to the person, in place of a deletion receipt that a crash swallowed after the
/// palms were destroyed.
pub(crate) const RECEIPT_LOST: &str = "destroyed before the receipt was recorded";

/// Recorded in place of a receipt where the log told of the deletion before: by then a crash or a
/// backup had made the database forget it. The first leaf holds.
const REPLAYED: &str = "deleted before";

/// Which service could not do its part; the difference stays and is carried over later.
#[derive(Debug, Error)]
pub(crate) enum LinkingError {
    #[error("the box office could not do its part")]
    BoxOffice(#[from] BoxOfficeError),
    #[error("the vault could not do its part")]
    Vault(#[from] VaultError),
    #[error("the till could not do its part")]
    Till(#[from] TillError),
    #[error("the transparency log could not do its part")]
    Trust(#[from] TrustError),
    #[error(
        "the log tells of {count} deletions (first: leaf {first}) that are not in the file \
         `deletions` of the data folder: put the newest copy of that file back beside the databases, \
         so that nobody who left comes back"
    )]
    DeletionsUnknown { count: usize, first: u64 },
}

type Result<T> = std::result::Result<T, LinkingError>;

impl Hub {
    /// Opens an event's gallery in the vault; a repeat is harmless.
    pub(crate) async fn open_event_gallery(&self, venue: VenueId, event: EventId) -> Result<()> {
        let gallery = NewGallery {
            gallery: GalleryId::from(event),
            party: RelyingParty::Venue(venue),
            purpose: Purpose::Entry,
            policy: ThresholdPolicy::ENTRY,
        };
        Ok(self.vault.open_gallery(gallery).await?)
    }

    /// Arms and disarms what changed for one account, at events and at shops.
    pub(crate) async fn carry_armings_of(&self, account: AccountId) -> Result<()> {
        {
            let _alone = self.carrying.lock().await;
            let changes = self.boxoffice.arming_changes_of(account).await?;
            self.carry(changes).await?;
        }
        self.carry_shop_armings_of(account).await
    }

    /// Arms and disarms everything that changed, a part at a time: whoever links a palm meanwhile
    /// waits for one part, not for all.
    pub(crate) async fn carry_armings(&self) -> Result<()> {
        loop {
            let _alone = self.carrying.lock().await;
            let mut changes = self.boxoffice.arming_changes().await?;
            let in_all = changes.arm.len() + changes.disarm.len();
            changes.disarm.truncate(CARRIED_AT_ONCE_MAX);
            changes.arm.truncate(CARRIED_AT_ONCE_MAX - changes.disarm.len());
            self.carry(changes).await?;
            if in_all <= CARRIED_AT_ONCE_MAX {
                return Ok(());
            }
        }
    }

    /// Carries what can be carried; what failed is the answer, and stays for the next time.
    async fn carry(&self, changes: ArmingChanges) -> Result<()> {
        let mut failed = None;
        self.note_armings(&changes.disarm, false).await?;
        for arming in &changes.disarm {
            failed = self.disarm(arming).await.err().or(failed);
        }
        self.note_armings(&changes.arm, true).await?;
        for arming in &changes.arm {
            failed = self.arm(arming).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// One leaf an event: how many palms, not whose.
    async fn note_armings(&self, armings: &[Arming], armed: bool) -> Result<()> {
        let mut palms: BTreeMap<EventId, usize> = BTreeMap::new();
        for arming in armings {
            *palms.entry(arming.event_id).or_default() += 1;
        }
        for (event, palms) in palms {
            self.note_arming(event, armed, palms).await?;
        }
        Ok(())
    }

    async fn arm(&self, arming: &Arming) -> Result<()> {
        self.open_event_gallery(arming.venue_id, arming.event_id).await?;
        let gallery = GalleryId::from(arming.event_id);
        let Some(consent) = self.boxoffice.consent_of_link(arming.link_id).await? else {
            return Ok(());
        };
        let vault = self.vault_under(&consent);
        let armed = vault.arm(arming.company_id, arming.company_token, gallery, arming.until);
        match armed.await {
            Ok(token) => {
                self.boxoffice.acknowledge_armed(arming, &token).await?;
                Ok(())
            }
            // Its link was deleted since the changes were listed.
            Err(VaultError::PalmUnknown) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The vault, for what is armed under a consent: its nodes keep which.
    fn vault_under(&self, consent: &Consent) -> Vault {
        let consent = consent_reference::of(consent);
        self.vault.captured(Capture { device: None, consent })
    }

    async fn disarm(&self, arming: &Arming) -> Result<()> {
        let gallery = GalleryId::from(arming.event_id);
        let disarmed = self.vault.disarm(arming.company_id, arming.company_token, gallery).await;
        match disarmed {
            // A palm or gallery that the vault does not have is disarmed as well as can be.
            Ok(()) | Err(VaultError::PalmUnknown | VaultError::GalleryUnknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.boxoffice.acknowledge_disarmed(arming).await?)
    }

    /// Lets an account's palms pay, or no more: consent, switch, galleries, in the order that
    /// leaves nothing searched without consent whenever it stops.
    /// `read_in` is the language that the consent's text was read in, where the page says it; the
    /// account's otherwise.
    pub(crate) async fn set_palm_pay(
        &self,
        account: AccountId,
        on: bool,
        read_in: Option<Language>,
    ) -> Result<()> {
        if on {
            let language = match read_in {
                Some(language) => language,
                None => self.boxoffice.account(account).await?.language,
            };
            self.boxoffice.give_payment_consent(account, language).await?;
            self.till.set_palm_pay(account, true).await?;
        } else {
            self.till.set_palm_pay(account, false).await?;
            self.boxoffice.withdraw_payment_consent(account).await?;
        }
        self.carry_shop_armings_of(account).await
    }

    /// Arms an account's palms at the shops where they may pay; disarms them everywhere else.
    pub(crate) async fn carry_shop_armings_of(&self, account: AccountId) -> Result<()> {
        let may_pay = self.till.may_pay_by_palm(account).await?
            && self.boxoffice.payment_consent(account).await?.is_some();
        for link in self.boxoffice.links(account).await? {
            let until = link.consent.until.unwrap_or(Timestamp::MAX);
            let pays = may_pay && link.state == LinkState::Confirmed && self.clock.now() < until;
            let shops = self.shops_of_company(link.company_id).await?;
            let (wanted, others): (Vec<Shop>, Vec<Shop>) =
                shops.into_iter().partition(|shop| pays && reaches(&link, shop));
            let before = self.till.shops_of_link(link.id).await?;
            // Forgetting comes first: what is interrupted here pays nowhere, never too widely.
            self.till.forget_link(link.id).await?;
            for shop in before.iter().filter(|shop| !wanted.iter().any(|to| to.id == shop.shop)) {
                self.log_payment_disarming(&link, shop.shop, &shop.name).await?;
            }
            for shop in &others {
                self.disarm_at_shop(&link, shop).await?;
            }
            for shop in &wanted {
                if !before.iter().any(|known| known.shop == shop.id) {
                    self.log_payment_arming(account, &link, shop.id).await?;
                }
                self.arm_at_shop(account, &link, shop, until).await?;
            }
        }
        Ok(())
    }

    async fn shops_of_company(&self, company: CompanyId) -> Result<Vec<Shop>> {
        let mut shops = Vec::new();
        for venue in self.boxoffice.venues(company).await? {
            shops.extend(self.till.shops_of_venue(venue.id).await?);
        }
        Ok(shops)
    }

    async fn arm_at_shop(
        &self,
        account: AccountId,
        link: &Link,
        shop: &Shop,
        until: Timestamp,
    ) -> Result<()> {
        let gallery = NewGallery {
            gallery: GalleryId::from(shop.id),
            party: RelyingParty::Shop(shop.id),
            purpose: Purpose::Payment,
            policy: ThresholdPolicy::PAYMENT,
        };
        self.vault.open_gallery(gallery).await?;
        let Some(consent) = self.boxoffice.payment_consent(account).await? else {
            return Ok(());
        };
        let vault = self.vault_under(&consent);
        for palm in &link.palms {
            let armed = vault.arm(link.company_id, palm.company_token, shop.id.into(), until);
            let palm = ArmedPalm { shop: shop.id, token: armed.await?, account, link: link.id };
            self.till.acknowledge(&palm).await?;
        }
        Ok(())
    }

    async fn disarm_at_shop(&self, link: &Link, shop: &Shop) -> Result<()> {
        for palm in &link.palms {
            let disarmed =
                self.vault.disarm(link.company_id, palm.company_token, shop.id.into()).await;
            match disarmed {
                Ok(()) | Err(VaultError::PalmUnknown | VaultError::GalleryUnknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Destroys the palms of a link that ended, everywhere, and records the receipt. `None` where
    /// they were destroyed before: by somebody else, or before a crash or a backup.
    ///
    /// In this order, so that a crash in between loses nothing: the decision goes where no backup
    /// takes it back; the till forgets the link; the vault destroys the palms; the leaf is owed; the
    /// box office stops asking.
    pub(crate) async fn carry_deletion(
        &self,
        due: &DueDeletion,
        cause: DeletionCause,
    ) -> Result<Option<DeletionReceipt>> {
        // A person's wish and the background's round must not both log one deletion.
        let _alone = self.deleting.lock().await;
        let cause = self.trust.decide_deletion(due.link_id, cause).await?;
        self.till.forget_link(due.link_id).await?;
        let receipt = self.destroy(due).await?;
        let told_before = self.trust.tells_of_deletion(due.link_id).await?;
        if !told_before {
            self.log_deletion(due, receipt.as_ref(), cause).await?;
        }
        let recorded = match (&receipt, told_before) {
            (_, true) => REPLAYED.to_owned(),
            (Some(receipt), false) => receipt.receipt.to_string(),
            (None, false) => RECEIPT_LOST.to_owned(),
        };
        self.boxoffice.acknowledge_deletion(due.link_id, &recorded).await?;
        Ok(receipt.filter(|_| !told_before))
    }

    /// Has the vault destroy whatever it has of a link's palms; `None` where that is nothing.
    async fn destroy(&self, due: &DueDeletion) -> Result<Option<DeletionReceipt>> {
        let palms: Vec<PairwiseToken> = due.palms.iter().map(|palm| palm.company_token).collect();
        match self.vault.delete(due.company_id, &palms).await {
            Ok(receipt) => return Ok(Some(receipt)),
            // It has not all of them; a backup may have brought back one of two.
            Err(VaultError::PalmUnknown) => {}
            Err(error) => return Err(error.into()),
        }
        let mut last = None;
        for palm in &palms {
            match self.vault.delete(due.company_id, &[*palm]).await {
                Ok(receipt) => last = Some(receipt),
                Err(VaultError::PalmUnknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(last)
    }

    /// Ends links whose time is over, by their consent or by the policy of retention, and destroys
    /// what is due, for example after a crash. One that fails holds up no other; the last failure is
    /// the answer, and everything is tried again next time.
    pub(crate) async fn carry_due_deletions(&self) -> Result<()> {
        self.boxoffice.expire_links().await?;
        self.retire_dormant_links().await?;
        let mut failed = None;
        for due in self.boxoffice.due_deletions().await? {
            let cause = match due.ended {
                Ended::ByPerson => DeletionCause::Person,
                Ended::EventOver => DeletionCause::EventOver,
                Ended::ConsentOver => DeletionCause::ConsentEnded,
                Ended::Dormant => DeletionCause::Dormant,
            };
            failed = self.carry_deletion(&due, cause).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Destroys what opens the leaves of palms that are long deleted. One that is there keeps them,
    /// however long nobody used it: without the opening of its Enrol leaf it would get a second.
    pub(crate) async fn forget_openings(&self) -> Result<()> {
        let before = Retention::openings_kept_since(self.clock.now());
        let living = self.boxoffice.links_made_before(before).await?.into_iter().collect();
        self.trust.forget_all(before, &living).await?;
        Ok(())
    }

    /// Ends the links of palms that nobody used for as long as the policy allows.
    async fn retire_dormant_links(&self) -> Result<()> {
        let since = self.retention.dormant_since(self.clock.now());
        for link in self.boxoffice.links_made_before(since).await? {
            if !self.trust.used_since(link, since).await? {
                self.boxoffice.retire_link(link).await?;
            }
        }
        Ok(())
    }

    /// Brings a database that came back from a backup to where the log is: links whose palms were
    /// deleted since end again, before anything is searched, and whether or not the vault answers.
    /// Their palms are due from then on: [`Hub::carry_due_deletions`] destroys them.
    ///
    /// # Errors
    /// [`LinkingError::DeletionsUnknown`] where the log tells of deletions that nothing here knows
    /// whose they were.
    pub(crate) async fn replay_deletions(&self) -> Result<()> {
        let Replay { links, unknown } = self.trust.deletions();
        if let Some(&first) = unknown.first() {
            return Err(LinkingError::DeletionsUnknown { count: unknown.len(), first });
        }
        let living: HashSet<LinkId> =
            self.boxoffice.links_made_before(Timestamp::MAX).await?.into_iter().collect();
        for link in links.iter().filter(|link| living.contains(link)) {
            tracing::warn!("a palm that was deleted came back with a backup; it is deleted again");
            self.till.forget_link(*link).await?;
            self.boxoffice.retire_link(*link).await?;
        }
        Ok(())
    }

    /// Destroys palms that were just enrolled and whose link was refused; says whether they are gone.
    /// What stays after a failure here, the sweep finds.
    pub(crate) async fn discard_palms(&self, company: CompanyId, palms: &[PalmHandle]) -> bool {
        let tokens: Vec<PairwiseToken> = palms.iter().map(|palm| palm.company_token).collect();
        // A transaction that was repeated after its commit's answer was lost finds its own link.
        if !self.boxoffice.knows_palm(company, &tokens).await.is_ok_and(|known| !known) {
            tracing::warn!("whether new palms have a link is left to the next sweep");
            return false;
        }
        match self.vault.delete(company, &tokens).await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "palms without a link stay until the next sweep");
                false
            }
        }
    }

    /// Destroys palms that no link knows: enrolled just before a crash.
    pub(crate) async fn sweep_palms_without_link(&self) -> Result<()> {
        let _no_enrolment_is_half_done = self.enrolments.write().await;
        for company in self.boxoffice.companies().await? {
            let palms = self.vault.palms(company.id);
            let known: HashSet<PairwiseToken> =
                self.boxoffice.known_palms(company.id).await?.into_iter().collect();
            let stray: Vec<PairwiseToken> =
                palms.into_iter().filter(|palm| !known.contains(palm)).collect();
            if !stray.is_empty() {
                tracing::info!(count = stray.len(), "removing palms that no link knows");
                self.vault.delete(company.id, &stray).await?;
            }
        }
        Ok(())
    }
}

/// Whether a link's consent reaches a shop: that of its own venue, or all of its company's.
fn reaches(link: &Link, shop: &Shop) -> bool {
    link.consent.scope == Some(Scope::Company) || shop.venue == link.venue_id
}
