//! What a shop's pages cost after a million transfers:
//!
//! `cargo run -p handfast-till --example million [-- TRANSFERS]`
//!
//! Nine of ten transfers are charges by card, the tenth gives one back; a tenth of all belongs to each
//! of ten days. The rows are written by SQL as the till would have left them, on SQLite on disk, and the
//! audit, which computes the books again from their rows, has to agree before anything is measured.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a table for people: whatever cannot be prepared ends it, and real time is what it tells"
)]

use std::sync::Arc;
use std::time::Instant;

use handfast_model::{
    Currency, DeviceId, Duration, ManualClock, Money, SeededRandom, ShopId, Timestamp, VenueId,
};
use handfast_store::{Store, params};
use handfast_till::test_gateway::{Instrument, TestGateway, TestGatewayOptions};
use handfast_till::{Description, Label, NewShop, Nonce, OrderPayment, PayOutcome, SetupId, Till};

const TRANSFERS: i64 = 1_000_000;
const DAYS: i64 = 10;
const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// A page is asked for so often, for a median.
const LOOKS: usize = 21;

struct Books {
    till: Till,
    store: Store,
    clock: Arc<ManualClock>,
    shop: ShopId,
    register: DeviceId,
}

impl Books {
    /// A shop with one charge, paid by card through the till itself: the row that all others copy.
    async fn open(store: Store) -> Self {
        let (clock, random) = (Arc::new(ManualClock::at(START)), Arc::new(SeededRandom::new(7)));
        let options = TestGatewayOptions {
            merchant: "A million transfers".to_owned(),
            page_base: "/setup/".to_owned(),
            currencies: vec![Currency::Usd],
        };
        let memory = Store::connect("sqlite::memory:").await.unwrap();
        let gateway = TestGateway::open(memory, clock.clone(), random.clone(), options).await;
        let gateway = Arc::new(gateway.unwrap());
        let till = Till::open(store.clone(), gateway.clone(), clock.clone(), random.clone());
        let till = till.await.unwrap();
        let shop = NewShop {
            venue: VenueId::new(&*clock, &*random),
            name: Label::parse("Shop").unwrap(),
            currency: Currency::Usd,
            utc_offset_minutes: 0,
        };
        let shop = till.add_shop(&shop).await.unwrap();
        let register = DeviceId::new(&*clock, &*random);
        till.add_register(register, shop).await.unwrap();
        let account = handfast_model::AccountId::new(&*clock, &*random);
        let started = till.begin_setup(account, "/back/").await.unwrap();
        let session = started.url.rsplit('/').next().unwrap();
        let instrument = Instrument::AlwaysApproves.as_str();
        let back = gateway.choose(session, instrument).await.unwrap();
        let setup = SetupId::from_text(back.strip_prefix("/back/").unwrap());
        till.complete_setup(account, &setup, None).await.unwrap();
        let order = OrderPayment {
            register,
            account,
            amount: Money::new(1_250, Currency::Usd),
            description: Description::parse("2 lager").unwrap(),
            nonce: Nonce::parse("the-first").unwrap(),
        };
        let PayOutcome::Paid(_) = till.pay_order(&order).await.unwrap() else { panic!("unpaid") };
        Self { till, store, clock, shop, register }
    }

    /// Copies the one charge and its transfer, in SQL.
    async fn fill(&self, transfers: i64) {
        let charges = transfers / 10 * 9;
        let per_day = charges / DAYS;
        for day in 0..DAYS {
            let (first, last) = (day * per_day + 1, (day + 1) * per_day);
            let filled = self.store.transaction("fill", |tx| {
                Box::pin(async move {
                    for sql in [CHARGES, CHARGE_TRANSFERS, REFUND_TRANSFERS, REFUNDS] {
                        tx.execute(sql, params![first, last, day]).await?;
                    }
                    Ok::<_, handfast_store::StoreError>(())
                })
            });
            filled.await.unwrap();
        }
        let done = self.store.transaction("sums", |tx| {
            Box::pin(async move {
                for sql in [LINKS, REFUNDED, COUNTERS, NUMBERS] {
                    tx.execute(sql, params![]).await?;
                }
                Ok::<_, handfast_store::StoreError>(())
            })
        });
        done.await.unwrap();
    }
}

/// Charges `$1` to `$2`, on the day so many after the first.
const CHARGES: &str = "
WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO till_charges (charge_id, shop_id, register_id, nonce, day, number, amount, currency,
    description, state, goal, receipt_key, created_at, expires_at, answered_at, closed_at, wallet_id,
    payment_method_id, credit_part, card_part, stored_credential, network_transaction_id,
    credit_refunding, card_refunding, refunded, asked, origin, steps)
SELECT 'chg_7' || printf('%025d', i), shop_id, register_id, 'n' || printf('%08d', i), day + $3, i + 1,
    amount, currency, description, state, goal, 'r' || printf('%025d', i),
    created_at + $3 * 86400000000, expires_at, answered_at, closed_at + $3 * 86400000000, wallet_id,
    payment_method_id, 0, amount, stored_credential, network_transaction_id, 0, 0, 0, amount, origin,
    steps
FROM n JOIN till_charges c ON c.nonce = 'the-first'";
const CHARGE_TRANSFERS: &str = "
WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO till_transfers (transfer_id, debit_account, credit_account, currency, amount,
    posted_amount, state, purpose, subject, created_at, closed_at)
