//! The till's tables. Released steps never change; a correction is a new step.

use handfast_store::{Migration, Migrations};

/// All steps of the till's tables.
pub(crate) const MIGRATIONS: Migrations = Migrations {
    service: "till",
    steps: &[
        Migration { version: 1, name: "ledger", sql: LEDGER },
        Migration { version: 2, name: "shops and wallets", sql: SHOPS_AND_WALLETS },
        Migration { version: 3, name: "charges and refunds", sql: CHARGES },
        Migration { version: 4, name: "second factors, tips, discounts, holds", sql: COUNTER },
        Migration { version: 5, name: "disputes, webhooks, day closes", sql: NEWS },
        Migration { version: 6, name: "mails, orders, the offline floor", sql: BEYOND },
        Migration {
            version: 7,
            name: "orders that never begin, refunds by day",
            sql: CLOSED_ORDERS,
        },
        Migration { version: 8, name: "step-backs", sql: STEP_BACKS },
    ],
};

// The database itself refuses a transfer between currencies (the composite foreign keys), an
// amount of zero or less, and a balance below zero where the account may have none. The bound of
// 4e18 keeps every sum of two counters inside 64 bits, where SQLite would silently go to floats.
const LEDGER: &str = "
CREATE TABLE till_ledger_accounts (
    ledger_account_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    currency TEXT NOT NULL,
    may_be_negative BOOLEAN NOT NULL,
    debits_pending BIGINT NOT NULL CHECK (debits_pending >= 0),
    debits_posted BIGINT NOT NULL CHECK (debits_posted >= 0),
    credits_pending BIGINT NOT NULL CHECK (credits_pending >= 0),
    credits_posted BIGINT NOT NULL CHECK (credits_posted >= 0),
    created_at BIGINT NOT NULL,
    UNIQUE (kind, owner, currency),
    UNIQUE (ledger_account_id, currency),
    CHECK (debits_pending <= 4000000000000000000 AND debits_posted <= 4000000000000000000),
    CHECK (credits_pending <= 4000000000000000000 AND credits_posted <= 4000000000000000000),
    CHECK (may_be_negative OR debits_posted + debits_pending <= credits_posted)
);
CREATE TABLE till_transfers (
    transfer_id TEXT NOT NULL PRIMARY KEY,
    debit_account TEXT NOT NULL,
    credit_account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    posted_amount BIGINT CHECK (posted_amount > 0 AND posted_amount <= amount),
    state TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    purpose TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at BIGINT,
    CHECK (debit_account <> credit_account),
    CHECK ((state = 'posted') = (posted_amount IS NOT NULL)),
    CHECK ((state = 'pending') = (closed_at IS NULL)),
    FOREIGN KEY (debit_account, currency)
        REFERENCES till_ledger_accounts (ledger_account_id, currency),
    FOREIGN KEY (credit_account, currency)
        REFERENCES till_ledger_accounts (ledger_account_id, currency)
);
CREATE INDEX till_transfers_debit ON till_transfers (debit_account, transfer_id);
CREATE INDEX till_transfers_credit ON till_transfers (credit_account, transfer_id);
CREATE INDEX till_transfers_subject ON till_transfers (subject);
";

