//! Enrolling, on three nodes: a palm is stored if nobody of the company has it already. And settling
//! what was begun earlier.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use handfast_model::{CompanyId, GalleryId, RelyingParty, Timestamp};
use handfast_palm::Side;

use super::dealing::{Challenges, Device, Use, deal_enrolment, seal};
use super::directory::Palm;
use super::operating::Done;
use super::records::{self, PendingEnrolment};
use super::searching::{Opened, Query, Standing};
use super::{Capture, Inner, SplitVault};
use crate::VaultError;
use crate::dealer::Enrolments;
use crate::enrolment::{EnrolOutcome, EnrolledPalm};
use crate::gallery::{Gallery, NewGallery};
use crate::gallery_records::{self, ArmingRow};
use crate::node::{
    Change, DeviceName, Enrolment, GalleryName, GalleryPurpose, OperationName, Reason, Sought,
};

/// What the nodes are asked for one enrolment: templates are gone by now.
struct Sealed {
    /// A duplicate check a palm. Its last vector is the reference, which the nodes keep of it.
    queries: Vec<Query>,
    sides: Vec<Side>,
    at: Standing,
    /// Who captured, and under which consent.
    by: (DeviceName, [u8; 16]),
}

impl SplitVault {
    /// As [`Vault::enrol`](crate::Vault::enrol).
    pub(crate) async fn enrol(
        &self,
        company: CompanyId,
        palms: Enrolments,
        until: Timestamp,
    ) -> Result<EnrolOutcome, VaultError> {
        let capture = self.1;
        self.to_the_end(move |inner| inner.enrol(company, palms, until, capture)).await
    }
}

impl Inner {
    async fn enrol(
        self: Arc<Self>,
        company: CompanyId,
        palms: Enrolments,
        until: Timestamp,
        capture: Capture,
    ) -> Result<EnrolOutcome, VaultError> {
        let _one_change = self.changes.lock().await;
        let now = self.clock.now();
        if until <= now {
            return Err(VaultError::UntilPassed);
        }
        self.settle().await?;
        let gallery = self.ensure_enrolment_gallery(company).await?;
        let id = gallery.spec.gallery;
        let palms_max = gallery.spec.policy.palms_max;
        let armed = self.directory().armed(id, now);
        if armed + palms.palms().len() > palms_max as usize {
            return Err(VaultError::GalleryFull { gallery: id, palms_max });
        }
        let device = self.device(capture).await?;
        let sealed = self.seal_enrolments(id, palms, &device, capture.consent).await?;
        let mut checked_at = sealed.at.head.number;
        for query in &sealed.queries {
            let (opened, at) = self.search(query, sealed.at).await?;
            if opened != Opened::Nothing {
                return Ok(EnrolOutcome::AlreadyEnrolled);
            }
            // The first check is the oldest: nobody else may have been enrolled since.
            checked_at = checked_at.min(at.head.number);
        }
        self.store_palms(company, id, until, sealed, checked_at).await.map(EnrolOutcome::Enrolled)
    }

    /// The company's gallery for duplicate checks, made at its first enrolment.
    async fn ensure_enrolment_gallery(&self, company: CompanyId) -> Result<Gallery, VaultError> {
        let found = self.directory().galleries.of_duplicate_checks(company);
        if let Some(gallery) = found {
            return Ok(gallery);
        }
        self.add_gallery(NewGallery::of_duplicate_checks(company, &*self.clock, &*self.random))
            .await
    }

    /// Deals and seals everything of an enrolment; the templates are zeroed when this returns.
    async fn seal_enrolments(
        &self,
        gallery: GalleryId,
        palms: Enrolments,
        device: &Device,
        consent: [u8; 16],
    ) -> Result<Sealed, VaultError> {
        let random = &*self.random;
        let gallery = GalleryName::from(gallery);
        let sides: Vec<Side> = palms.palms().iter().map(|palm| palm.side()).collect();
        let mut dealt = Vec::with_capacity(sides.len());
        for palm in palms.palms() {
            dealt.push(deal_enrolment(palm.probes(), palm.reference(), random)?);
        }
        drop(palms);
        let mut queries = Vec::with_capacity(sides.len());
        let (nodes, deployment) = (&self.nodes, &*self.deployment);
        let mut at: Option<Standing> = None;
        for (side, dealt) in sides.iter().zip(dealt) {
            let challenges = Challenges::fetch(nodes, deployment).await?;
            self.heard_epoch(challenges.epoch());
            let now = Standing { head: challenges.head(), epoch: challenges.epoch() };
            // All checks of a person are made at one operation, which the last challenges name.
            at = Some(now);
            let mut nonce = [0; 16];
            random.fill(&mut nonce);
            let query = challenges.query(&nonce);
            let usage = Use {
                purpose: GalleryPurpose::Enrolment as u8,
                gallery,
                nonce,
                amount: [0; 32],
                consent,
                query: query.0,
            };
            let shares = seal(dealt, &usage, &challenges, deployment, device, random)?;
            let (side, sought, shares) = (*side, Sought::Duplicate, Some(shares));
            queries.push(Query { name: query, gallery, side, sought, nonce, shares });
        }
        let at = at.ok_or(VaultError::NotDealt)?;
        let by = (device.name, consent);
        Ok(Sealed { queries, sides, at, by })
    }

