//! Who compares palms here, for pages that say so.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::Custody;
use handfast_vault::{NodeState, Role};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::json::Time;
use crate::hub::{Hub, SharedHub};

/// Who compares palms here.
#[derive(Serialize, ToSchema)]
pub(crate) struct VaultView {
    #[schema(value_type = String, examples("three_nodes"))]
    form: Form,
    /// Whether palms can be compared now.
    ready: bool,
    /// The nodes; none where one machine matches in clear.
    nodes: Vec<NodeView>,
}

/// What a vault is made of.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// One process that holds the palms.
    InClear,
    /// Three nodes, all of which this machine runs: no split trust.
    ThreeNodesHere,
    /// Three nodes elsewhere.
    ThreeNodes,
}

/// One of three.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeView {
    #[schema(examples("a"))]
    node: String,
    up: bool,
    /// Since when it is up, or away.
    since: Time,
}

impl From<NodeState> for NodeView {
    fn from(NodeState { node, up, since, .. }: NodeState) -> Self {
        Self { node: node.to_string().to_lowercase(), up, since: since.into() }
    }
}

impl Hub {
    /// Who holds palms here. That nodes on machines of their own belong to three organisations is what
    /// whoever set them up says; that two of them share a machine is seen.
    pub(crate) fn custody(&self) -> Custody {
        let Some(deployment) = self.vault.deployment() else { return Custody::OneMachine };
        let host = |role| {
            let address = deployment.node(role).address.as_deref().unwrap_or_default();
            address.rsplit_once(':').map_or(address, |(host, _)| host)
        };
        let [a, b, c] = Role::ALL.map(host);
        let share = a == b || b == c || c == a;
        if share || self.nodes.is_some() { Custody::NodesHere } else { Custody::NodesApart }
    }

    /// What pages are told of the vault.
    pub(crate) fn vault_view(&self) -> VaultView {
        let nodes = self.vault.status().nodes;
        let form = match self.custody() {
            Custody::OneMachine => Form::InClear,
            Custody::NodesHere => Form::ThreeNodesHere,
            Custody::NodesApart => Form::ThreeNodes,
        };
        let nodes = nodes.into_iter().flatten().map(NodeView::from).collect();
        VaultView { form, ready: self.vault.is_ready(), nodes }
    }
}

/// Who compares palms here, and whether they can now.
#[utoipa::path(get, path = "/api/v1/vault", tag = "trust",
    responses((status = 200, body = VaultView)))]
pub(crate) async fn form(State(hub): State<SharedHub>) -> Json<VaultView> {
    Json(hub.vault_view())
}