const SHOPS_AND_WALLETS: &str = "
CREATE TABLE till_shops (
    shop_id TEXT NOT NULL PRIMARY KEY,
    venue_id TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    utc_offset_minutes BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX till_shops_venue ON till_shops (venue_id);
CREATE TABLE till_shop_days (
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    day BIGINT NOT NULL,
    last_number BIGINT NOT NULL,
    PRIMARY KEY (shop_id, day)
);
CREATE TABLE till_registers (
    register_id TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    added_at BIGINT NOT NULL
);
CREATE TABLE till_pairings (
    pedestal_id TEXT NOT NULL PRIMARY KEY,
    register_id TEXT NOT NULL UNIQUE REFERENCES till_registers (register_id),
    paired_at BIGINT NOT NULL
);
CREATE TABLE till_wallets (
    wallet_id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL UNIQUE,
    palm_pay BOOLEAN NOT NULL,
    frozen BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE till_payment_methods (
    payment_method_id TEXT NOT NULL PRIMARY KEY,
    wallet_id TEXT NOT NULL REFERENCES till_wallets (wallet_id),
    reference TEXT NOT NULL,
    label TEXT NOT NULL,
    network_transaction_id TEXT,
    is_default BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT,
    CHECK (removed_at IS NULL OR (NOT is_default AND reference = ''))
);
CREATE INDEX till_payment_methods_wallet ON till_payment_methods (wallet_id);
CREATE UNIQUE INDEX till_payment_methods_default ON till_payment_methods (wallet_id)
    WHERE is_default;
CREATE TABLE till_setups (
    setup_id TEXT NOT NULL PRIMARY KEY,
    wallet_id TEXT NOT NULL REFERENCES till_wallets (wallet_id),
    session TEXT,
    payment_method_id TEXT REFERENCES till_payment_methods (payment_method_id),
    created_at BIGINT NOT NULL
);
CREATE TABLE till_shop_tokens (
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    token BYTEA NOT NULL,
    wallet_id TEXT NOT NULL REFERENCES till_wallets (wallet_id),
    link_id TEXT NOT NULL,
    acknowledged_at BIGINT NOT NULL,
    PRIMARY KEY (shop_id, token)
);
CREATE INDEX till_shop_tokens_wallet ON till_shop_tokens (wallet_id);
CREATE INDEX till_shop_tokens_link ON till_shop_tokens (link_id);
CREATE TABLE till_promotions (
    name TEXT NOT NULL PRIMARY KEY,
    credit BIGINT NOT NULL CHECK (credit > 0),
    currency TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    spend_until BIGINT NOT NULL,
    CHECK (starts_at < ends_at AND ends_at <= spend_until)
);
CREATE TABLE till_linking_credits (
    account_id TEXT NOT NULL PRIMARY KEY,
    person_key TEXT UNIQUE,
    wallet_id TEXT NOT NULL REFERENCES till_wallets (wallet_id),
    promotion TEXT NOT NULL REFERENCES till_promotions (name),
    transfer_id TEXT NOT NULL UNIQUE REFERENCES till_transfers (transfer_id),
    currency TEXT NOT NULL,
    spend_until BIGINT NOT NULL,
    granted_at BIGINT NOT NULL
);
CREATE INDEX till_linking_credits_wallet ON till_linking_credits (wallet_id);
CREATE INDEX till_linking_credits_end ON till_linking_credits (spend_until);
";

// One open charge a register, and one receipt key a charge, are the database's to enforce; so is
// that no more is refunded than was taken, part by part.
const CHARGES: &str = "
CREATE TABLE till_charges (
    charge_id TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    register_id TEXT NOT NULL REFERENCES till_registers (register_id),
    nonce TEXT NOT NULL,
    day BIGINT NOT NULL,
    number BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL,
    goal TEXT NOT NULL,
    reason TEXT,
    receipt_key TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    answered_at BIGINT,
    closed_at BIGINT,
    pedestal_id TEXT,
    wallet_id TEXT REFERENCES till_wallets (wallet_id),
    payment_method_id TEXT REFERENCES till_payment_methods (payment_method_id),
    credit_part BIGINT NOT NULL CHECK (credit_part >= 0),
    card_part BIGINT NOT NULL CHECK (card_part >= 0),
    credit_transfer TEXT REFERENCES till_transfers (transfer_id),
    card_transfer TEXT REFERENCES till_transfers (transfer_id),
    stored_credential TEXT,
    network_transaction_id TEXT,
    credit_refunding BIGINT NOT NULL,
    card_refunding BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    refunded_at BIGINT,
    UNIQUE (register_id, nonce),
    UNIQUE (shop_id, day, number),
    CHECK (wallet_id IS NULL OR credit_part + card_part = amount),
    CHECK (credit_refunding >= 0 AND credit_refunding <= credit_part),
    CHECK (card_refunding >= 0 AND card_refunding <= card_part),
    CHECK (refunded >= 0 AND refunded <= credit_refunding + card_refunding)
);
CREATE UNIQUE INDEX till_charges_open ON till_charges (register_id) WHERE state = 'requested';
CREATE INDEX till_charges_unfinished ON till_charges (state)
    WHERE state IN ('requested', 'identified', 'authorising', 'authorised', 'unknown');
CREATE INDEX till_charges_shop ON till_charges (shop_id, charge_id);
CREATE INDEX till_charges_register ON till_charges (register_id, charge_id);
CREATE INDEX till_charges_wallet ON till_charges (wallet_id, charge_id);
CREATE TABLE till_charge_steps (
    charge_id TEXT NOT NULL REFERENCES till_charges (charge_id),
    step BIGINT NOT NULL,
    state TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (charge_id, step)
);
CREATE TABLE till_refunds (
    refund_id TEXT NOT NULL PRIMARY KEY,
    charge_id TEXT NOT NULL REFERENCES till_charges (charge_id),
    register_id TEXT NOT NULL REFERENCES till_registers (register_id),
    nonce TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    credit_part BIGINT NOT NULL CHECK (credit_part >= 0),
    card_part BIGINT NOT NULL CHECK (card_part >= 0),
    credit_transfer TEXT REFERENCES till_transfers (transfer_id),
    card_transfer TEXT REFERENCES till_transfers (transfer_id),
    created_at BIGINT NOT NULL,
    closed_at BIGINT,
    UNIQUE (register_id, nonce),
    CHECK (credit_part + card_part > 0)
);
CREATE INDEX till_refunds_charge ON till_refunds (charge_id);
CREATE INDEX till_refunds_unfinished ON till_refunds (state) WHERE state IN ('asking', 'unknown');
";

// What a counter needs beyond the plain charge. `asked` is what the register asked for; `amount` is
// what the palm pays of it (a discount taken off, at a charge capture in part what was captured), so
// that the checks of step 3 go on holding.
const COUNTER: &str = "
ALTER TABLE till_shops ADD COLUMN tax_included BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE till_wallets ADD COLUMN pin_hash TEXT;
ALTER TABLE till_wallets ADD COLUMN pin_misses BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_wallets ADD COLUMN pin_always BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE till_limits (
    wallet_id TEXT NOT NULL REFERENCES till_wallets (wallet_id),
    currency TEXT NOT NULL,
    charge_max BIGINT NOT NULL CHECK (charge_max >= 0),
    day_max BIGINT NOT NULL CHECK (day_max >= 0),
    week_max BIGINT NOT NULL CHECK (week_max >= 0),
    PRIMARY KEY (wallet_id, currency)
);
CREATE TABLE till_detachments (
    payment_method_id TEXT NOT NULL PRIMARY KEY
        REFERENCES till_payment_methods (payment_method_id),
    reference TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL
);
CREATE INDEX till_detachments_due ON till_detachments (next_at);
CREATE TABLE till_instances (
    instance_id TEXT NOT NULL PRIMARY KEY,
    lease_until BIGINT NOT NULL
);
CREATE TABLE till_loyalty (
    wallet_id TEXT NOT NULL REFERENCES till_wallets (wallet_id),
    program TEXT NOT NULL,
    number TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (wallet_id, program),
    UNIQUE (program, number)
);
CREATE TABLE till_discounts (
    name TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    program TEXT NOT NULL,
    currency TEXT NOT NULL,
    fixed BIGINT CHECK (fixed > 0),
    percent BIGINT CHECK (percent > 0 AND percent <= 100),
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    CHECK ((fixed IS NULL) <> (percent IS NULL)),
    CHECK (starts_at < ends_at)
);
CREATE INDEX till_discounts_shop ON till_discounts (shop_id);
CREATE TABLE till_ages (
    wallet_id TEXT NOT NULL PRIMARY KEY REFERENCES till_wallets (wallet_id),
    years BIGINT NOT NULL,
    verified_by TEXT NOT NULL,
    verified_at BIGINT NOT NULL,
    until BIGINT NOT NULL
);
ALTER TABLE till_charges ADD COLUMN asked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_charges ADD COLUMN tip BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_charges ADD COLUMN cash BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_charges ADD COLUMN tax BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_charges ADD COLUMN discount BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_charges ADD COLUMN discount_name TEXT;
ALTER TABLE till_charges ADD COLUMN discount_transfer TEXT;
ALTER TABLE till_charges ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE till_charges ADD COLUMN hold_until BIGINT;
ALTER TABLE till_charges ADD COLUMN capture_amount BIGINT;
ALTER TABLE till_charges ADD COLUMN pay_key TEXT;
ALTER TABLE till_charges ADD COLUMN factor TEXT NOT NULL DEFAULT 'none';
ALTER TABLE till_charges ADD COLUMN factor_until BIGINT;
ALTER TABLE till_charges ADD COLUMN age_asked BIGINT;
ALTER TABLE till_charges ADD COLUMN gateway_payment TEXT;
ALTER TABLE till_charges ADD COLUMN sender TEXT;
ALTER TABLE till_charges ADD COLUMN tip_of TEXT;
ALTER TABLE till_charges ADD COLUMN disputed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE till_charges ADD COLUMN steps BIGINT NOT NULL DEFAULT 0;
UPDATE till_charges SET asked = amount, steps = (SELECT COUNT(*) FROM till_charge_steps s
    WHERE s.charge_id = till_charges.charge_id);
CREATE UNIQUE INDEX till_charges_pay_key ON till_charges (pay_key);
CREATE UNIQUE INDEX till_charges_tip_of ON till_charges (tip_of);
CREATE INDEX till_charges_spent ON till_charges (wallet_id, answered_at);
CREATE TABLE till_charge_lines (
    charge_id TEXT NOT NULL REFERENCES till_charges (charge_id),
    line BIGINT NOT NULL,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    unit BIGINT NOT NULL CHECK (unit >= 0),
    tax_ppm BIGINT NOT NULL CHECK (tax_ppm >= 0 AND tax_ppm <= 1000000),
    PRIMARY KEY (charge_id, line)
);
CREATE INDEX till_transfers_closed ON till_transfers (closed_at);
";

// What a gateway tells by itself, and what shops are told.
const NEWS: &str = "
CREATE TABLE till_gateway_events (
    event_id TEXT NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL,
    handled_at BIGINT
);
CREATE TABLE till_disputes (
    dispute TEXT NOT NULL PRIMARY KEY,
    charge_id TEXT NOT NULL REFERENCES till_charges (charge_id),
    amount BIGINT NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('open', 'won', 'lost')),
    reason TEXT NOT NULL,
    respond_by BIGINT,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    transfer_id TEXT NOT NULL REFERENCES till_transfers (transfer_id)
);
CREATE INDEX till_disputes_charge ON till_disputes (charge_id);
CREATE TABLE till_late_captures (
    charge_id TEXT NOT NULL PRIMARY KEY REFERENCES till_charges (charge_id),
    amount BIGINT NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('found', 'returned')),
    return_transfer TEXT NOT NULL REFERENCES till_transfers (transfer_id),
    found_at BIGINT NOT NULL,
    returned_at BIGINT
);
CREATE INDEX till_late_captures_open ON till_late_captures (state) WHERE state = 'found';
CREATE TABLE till_webhook_endpoints (
    endpoint_id TEXT NOT NULL PRIMARY KEY,
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
);
CREATE INDEX till_webhook_endpoints_shop ON till_webhook_endpoints (shop_id);
CREATE TABLE till_webhook_messages (
    message_id TEXT NOT NULL PRIMARY KEY,
    endpoint_id TEXT NOT NULL REFERENCES till_webhook_endpoints (endpoint_id),
    kind TEXT NOT NULL,
    charge_id TEXT NOT NULL REFERENCES till_charges (charge_id),
    at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    delivered_at BIGINT
);
CREATE INDEX till_webhook_messages_due ON till_webhook_messages (next_at)
    WHERE next_at IS NOT NULL;
