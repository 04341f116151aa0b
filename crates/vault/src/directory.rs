//! What the vault knows by heart: relying parties' keys, galleries, and which token is which slot.

use std::collections::HashMap;

use handfast_model::{CompanyId, PairwiseToken, RelyingParty};

use crate::gallery::Galleries;
use crate::pairwise::PairwiseKey;
use crate::{SlotId, VaultError};

/// An image of the database in memory, changed only after the database was.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    parties: HashMap<RelyingParty, PairwiseKey>,
    pub(crate) galleries: Galleries,
    palms: HashMap<(CompanyId, PairwiseToken), SlotId>,
}

impl Directory {
    pub(crate) fn add_party(&mut self, party: RelyingParty, key: PairwiseKey) {
        self.parties.insert(party, key);
    }

    pub(crate) fn knows_party(&self, party: RelyingParty) -> bool {
        self.parties.contains_key(&party)
    }

    /// What `party` knows the palm in `slot` by.
    pub(crate) fn token(
        &self,
        party: RelyingParty,
        slot: SlotId,
    ) -> Result<PairwiseToken, VaultError> {
        let key = self.parties.get(&party).ok_or(VaultError::PartyKeyBroken)?;
        Ok(key.token(slot))
    }

    /// What a company knows its palms by.
    pub(crate) fn palms_of(&self, company: CompanyId) -> Vec<PairwiseToken> {
        let own = self.palms.keys().filter(|(owner, _)| *owner == company);
        own.map(|(_, token)| *token).collect()
    }

    /// Adds a palm and returns its company's token for it.
    pub(crate) fn add_palm(
        &mut self,
        company: CompanyId,
        slot: SlotId,
    ) -> Result<PairwiseToken, VaultError> {
        let token = self.token(RelyingParty::Company(company), slot)?;
        self.palms.insert((company, token), slot);
        Ok(token)
    }

    /// The slot of a company's palm.
    pub(crate) fn slot(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
    ) -> Result<SlotId, VaultError> {
        self.palms.get(&(company, palm)).copied().ok_or(VaultError::PalmUnknown)
    }

    pub(crate) fn remove_palm(&mut self, company: CompanyId, palm: PairwiseToken) {
        self.palms.remove(&(company, palm));
    }

    pub(crate) fn palms(&self) -> usize {
        self.palms.len()
    }
}
