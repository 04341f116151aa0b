//! Who compares palms here, for pages that say so.

use axum::Json;
use axum::extract::State;
use handfast_vault::NodeState;
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
    /// What pages are told of the vault.
    pub(crate) fn vault_view(&self) -> VaultView {
        let nodes = self.vault.status().nodes;
        let form = match (&nodes, &self.nodes) {
            (None, _) => Form::InClear,
            (Some(_), Some(_)) => Form::ThreeNodesHere,
            (Some(_), None) => Form::ThreeNodes,
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
