//! Everything a running service holds, wired together. It decides nothing: box office, vault and
//! till do.

use std::path::PathBuf;
use std::sync::Arc;

use handfast_boxoffice::BoxOffice;
use handfast_model::{Clock, Random};
use handfast_till::test_gateway::TestGateway;
use handfast_till::{Till, TlsRoots};
use handfast_trust::{Retention, Trust};
use handfast_vault::Vault;
use tokio::sync::{Mutex, RwLock};

use crate::demo::Demo;
use crate::http::lockout::Lockouts;
use crate::http::trust::report::CountedSoFar;
use crate::linking::Unlogged;
use crate::local_nodes::LocalNodes;
use crate::post::Post;
use crate::stations::Stations;
use crate::witnesses::Witnesses;

/// The services, their clock and randomness.
pub(crate) struct Hub {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) boxoffice: BoxOffice,
    pub(crate) till: Till,
    pub(crate) test_gateway: Arc<TestGateway>,
    /// Outgoing mail.
    pub(crate) post: Post,
    /// Whom this process believes when it asks others.
    pub(crate) roots: TlsRoots,
    pub(crate) vault: Vault,
    /// The vault's nodes, where this process started them.
    pub(crate) nodes: Option<LocalNodes>,
    /// The transparency log, and what opens its leaves.
    pub(crate) trust: Trust,
    /// The transparency report, as far as it was counted.
    pub(crate) counted: CountedSoFar,
    /// Which network addresses have to wait.
    pub(crate) lockouts: Lockouts,
    /// How long palms may stay.
    pub(crate) retention: Retention,
    /// Who is asked to cosign its checkpoints.
    pub(crate) witnesses: Arc<Witnesses>,
    pub(crate) stations: Stations,
    /// Held while palms are enrolled and their link is not recorded yet (many may read at once).
    pub(crate) enrolments: RwLock<()>,
    /// How many links may lack their leaf.
    pub(crate) unlogged: Unlogged,
    /// Held while armings are carried from the box office to the vault: an old list of changes must
    /// not be carried after a newer one.
    pub(crate) carrying: Mutex<()>,
    /// Held while what two of the staff decided is carried out: each once, and in order.
    pub(crate) acting: Mutex<()>,
    /// Held while a link's palms are destroyed: a deletion has one leaf and one receipt.
    pub(crate) deleting: Mutex<()>,
    /// The camera (or pictures) of this machine, for a pedestal whose page only draws.
    pub(crate) camera: Option<PathBuf>,
    /// Where people reach the pages, without a slash at the end.
    pub(crate) public_url: String,
    /// Whether people reach this service by https (behind a proxy that ends TLS).
    pub(crate) https: bool,
    /// What the demo added, in demo mode alone.
    pub(crate) demo: Option<Demo>,
}

/// The services as every request holds them.
pub(crate) type SharedHub = Arc<Hub>;
