//! Identifying and verifying, on three nodes.

use std::sync::Arc;

use handfast_model::{GalleryId, PairwiseToken};
use handfast_mpc::Dealt;
use handfast_palm::Side;
use tokio::task::JoinSet;

use super::dealing::{Challenges, Device, Use, deal_probes, seal};
use super::searching::{Opened, Query, Standing};
use super::{Inner, SplitVault};
use crate::VaultError;
use crate::audit::AuditTag;
use crate::dealer::{Presentation, PresentedPalm};
use crate::gallery::{Gallery, Purpose};
use crate::matcher::{Identification, Verification};
use crate::node::{GalleryName, GalleryPurpose, Sought};
use crate::search::PalmIdentification;

/// Which device captured, and under which consent.
type By<'a> = (&'a Device, [u8; 16]);

impl SplitVault {
    /// As [`Vault::identify_in`](crate::Vault::identify_in).
    pub(crate) async fn identify_in(
        &self,
        galleries: &[GalleryId],
        presentation: Presentation,
    ) -> Result<Vec<PalmIdentification>, VaultError> {
        let inner = &self.0;
        let mut searches = Vec::new();
        for &id in galleries {
            let gallery = inner.directory().galleries.get_open(id)?;
            for palm in presentation.palms() {
                let dealt = deal_probes(palm.probes(), &*inner.random)?;
                searches.push((gallery, palm.side(), dealt));
            }
        }
        // From here on there are shares and no templates.
        drop(presentation);
        inner.settled().await?;
        let (device, consent) = (inner.device(self.1).await?, self.1.consent);
        let mut running = JoinSet::new();
        for (at, (gallery, side, dealt)) in searches.into_iter().enumerate() {
            let (inner, device) = (inner.clone(), device.clone());
            running.spawn(async move {
                let found = inner.identify(&gallery, side, dealt, (&device, consent)).await;
                let of_palm =
                    |(identification, audit)| PalmIdentification { side, identification, audit };
                (at, found.map(of_palm))
            });
        }
        let mut found = Vec::with_capacity(running.len());
        while let Some(searched) = running.join_next().await {
            let (at, identification) = searched.map_err(|_| VaultError::Stopping)?;
            found.push((at, identification?));
        }
        found.sort_unstable_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, identification)| identification).collect())
    }

    /// As [`Vault::verify`](crate::Vault::verify).
    pub(crate) async fn verify(
        &self,
        gallery: GalleryId,
        token: PairwiseToken,
        palm: PresentedPalm,
    ) -> Result<Verification, VaultError> {
        let inner = &self.0;
        let gallery = inner.directory().galleries.get_open(gallery)?;
        let side = palm.side();
        let Some(slot) = inner.armed_slot(&gallery, token, side) else {
            return Ok(Verification::NotArmed);
        };
        let dealt = deal_probes(palm.probes(), &*inner.random)?;
        drop(palm);
        inner.settled().await?;
        let device = inner.device(self.1).await?;
        let by = (&*device, self.1.consent);
        let sought = Sought::Slot(slot);
        let (opened, _) = inner.clone().sought(&gallery, side, sought, dealt, by).await?;
        Ok(match opened {
            Opened::Something(found) if found == token => Verification::Match,
            _ => Verification::NoMatch,
        })
    }
}

impl Inner {
    async fn identify(
        self: Arc<Self>,
        gallery: &Gallery,
        side: Side,
        dealt: Dealt,
        by: By<'_>,
    ) -> Result<(Identification, AuditTag), VaultError> {
        let party = gallery.spec.party;
        let (opened, audit) = self.clone().sought(gallery, side, Sought::Anyone, dealt, by).await?;
        let identification = match opened {
            Opened::Nothing => Identification::NoMatch,
            Opened::Something(token) if self.directory().known(party, token).is_some() => {
                Identification::Match(token)
            }
            // The xor of several palms' tokens is nobody's.
            Opened::Something(_) => Identification::Ambiguous,
        };
        Ok((identification, audit))
    }

    fn armed_slot(&self, gallery: &Gallery, token: PairwiseToken, side: Side) -> Option<u64> {
        let directory = self.directory();
        let slot = directory.known(gallery.spec.party, token)?;
        let until = directory.armed_until(gallery.spec.gallery, slot)?;
        let armed = self.clock.now() < until && directory.side(slot) == Some(side);
        armed.then_some(slot)
    }

    async fn sought(
        self: Arc<Self>,
        gallery: &Gallery,
        side: Side,
        sought: Sought,
        dealt: Dealt,
        (device, consent): By<'_>,
    ) -> Result<(Opened, AuditTag), VaultError> {
        let random = &*self.random;
        let challenges = Challenges::fetch(&self.nodes, &self.deployment).await?;
        self.heard_epoch(challenges.epoch());
        let mut nonce = [0; 16];
        random.fill(&mut nonce);
        let name = challenges.query(&nonce);
        let (id, purpose) =
            (GalleryName::from(gallery.spec.gallery), code_of(gallery.spec.purpose));
        let usage = Use {
            purpose: purpose as u8,
            gallery: id,
            nonce,
            amount: [0; 32],
            consent,
            query: name.0,
        };
        let shares = seal(dealt, &usage, &challenges, &self.deployment, device, random)?;
        let at = Standing { head: challenges.head(), epoch: challenges.epoch() };
        let shares = Some(shares);
        let query = Query { name, gallery: id, side, sought, nonce, shares };
        let (opened, audit, _) = self.search_audited(&query, at).await?;
        Ok((opened, audit))
    }
}

const fn code_of(purpose: Purpose) -> GalleryPurpose {
    match purpose {
        Purpose::DuplicateCheck => GalleryPurpose::Enrolment,
        Purpose::Entry => GalleryPurpose::Entry,
        Purpose::Payment => GalleryPurpose::Payment,
    }
}
