//! A person's audit, on three nodes: each seals its components to the person's own device.

use handfast_model::{CompanyId, PairwiseToken};
use handfast_mpc::Role;

use super::SplitVault;
use crate::VaultError;
use crate::audit::{AUDIT_QUERIES_MAX, AuditPart, audit_context, audit_signed};
use crate::deployment::Member;
use crate::node::{AuditRequest, Reason, Reply, Request};

impl SplitVault {
    /// As [`Vault::audit_parts`](crate::Vault::audit_parts).
    pub(crate) async fn audit_parts(
        &self,
        company: CompanyId,
        palm: PairwiseToken,
        queries: &[[u8; 16]],
        recipient: [u8; 32],
    ) -> Result<Vec<AuditPart>, VaultError> {
        if queries.len() > AUDIT_QUERIES_MAX {
            return Err(VaultError::TooManyQueries { queries: queries.len() });
        }
        let inner = &self.0;
        let slot = inner.directory().palm(company, palm)?.slot;
        let context = audit_context(&recipient, queries);
        let request = Request::Audit(AuditRequest { slot, recipient, queries: queries.to_vec() });
        let replies = inner.nodes.ask_each(&request).await;
        let mut parts = Vec::with_capacity(replies.len());
        for (node, reply) in Role::ALL.into_iter().zip(replies) {
            let (sealed, signature) = match reply? {
                Reply::Audit { sealed, signature } => (sealed, signature),
                Reply::Refused(refusal) if refusal.reason == Reason::SlotUnknown => {
                    return Err(VaultError::PalmUnknown);
                }
                Reply::Refused(refusal) if refusal.reason == Reason::Shares => {
                    return Err(VaultError::RecipientUnusable);
                }
                Reply::Refused(refusal) => return Err(VaultError::Refused { node, refusal }),
                _ => return Err(VaultError::NodeAnswer { node }),
            };
            let signed = audit_signed(&context, &sealed);
            if !inner.deployment.verifies(Member::Node(node), &signed, &signature) {
                return Err(VaultError::NodeAnswer { node });
            }
            parts.push(AuditPart { node: Some(node), sealed, signature: Some(signature) });
        }
        Ok(parts)
    }

    /// The nodes' public Ed25519 keys.
    pub(crate) fn node_keys(&self) -> [[u8; 32]; 3] {
        Role::ALL.map(|role| self.0.deployment.verifying_key(Member::Node(role)).to_bytes())
    }
}
