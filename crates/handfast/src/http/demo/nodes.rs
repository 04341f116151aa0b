//! Stopping and starting the demo's vault nodes, to see what goes on without one.

use axum::Json;
use axum::extract::State;
use handfast_boxoffice::Custody;
use handfast_vault::Role;

use crate::http::problem::{PathOf, Problem};
use crate::http::vault::VaultView;
use crate::hub::SharedHub;
use crate::local_nodes::LocalNodes;

fn of<'a>(hub: &'a SharedHub, word: &str) -> Result<(&'a LocalNodes, Role), Problem> {
    let role = match word {
        "a" => Role::A,
        "b" => Role::B,
        "c" => Role::C,
        _ => return Err(Problem::not_found("The vault has the nodes a, b and c.")),
    };
    let nodes = hub.nodes.as_ref().ok_or_else(|| {
        Problem::conflict(match hub.custody() {
            Custody::OneMachine => {
                "This demo matches in clear, in one process: there is no node to stop. Begin one anew \
                 without `--vault plain` for nodes."
            }
            Custody::NodesHere | Custody::NodesApart => {
                "This demo did not start the nodes that match its palms. Stop and start them where they \
                 run."
            }
        })
    })?;
    Ok((nodes, role))
}

/// Stop a node of the vault, as a power cut would.
#[utoipa::path(post, path = "/api/v1/demo/nodes/{node}/stop", tag = "demo",
    params(("node" = String, Path)),
    responses((status = 200, body = VaultView), (status = "4XX", body = Problem)))]
pub(crate) async fn stop(
    State(hub): State<SharedHub>,
    PathOf(node): PathOf<String>,
) -> Result<Json<VaultView>, Problem> {
    let (nodes, role) = of(&hub, &node)?;
    nodes.stop(role).await.map_err(|error| Problem::from_failure(&error))?;
    Ok(Json(hub.vault_view()))
}

/// Start a stopped node of the vault: it catches up by itself.
#[utoipa::path(post, path = "/api/v1/demo/nodes/{node}/start", tag = "demo",
    params(("node" = String, Path)),
    responses((status = 200, body = VaultView), (status = "4XX", body = Problem)))]
pub(crate) async fn start(
    State(hub): State<SharedHub>,
    PathOf(node): PathOf<String>,
) -> Result<Json<VaultView>, Problem> {
    let (nodes, role) = of(&hub, &node)?;
    nodes.start_again(role).await.map_err(|error| {
        tracing::error!(%error, "a node of the demo did not start");
        Problem::unavailable("The node did not start. Look at the server's log, and try again.")
    })?;
    Ok(Json(hub.vault_view()))
}
