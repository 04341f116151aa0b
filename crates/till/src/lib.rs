//! Wallets, charges, credits, the double-entry ledger.