SELECT 'xfr_7' || printf('%025d', i), t.debit_account, t.credit_account, t.currency, t.amount,
    t.amount, 'posted', t.purpose, 'chg_7' || printf('%025d', i), t.created_at + $3 * 86400000000,
    t.closed_at + $3 * 86400000000
FROM n JOIN till_charges c ON c.nonce = 'the-first' JOIN till_transfers t
    ON t.transfer_id = c.card_transfer";
/// Every ninth charge is given back.
const REFUNDS: &str = "
INSERT INTO till_refunds (refund_id, charge_id, register_id, nonce, state, credit_part, card_part,
    card_transfer, created_at, closed_at)
SELECT 'rfd' || substr(charge_id, 4), charge_id, register_id, 'b' || nonce, 'done', 0, amount,
    'xfr_6' || substr(charge_id, 6), created_at, closed_at
FROM till_charges WHERE number - 1 BETWEEN $1 AND $2 AND (number - 1) % 9 = 0
    AND charge_id LIKE 'chg_7%' AND $3 >= 0";
const REFUND_TRANSFERS: &str = "
INSERT INTO till_transfers (transfer_id, debit_account, credit_account, currency, amount,
    posted_amount, state, purpose, subject, created_at, closed_at)
SELECT 'xfr_6' || substr(c.charge_id, 6), t.credit_account, t.debit_account, t.currency, t.amount,
    t.amount, 'posted', 'refund_card', 'rfd' || substr(c.charge_id, 4), c.created_at, c.closed_at
FROM till_charges c JOIN till_transfers t ON t.transfer_id = 'xfr' || substr(c.charge_id, 4)
WHERE c.number - 1 BETWEEN $1 AND $2 AND (c.number - 1) % 9 = 0 AND c.charge_id LIKE 'chg_7%'
    AND $3 >= 0";
const LINKS: &str = "
UPDATE till_charges SET card_transfer = 'xfr' || substr(charge_id, 4) WHERE charge_id LIKE 'chg_7%'";
const REFUNDED: &str = "
UPDATE till_charges SET card_refunding = amount, refunded = amount, refunded_at = closed_at
WHERE charge_id IN (SELECT charge_id FROM till_refunds)";
const COUNTERS: &str = "
UPDATE till_ledger_accounts SET
    debits_posted = (SELECT COALESCE(SUM(posted_amount), 0) FROM till_transfers
                     WHERE debit_account = ledger_account_id),
    credits_posted = (SELECT COALESCE(SUM(posted_amount), 0) FROM till_transfers
                      WHERE credit_account = ledger_account_id)";
const NUMBERS: &str = "
INSERT INTO till_shop_days (shop_id, day, last_number)
SELECT shop_id, day, MAX(number) FROM till_charges WHERE true GROUP BY shop_id, day
ON CONFLICT (shop_id, day) DO UPDATE SET last_number = excluded.last_number";

/// Forgets how much memory the process had at most (proc(5), `clear_refs`).
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// The most memory that this process had since, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

async fn median_ms(mut work: impl AsyncFnMut()) -> f64 {
    let mut times = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let begun = Instant::now();
        work().await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[LOOKS / 2].as_secs_f64() * 1_000.0
}

async fn measure(transfers: i64) {
    let home = tempfile::tempdir().unwrap();
    let place = format!("sqlite:{}", home.path().join("till.db").display());
    let books = Books::open(Store::connect(&place).await.unwrap()).await;
    books.fill(transfers).await;
    forget_peak();
    let before = peak_kib();
    let Books { till, register, .. } = &books;
    let first = till.shop_statement(*register, None).await.unwrap();
    let mut middle = first.next;
    for _ in 0..20 {
        middle = till.shop_statement(*register, middle).await.unwrap().next;
    }
    let newest =
        median_ms(async || drop(till.shop_statement(*register, None).await.unwrap())).await;
    let older =
        median_ms(async || drop(till.shop_statement(*register, middle).await.unwrap())).await;
    books.clock.advance(Duration::from_days(DAYS + 1));
    let begun = Instant::now();
    let closed = till.close_days_due().await.unwrap();
    let close_ms = begun.elapsed().as_secs_f64() * 1_000.0 / closed.max(1) as f64;
    let grown = peak_kib().saturating_sub(before);
    let begun = Instant::now();
    let audit = till.audit().await.unwrap();
    let audit_s = begun.elapsed().as_secs_f64();
    assert!(audit.is_clean(), "{audit:?}");
    let shop = books.shop;
    assert!(till.shop(shop).await.is_ok() && closed as i64 == DAYS);
    println!(
        "| {transfers} | {newest:.1} | {older:.1} | {close_ms:.0} | {:.1} | {audit_s:.1} |",
        grown as f64 / 1_024.0
    );
}

fn main() {
    let asked = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(TRANSFERS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "| transfers | statement page, newest (ms) | 20 pages on (ms) | a day's close (ms) | memory \
         grown by both (MB) | audit of all (s) |\n|---|---|---|---|---|---|"
    );
    runtime.block_on(async {
        for transfers in [asked / 100, asked / 10, asked] {
            measure(transfers.max(DAYS * 10)).await;
        }
    });
}