CREATE TABLE till_day_closes (
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    day BIGINT NOT NULL,
    closed_at BIGINT NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (shop_id, day)
);
";

// What reaches beyond the counter: mails on payments and what their reader can do about one, orders
// paid online, goods handed over while the gateway did not answer, secrets that change.
const BEYOND: &str = "
ALTER TABLE till_charges ADD COLUMN mail_owed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE till_charges ADD COLUMN origin TEXT NOT NULL DEFAULT 'counter';
ALTER TABLE till_charges ADD COLUMN accepted_offline BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE till_refunds ADD COLUMN mail_owed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX till_charges_mail_owed ON till_charges (charge_id) WHERE mail_owed;
CREATE INDEX till_refunds_mail_owed ON till_refunds (refund_id) WHERE mail_owed;
CREATE INDEX till_charges_gateway_payment ON till_charges (gateway_payment)
    WHERE gateway_payment IS NOT NULL;
CREATE TABLE till_alarms (
    charge_id TEXT NOT NULL PRIMARY KEY REFERENCES till_charges (charge_id),
    alarm_key TEXT NOT NULL UNIQUE,
    made_at BIGINT NOT NULL,
    raised_at BIGINT
);
CREATE TABLE till_offline_floors (
    shop_id TEXT NOT NULL PRIMARY KEY REFERENCES till_shops (shop_id),
    charge_max BIGINT NOT NULL CHECK (charge_max > 0),
    sum_max BIGINT NOT NULL CHECK (sum_max >= charge_max),
    set_at BIGINT NOT NULL
);
CREATE TABLE till_offline (
    charge_id TEXT NOT NULL PRIMARY KEY REFERENCES till_charges (charge_id),
    shop_id TEXT NOT NULL REFERENCES till_shops (shop_id),
    amount BIGINT NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'lost')),
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    replay TEXT REFERENCES till_charges (charge_id),
    accepted_at BIGINT NOT NULL,
    closed_at BIGINT,
    CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX till_offline_open ON till_offline (next_at) WHERE state = 'open';
