//! A deployment in memory, for tests that need keys and no network.

use handfast_model::{ManualClock, Random as _, SeededRandom, Timestamp};

use crate::deployment::{Deployment, DeploymentId, PartyName};
use crate::identity::{FrontSecrets, NewSecrets, NodeSecrets};
use crate::setup::{CERTIFICATES_HOLD_FOR, certify, local_addresses, public_part};

/// When tests take place.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000))
}

/// A deployment whose keys follow from `seed` (its certificates do not).
pub(crate) fn deployment(seed: u64) -> (Deployment, [NodeSecrets; 3], FrontSecrets) {
    let random = SeededRandom::new(seed);
    let mut id = [0; 16];
    random.fill(&mut id);
    let id = DeploymentId::from_bytes(id);
    let secrets = PartyName::ALL.map(|party| NewSecrets::generate(party, id, &random));
    let mut addresses = local_addresses(7411).into_iter();
    let parties = PartyName::ALL.map(|party| {
        let tls = certify(id, party, &clock(), CERTIFICATES_HOLD_FOR).unwrap();
        let secrets = &secrets[party.index()];
        public_part(secrets, party, id, addresses.next(), tls.certificate)
    });
    let deployment = Deployment::new(id, parties).unwrap();
    let [a, b, c, front] = secrets;
    let nodes = [a, b, c].map(|node| node.into_node(&deployment));
    (deployment, nodes, front.into_front())
}
