//! New shares for all: three nodes' seeds, each on its node's disk before the others hear of it.

use handfast_mpc::Role;
use zeroize::Zeroizing;

use super::super::NodeStoreError;
use super::super::machine::Node;
use super::super::message::Content;
use super::super::names::OperationName;
use super::super::refusal::Refusal;
use super::super::renewal::ListRenewal;
use super::super::store::{Batch, Undecided};

impl Node {
    /// Draws and stores this node's seed, then sends it; says whether all three are there.
    pub(super) fn gather_seeds(&mut self) -> bool {
        let role = self.keys.role;
        let Some(current) = &mut self.chain.current else { return false };
        let name = current.operation.name;
        if !current.seed_stored {
            let mut seeds = Box::new(Zeroizing::new([[0; 32]; 3]));
            self.random.fill(&mut seeds[role.index()]);
            let operation = current.operation.clone();
            let undecided = Undecided { operation, vote: None, seeds: Some(seeds.clone()) };
            let batch = Batch { undecided: Some(Some(undecided)), ..Batch::default() };
            let committed = self.store.commit(batch);
            if self.stored(committed).is_err() {
                return false;
            }
            if let Some(current) = &mut self.chain.current {
                (current.seeds, current.seed_stored) = (Some(seeds), true);
            }
            for peer in [role.next(), role.previous()] {
                self.send_seed(peer);
            }
        }
        let Some(current) = &mut self.chain.current else { return false };
        let (Some(seeds), Some(gathered)) = (&mut current.seeds, self.chain.gathered.get(&name))
        else {
            return false;
        };
        [role.next(), role.previous()].into_iter().all(|peer| {
            let seed = &gathered.seeds[peer.index()];
            seed.as_ref().is_some_and(|seed| {
                seeds[peer.index()] = **seed;
                true
            })
        })
    }

    pub(super) fn send_seed(&mut self, peer: Role) {
        let Some(current) = self.chain.current.as_ref().filter(|current| current.seed_stored)
        else {
            return;
        };
        if let Some(seeds) = &current.seeds {
            let (operation, seed) = (current.operation.name, seeds[self.keys.role.index()]);
            self.send(peer, Content::Seed { operation, seed });
        }
    }

    pub(in crate::node) fn on_seed(
        &mut self,
        from: Role,
        name: OperationName,
        seed: [u8; 32],
    ) -> Result<(), Refusal> {
        let seed = Zeroizing::new(seed);
        self.gather(name, |gathered| gathered.seeds[from.index()] = Some(seed))
    }

    pub(super) fn commit_renewal(&mut self, mut batch: Batch) -> Result<(), NodeStoreError> {
        let seeds = self.chain.current.as_ref().and_then(|current| current.seeds.clone());
        match seeds {
            Some(seeds) => {
                let mut renewal = ListRenewal::new(&self.roster, self.keys.role, seeds);
                self.store.renew(batch, &mut renewal)
            }
            None => {
                // The others went on without this node: its rows are of an epoch that is over.
                batch.destroy = self.roster.slots().collect();
                self.store.commit(batch)
            }
        }
    }
}