CREATE INDEX till_offline_shop ON till_offline (shop_id, state);
ALTER TABLE till_webhook_messages ADD COLUMN last_status BIGINT;
ALTER TABLE till_webhook_messages ADD COLUMN last_at BIGINT;
CREATE INDEX till_webhook_messages_endpoint ON till_webhook_messages (endpoint_id, at);
ALTER TABLE till_webhook_endpoints ADD COLUMN old_secret TEXT;
ALTER TABLE till_webhook_endpoints ADD COLUMN old_secret_until BIGINT;
";

// Orders that were given up before they began: their nonces never begin anything. And a day's refunds
// are found by their time, however many charges the shop ever had.
const CLOSED_ORDERS: &str = "
CREATE TABLE till_closed_orders (
    register_id TEXT NOT NULL REFERENCES till_registers (register_id),
    nonce TEXT NOT NULL,
    closed_at BIGINT NOT NULL,
    PRIMARY KEY (register_id, nonce)
);
CREATE INDEX till_refunds_closed ON till_refunds (closed_at);
";

// Charges that a pedestal's customer stepped back from while their hand was searched: no hover of
// that session pays them.
const STEP_BACKS: &str = "
CREATE TABLE till_step_backs (
    charge_id TEXT NOT NULL REFERENCES till_charges (charge_id),
    session BYTEA NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (charge_id, session)
);
";

