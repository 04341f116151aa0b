//! A node's components for a person's audit of the searches that found them.

use handfast_mpc::Selection;
use zeroize::Zeroizing;

use super::machine::{Node, Waiter};
use super::refusal::{Reason, Refusal};
use super::request::{AuditRequest, Reply};
use crate::audit::{audit_context, audit_signed};

impl Node {
    /// Seals this node's component of every query's value to the person's device. A palm that was
    /// deleted has no person any more.
    pub(super) fn on_audit(
        &mut self,
        waiter: Waiter,
        request: &AuditRequest,
    ) -> Result<(), Refusal> {
        let AuditRequest { slot, recipient, queries } = request;
        self.roster.palm(*slot).ok_or(Reason::SlotUnknown)?;
        let [own, previous] = self.keys.audit_tokens();
        let mut components = Zeroizing::new(Vec::with_capacity(16 * queries.len()));
        for query in queries {
            let selection = Selection::audit(&own, &previous, query);
            components.extend_from_slice(&selection.audit_component(*slot));
        }
        let context = audit_context(recipient, queries);
        let sealed = self.seals.seal_audit(recipient, &context, &components);
        let sealed = sealed.ok_or(Reason::Shares)?;
        let signature = self.seals.sign(&audit_signed(&context, &sealed));
        self.reply(waiter, &Reply::Audit { sealed, signature });
        Ok(())
    }
}
