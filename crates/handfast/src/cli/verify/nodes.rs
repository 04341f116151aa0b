//! Whether the tag of a search is the one that the vault's three nodes computed, by what they signed.

use std::path::Path;

use anyhow::{Context as _, bail};
use ed25519_dalek::VerifyingKey;
use handfast_tlog::Statement;
use handfast_trust::{SignedPart, SignedTag, SignedTags};
use handfast_vault::deployment::DeploymentId;
use handfast_vault::{AuditTag, SignedTagPart};
use serde::Deserialize;
use serde_json::Value;

/// The public keys of a vault's nodes, as `/log/nodes` shows them.
pub(crate) struct NodeKeys {
    deployment: DeploymentId,
    keys: [VerifyingKey; 3],
}

#[derive(Deserialize)]
struct Shown {
    nodes: Option<Vec<String>>,
    deployment: Option<String>,
}

/// What the nodes' signatures say of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Computed {
    /// The receipt is of no search.
    NoSearch,
    /// The record holds nothing that nodes signed: one machine matched, or the leaf is an older one.
    NothingSigned,
    /// The same, where nodes were expected to sign.
    SignaturesMissing,
    /// There are signatures, and nobody gave the nodes' keys.
    KeysMissing,
    /// All three nodes signed their parts of exactly these tags.
    ByTheNodes,
    /// What the leaf says is not what they signed.
    Differs,
}

impl Computed {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::NoSearch => "no_search",
            Self::NothingSigned => "nothing_signed",
            Self::SignaturesMissing => "signatures_missing",
            Self::KeysMissing => "keys_missing",
            Self::ByTheNodes => "by_the_nodes",
            Self::Differs => "differs",
        }
    }

    pub(super) const fn sentence(self) -> Option<&'static str> {
        match self {
            Self::NoSearch => None,
            Self::NothingSigned => Some(
                "No node signed the tag: one machine matches here, or the leaf is an older one.",
            ),
            Self::SignaturesMissing => Some(
                "These nodes signed nothing of this search: the leaf is older than such signatures, \
                 or its tag is not theirs.",
            ),
            Self::KeysMissing => Some(
                "The nodes signed the tag; give their keys with --nodes to check it (/log/nodes \
                 shows them).",
            ),
            Self::ByTheNodes => Some("The tag is the one that the vault's three nodes computed."),
            Self::Differs => Some("The tag is not the one that the vault's three nodes computed."),
        }
    }

    /// Whether a receipt with this is one to believe.
    pub(super) const fn is_sound(self) -> bool {
        !matches!(self, Self::SignaturesMissing | Self::Differs)
    }

    /// Compares a leaf with what its record says that the nodes signed.
    pub(crate) fn of(statement: &Statement, record: &Value, nodes: Option<&NodeKeys>) -> Self {
        let Statement::Identify { tags, .. } = statement else { return Self::NoSearch };
        if record.get("tags").is_none() {
            return if nodes.is_some() { Self::SignaturesMissing } else { Self::NothingSigned };
        }
        // Signed by nobody, an empty list would agree with an empty leaf: a search has a tag a hand.
        let signed = SignedTags::of_record(record).filter(|signed| !signed.searches.is_empty());
        let Some(signed) = signed else { return Self::Differs };
        let told = tags.as_slice().iter().map(|tag| (tag.query, tag.tag));
        if !told.eq(signed.searches.iter().map(|one| (one.query, one.tag))) {
            return Self::Differs;
        }
        match nodes {
            None => Self::KeysMissing,
            Some(nodes) if nodes.signed(&signed) => Self::ByTheNodes,
            Some(_) => Self::Differs,
        }
    }
}

impl NodeKeys {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(file).with_context(|| {
            format!("{} cannot be read; it is what /log/nodes shows", file.display())
        })?;
        Self::parse(&text).with_context(|| {
            format!(
                "{} does not hold the keys of three nodes as /log/nodes shows them",
                file.display()
            )
        })
    }

    pub(crate) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let Shown { nodes, deployment } = serde_json::from_slice(text)?;
        let (Some(nodes), Some(deployment)) = (nodes, deployment) else {
            bail!("one machine matches there: it has no nodes, and nobody else signs");
        };
        let key = |text: &String| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).context("a key is 64 hexadecimal digits")?;
            VerifyingKey::from_bytes(&bytes).context("a key is no Ed25519 key")
        };
        let keys: Vec<VerifyingKey> = nodes.iter().map(key).collect::<anyhow::Result<_>>()?;
        let Ok(keys) = <[VerifyingKey; 3]>::try_from(keys) else { bail!("there are three nodes") };
        let mut id = [0; 16];
        hex::decode_to_slice(&deployment, &mut id)
            .context("a deployment is 32 hexadecimal digits")?;
        Ok(Self { deployment: DeploymentId::from_bytes(id), keys })
    }

    fn signed(&self, tags: &SignedTags) -> bool {
        let of_tag = |one: &SignedTag| {
            let parts = Some(one.parts.map(part_of));
            AuditTag { query: one.query, tag: one.tag, parts }
                .is_signed(self.deployment, &self.keys)
        };
        tags.deployment == self.deployment.to_bytes() && tags.searches.iter().all(of_tag)
    }
}