#[cfg(test)]
mod tests {
    use handfast_store::{FromRow, Row, Store, StoreError, params};

    use super::*;

    /// A line of SQLite's plan: its last column.
    struct PlanLine(String);

    impl FromRow for PlanLine {
        fn from_row(row: &Row) -> Result<Self, StoreError> {
            row.get("detail").map(Self)
        }
    }

    /// What is asked every second or two must not grow with the charges there ever were.
    #[tokio::test]
    async fn what_is_asked_all_the_time_reads_no_whole_table() {
        let store = Store::connect("sqlite::memory:").await.unwrap();
        store.migrate(&MIGRATIONS).await.unwrap();
        for sql in [
            crate::charge_request::OVERDUE,
            crate::settle::UNFINISHED,
            crate::refund::UNFINISHED,
            crate::offline::DUE,
        ] {
            let explained: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into());
            let plan: Result<Vec<PlanLine>, StoreError> = store
                .read("plan", |tx| {
                    Box::pin(async move {
                        let parameters = (1..=3).filter(|n| sql.contains(&format!("${n}")));
                        let given =
                            params![0_i64, 0_i64, 0_i64].into_iter().take(parameters.count());
                        tx.fetch_all(explained, given.collect()).await
                    })
                })
                .await;
            for PlanLine(line) in plan.unwrap() {
                // The processes that serve the database are a handful.
                let whole = line.starts_with("SCAN") && line != "SCAN till_instances";
                assert!(!whole, "{line}\n{sql}");
            }
        }
    }
}