    async fn store_palms(
        &self,
        company: CompanyId,
        gallery: GalleryId,
        until: Timestamp,
        sealed: Sealed,
        checked_at: u64,
    ) -> Result<Vec<EnrolledPalm>, VaultError> {
        let Sealed { queries, sides, by: (device, consent), .. } = sealed;
        let name = OperationName::draw(&*self.random);
        let pending = &PendingEnrolment { name, company, gallery, sides, until };
        let recorded = self.store.transaction("front.begin_enrolment", |tx| {
            Box::pin(async move { records::insert_enrolment(tx, pending).await })
        });
        recorded.await?;
        let change = Change::Enrol(Enrolment {
            gallery: GalleryName::from(gallery),
            first_slot: 0,
            sides: pending.sides.clone(),
            until,
            consent,
            device,
            checks: queries.iter().map(|query| query.name).collect(),
            checked_at,
        });
        match self.nodes.operate(name, &change, None).await {
            Ok(done) => self.finish_enrolment(pending, done).await,
            Err(error) => {
                if super::changes::is_final(&error) {
                    self.forget_enrolment(name).await?;
                }
                Err(self.noted(error))
            }
        }
    }

    async fn forget_enrolment(&self, name: OperationName) -> Result<(), VaultError> {
        let forgotten = self.store.transaction("front.forget_enrolment", |tx| {
            Box::pin(async move { records::delete_enrolment(tx, name).await })
        });
        Ok(forgotten.await?)
    }

    /// Has the company's tokens of new palms delivered, and takes them into the directory.
    async fn finish_enrolment(
        &self,
        pending: &PendingEnrolment,
        done: Done,
    ) -> Result<Vec<EnrolledPalm>, VaultError> {
        let party = RelyingParty::Company(pending.company);
        let mut palms = Vec::with_capacity(pending.sides.len());
        for (slot, side) in (done.first_slot..).zip(pending.sides.iter().copied()) {
            let delivered =
                self.delivered(pending.gallery, side, slot, self.after(done.head)).await;
            let token = match delivered {
                Ok(token) => token,
                Err(error) => {
                    self.settled.store(false, Ordering::Release);
                    return Err(error);
                }
            };
            palms.push(Palm { slot, company: pending.company, token, side, deletion: None });
        }
        let sealed: Vec<[Vec<u8>; 2]> = palms
            .iter()
            .map(|palm| {
                let known = self.seal.seal_known(party, palm.slot, palm.token, &*self.random);
                [self.seal.seal_palm(palm, &*self.random), known]
            })
            .collect();
        let (sealed, stored) = (&sealed, &palms);
        let recorded = self.store.transaction("front.enrol", |tx| {
            Box::pin(async move {
                for (palm, [token, known]) in stored.iter().zip(sealed) {
                    records::insert_palm(tx, palm, token).await?;
                    records::insert_known(tx, party, palm.slot, known).await?;
                    let (gallery, slot) = (pending.gallery, records::id_of(palm.slot));
                    let arming = ArmingRow { gallery, slot, until: pending.until };
                    gallery_records::arm(tx, arming).await?;
                }
                records::delete_enrolment(tx, pending.name).await
            })
        });
        recorded.await?;
        let mut directory = self.directory_mut();
        let take = |palm: Palm| {
            directory.add_palm(palm);
            directory.add_known(party, palm.token, palm.slot);
            directory.arm(pending.gallery, palm.slot, pending.until);
            EnrolledPalm { side: palm.side, token: palm.token }
        };
        Ok(palms.into_iter().map(take).collect())
    }

    /// Waits its turn, then [`Inner::settle`].
    pub(super) async fn settled(&self) -> Result<(), VaultError> {
        if self.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one_change = self.changes.lock().await;
        self.settle().await
    }

    /// Ends what was begun earlier: makes this device known, and asks what became of enrolments and
    /// deletions. The caller holds [`Inner::changes`].
    pub(super) async fn settle(&self) -> Result<(), VaultError> {
        self.nodes.check_all_up()?;
        if self.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        self.nodes.wait_for_each_other().await?;
        let standing = self.standing().await?;
        self.heard_epoch(standing.epoch);
        self.provision().await?;
        for pending in records::pending_enrolments(&self.store).await? {
            match self.nodes.outcome(pending.name).await? {
                Some(done) => drop(self.finish_enrolment(&pending, done).await?),
                None => self.forget_enrolment(pending.name).await?,
            }
        }
        let deletions = self.directory().deletions();
        for (name, _) in deletions {
            self.finish_deletion(name).await?;
        }
        self.settled.store(true, Ordering::Release);
        Ok(())
    }

    /// Lets this front's device deal shares, where the nodes do not know it yet.
    async fn provision(&self) -> Result<(), VaultError> {
        let own = self.devices.own();
        let key = own.key.verifying_key().to_bytes();
        let change = Change::ProvisionDevice { device: own.name, key };
        // One name for one device: asked again after a start, it is not done again.
        let name = OperationName(own.name.0);
        match self.nodes.operate(name, &change, None).await {
            Err(VaultError::Refused { refusal, .. } | VaultError::GivenUp { refusal })
                if refusal.reason == Reason::Exists =>
            {
                Ok(())
            }
            done => done.map(drop),
        }
    }
}