fn part_of(signed: SignedPart) -> SignedTagPart {
    SignedTagPart {
        part: std::array::from_fn(|at| signed[at]),
        signature: std::array::from_fn(|at| signed[16 + at]),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use handfast_mpc::Role;
    use handfast_tlog::{AuditTags, Label, Purpose};
    use serde_json::json;

    use super::*;

    const QUERY: [u8; 16] = [3; 16];

    /// Three nodes that sign their parts of one search; the tag that follows from them.
    fn signed() -> (NodeKeys, SignedTags) {
        let secrets = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let deployment = DeploymentId::from_bytes([9; 16]);
        let parts = Role::ALL.map(|node| {
            let part = [node.index() as u8 * 17 + 1; 16];
            let bytes = SignedTagPart::signed_bytes(deployment, node, QUERY, &part);
            let mut signed = [0; 80];
            signed[..16].copy_from_slice(&part);
            signed[16..].copy_from_slice(&secrets[node.index()].sign(&bytes).to_bytes());
            signed
        });
        let tag = std::array::from_fn(|at| parts.iter().fold(0, |sum, part| sum ^ part[at]));
        let searches = vec![SignedTag { query: QUERY, tag, parts }];
        let keys = secrets.map(|secret| secret.verifying_key());
        (NodeKeys { deployment, keys }, SignedTags { deployment: [9; 16], searches })
    }

    fn leaf(tag: [u8; 16]) -> Statement {
        let tags = vec![handfast_tlog::AuditTag { query: QUERY, tag }];
        leaf_of(AuditTags::new(tags).unwrap())
    }

    fn leaf_of(tags: AuditTags) -> Statement {
        let place = Label::from_bytes([0; 16]);
        Statement::Identify { purpose: Purpose::Entry, place, searched: 3, tags }
    }

    fn record(tags: SignedTags) -> Value {
        let at = handfast_model::Timestamp::from_micros(0);
        let place = "Gate".to_owned();
        let record = handfast_trust::Record::Use { purpose: "entry", place, at, tags: Some(tags) };
        serde_json::from_str(&record.to_json()).unwrap()
    }

    #[test]
    fn a_tag_is_the_nodes_or_it_is_named() {
        let (nodes, tags) = signed();
        let tag = tags.searches[0].tag;
        let of =
            |statement: &Statement, record: &Value| Computed::of(statement, record, Some(&nodes));
        assert_eq!(of(&leaf(tag), &record(tags.clone())), Computed::ByTheNodes);
        assert_eq!(Computed::of(&leaf(tag), &record(tags.clone()), None), Computed::KeysMissing);
        assert_eq!(of(&leaf([0x55; 16]), &record(tags.clone())), Computed::Differs, "another tag");
        // The hub writes the false tag into the record as well.
        let mut lie = tags.clone();
        lie.searches[0].tag = [0x55; 16];
        assert_eq!(of(&leaf([0x55; 16]), &record(lie)), Computed::Differs);
        let mut forged = tags.clone();
        forged.searches[0].parts[1][20] ^= 1;
        assert_eq!(of(&leaf(tag), &record(forged)), Computed::Differs);
        let mut foreign = tags;
        foreign.deployment = [8; 16];
        assert_eq!(of(&leaf(tag), &record(foreign)), Computed::Differs);
        let bare = json!({ "type": "use" });
        assert_eq!(of(&leaf(tag), &bare), Computed::SignaturesMissing);
        assert_eq!(Computed::of(&leaf(tag), &bare, None), Computed::NothingSigned);
        let refresh = Statement::Refresh { epoch: 1 };
        assert_eq!(of(&refresh, &bare), Computed::NoSearch);
    }

    #[test]
    fn a_search_without_tags_is_nobodys() {
        let (nodes, mut tags) = signed();
        tags.searches.clear();
        let record = record(tags);
        let empty = leaf_of(AuditTags::default());
        assert_eq!(Computed::of(&empty, &record, Some(&nodes)), Computed::Differs);
        assert_eq!(Computed::of(&empty, &record, None), Computed::Differs);
    }

    #[test]
    fn keys_are_read_as_the_service_shows_them() {
        let (nodes, _) = signed();
        let shown = json!({
            "nodes": nodes.keys.map(|key| hex::encode(key.as_bytes())), "deployment": hex::encode([9; 16]),
        });
        assert!(
            NodeKeys::parse(shown.to_string().as_bytes()).is_ok_and(|read| read.keys == nodes.keys)
        );
        for wrong in [
            json!({ "nodes": null, "deployment": null }),
            json!({ "nodes": ["00"], "deployment": "00" }),
            json!({ "nodes": [], "deployment": hex::encode([9; 16]) }),
            json!(7),
        ] {
            assert!(NodeKeys::parse(wrong.to_string().as_bytes()).is_err(), "{wrong}");
        }
    }
}
