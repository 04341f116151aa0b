//! A deployment in memory, for tests that need keys and no network.

use handfast_model::{ManualClock, Random as _, SeededRandom, Timestamp};

use crate::deployment::{Deployment, DeploymentId, Member};
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
    let secrets = Member::ALL.map(|member| NewSecrets::generate(member, id, &random));
    let mut addresses = local_addresses(7411).into_iter();
    let members = Member::ALL.map(|member| {
        let tls = certify(id, member, &clock(), CERTIFICATES_HOLD_FOR).unwrap();
        let secrets = &secrets[member.index()];
        public_part(secrets, member, id, addresses.next(), tls.certificate)
    });
    let deployment = Deployment::new(id, members).unwrap();
    let [a, b, c, front] = secrets;
    let nodes = [a, b, c].map(|node| node.into_node(&deployment));
    (deployment, nodes, front.into_front())
}
