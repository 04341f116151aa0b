//! What a person's own browser needs to find the uses of their palm in the public log: for each
//! search it asks about, what the search's tag would be, had it been their palm. The parts are
//! sealed to a key that the page drew; this service passes them on and cannot read them.

use axum::Json;
use axum::extract::State;
use handfast_model::LinkId;
use handfast_mpc::Role;
use handfast_vault::{AuditPart, VaultError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::access::FanCaller;
use crate::http::problem::{Body, PathOf, Problem, sentence};
use crate::hub::SharedHub;

/// Most queries in one request: their text stays well below the limit of bodies.
const QUERIES_MAX: usize = 1_024;

/// Which searches, and for whom to seal.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AuditQuestion {
    /// An X25519 public key that the page drew: 32 bytes in hexadecimal.
    recipient: String,
    /// Searches, as the log's leaves name them: 16 bytes each in hexadecimal, at most 1024.
    queries: Vec<String>,
}

/// What is asked for, for each of the link's palms.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditAnswer {
    palms: Vec<AuditedPalm>,
}

/// One palm's parts.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditedPalm {
    /// `left` or `right`.
    #[schema(value_type = String, examples("left"))]
    side: &'static str,
    parts: Vec<AuditPartView>,
}

/// One node's part.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPartView {
    /// `A`, `B` or `C`; none where one machine matches in clear.
    #[schema(value_type = Option<String>)]
    node: Option<&'static str>,
    /// HPKE (X25519, HKDF-SHA256, AES-256-GCM): encapsulated key, then ciphertext, in hexadecimal.
    sealed: String,
    /// The node's Ed25519 signature, in hexadecimal.
    signature: Option<String>,
}

impl From<AuditPart> for AuditPartView {
    fn from(part: AuditPart) -> Self {
        Self {
            node: part.node.map(letter),
            sealed: hex::encode(&part.sealed),
            signature: part.signature.map(hex::encode),
        }
    }
}

/// What the tags of these searches would be, had they found my palm.
#[utoipa::path(post, path = "/api/v1/me/links/{link_id}/audit", request_body = AuditQuestion, tag = "portal",
    params(("link_id" = String, Path)),
    responses((status = 200, body = AuditAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn ask(
    State(hub): State<SharedHub>,
    fan: FanCaller,
    PathOf(id): PathOf<LinkId>,
    Body(question): Body<AuditQuestion>,
) -> Result<Json<AuditAnswer>, Problem> {
    let recipient = unhex::<32>(&question.recipient)?;
    if question.queries.len() > QUERIES_MAX {
        return Err(Problem::malformed(format!(
            "These are {} queries; ask for {QUERIES_MAX} at a time.",
            question.queries.len()
        )));
    }
    let queries: Vec<[u8; 16]> =
        question.queries.iter().map(|query| unhex(query)).collect::<Result<_, _>>()?;
    let links = hub.boxoffice.links(fan.account).await?;
    let link = links.into_iter().find(|link| link.id == id);
    let link = link.ok_or_else(|| Problem::not_found("There is no such palm link of yours."))?;
    let mut palms = Vec::with_capacity(link.palms.len());
    for palm in &link.palms {
        let asked = hub.vault.audit_parts(link.company_id, palm.company_token, &queries, recipient);
        let parts = asked.await.map_err(problem_of)?;
        let parts = parts.into_iter().map(AuditPartView::from).collect();
        palms.push(AuditedPalm { side: palm.side.as_str(), parts });
    }
    Ok(Json(AuditAnswer { palms }))
}

/// The public keys of the vault's nodes.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeKeys {
    /// Ed25519 keys of A, B and C, in hexadecimal; none where one machine matches in clear.
    nodes: Option<Vec<String>>,
    /// Names the three nodes' deployment, in hexadecimal: part of what they sign.
    deployment: Option<String>,
}

/// The keys by which the vault's nodes sign. Compare them with those that the nodes' own
/// organisations publish.
#[utoipa::path(get, path = "/log/nodes", tag = "log", responses((status = 200, body = NodeKeys)))]
pub(crate) async fn nodes(State(hub): State<SharedHub>) -> Json<NodeKeys> {
    let keys = hub.vault.node_keys();
    Json(NodeKeys {
        nodes: keys.map(|keys| keys.iter().map(hex::encode).collect()),
        deployment: hub.vault.deployment().map(|deployment| deployment.id().to_string()),
    })
}

fn problem_of(error: VaultError) -> Problem {
    match error {
        VaultError::PalmUnknown => {
            Problem::not_found("This palm was deleted; its proofs are in your list of receipts.")
        }
        VaultError::RecipientUnusable => Problem::malformed(sentence(&error)),
        error => {
            Problem::from_failure(&error);
            Problem::unavailable("The vault did not answer. Look again in a minute.")
        }
    }
}

const fn letter(role: Role) -> &'static str {
    match role {
        Role::A => "A",
        Role::B => "B",
        Role::C => "C",
    }
}

fn unhex<const LEN: usize>(text: &str) -> Result<[u8; LEN], Problem> {
    let mut bytes = [0; LEN];
    hex::decode_to_slice(text, &mut bytes).map(|()| bytes).map_err(|_| {
        Problem::malformed(format!("A key or query is {} hexadecimal digits long.", 2 * LEN))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_both_ways_and_nothing_else_does() {
        let bytes = [0x00, 0x7f, 0xab, 0xff];
        assert_eq!(unhex(&hex::encode(bytes)).unwrap(), bytes);
        for wrong in ["", "00", "007fabf", "007fabff0", "007fabfg", "é07fabff"] {
            assert!(unhex::<4>(wrong).is_err(), "{wrong}");
        }
    }
}
