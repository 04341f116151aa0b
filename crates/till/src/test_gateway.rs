//! A strict gateway for trying things out: embedded, with a database of its own, no network and no
//! card numbers. Its instruments have names that say what they do. It refuses what a strict
//! gateway refuses: a repeated idempotency key with another request, more captured than
//! authorised, more refunded than captured, a second capture, unknown references, currencies that
//! are not enabled, amounts of zero or less.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::{Clock, Currency, Duration, Money, Random, SecretText, Timestamp};
use handfast_store::{FromRow, Migration, Migrations, Row, Store, StoreError, Tx, params};
use thiserror::Error;

use crate::gateway::{
    Answer, Authorisation, AuthoriseRequest, CaptureRequest, Gateway, GatewayError, PaymentStatus,
    RefundRequest, RefundStatus, Refusal, SetupPaymentMethod, SetupRequest, SetupResult,
    SetupSession, Voided,
};
use crate::text::unguessable;

/// How long the instrument that answers late keeps everybody waiting.
pub const LATE_BY: Duration = Duration::from_secs(5);
/// The most for one payment; above the till's own limit, so that the till's is the one met first.
pub const PAYMENT_MINOR_MAX: i64 = 1_000_000_000;

const MIGRATIONS: Migrations = Migrations {
    service: "test_gateway",
    steps: &[Migration { version: 1, name: "setups, payments, refunds", sql: TABLES }],
};

const TABLES: &str = "
CREATE TABLE tg_setups (
    session TEXT NOT NULL PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    return_url TEXT NOT NULL,
    instrument TEXT,
    method TEXT UNIQUE,
    network_transaction_id TEXT,
    created_at BIGINT NOT NULL
);
CREATE TABLE tg_payments (
    reference TEXT NOT NULL PRIMARY KEY,
    method TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    decline_reason TEXT,
    network_transaction_id TEXT NOT NULL,
    captured BIGINT NOT NULL CHECK (captured >= 0 AND captured <= amount),
    refunded BIGINT NOT NULL CHECK (refunded >= 0 AND refunded <= captured),
    answers_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE tg_refunds (
    reference TEXT NOT NULL PRIMARY KEY,
    payment TEXT NOT NULL REFERENCES tg_payments (reference),
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE tg_fences (
    reference TEXT NOT NULL PRIMARY KEY
);
CREATE TABLE tg_keys (
    idempotency_key TEXT NOT NULL PRIMARY KEY,
    request TEXT NOT NULL
);
";

handfast_store::text_enum! {
    /// What the hosted page offers instead of cards.
    pub enum Instrument {
        /// Every payment is approved.
        AlwaysApproves = "always_approves",
        /// Every payment is declined for insufficient funds.
        AlwaysDeclines = "always_declines",
        /// Holds the money, but the answer gets lost.
        TimesOut = "times_out",
        /// Gives no answer at first; the payment is approved a few seconds later.
        AnswersLate = "answers_late",
    }
}

impl Instrument {
    /// What a person reads on the page and in the wallet.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::AlwaysApproves => "Test card: always approves",
            Self::AlwaysDeclines => "Test card: always declines",
            Self::TimesOut => "Test card: times out",
            Self::AnswersLate => "Test card: answers late",
        }
    }

    /// What it does.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::AlwaysApproves => "Every payment goes through.",
            Self::AlwaysDeclines => "Every payment is declined: insufficient funds.",
            Self::TimesOut => "The money is held, but the answer gets lost on the way.",
            Self::AnswersLate => "No answer at first; approved a few seconds later.",
        }
    }
}

handfast_store::text_enum! {
    /// Where a payment stands here.
    enum PaymentState {
        Authorised = "authorised",
        Captured = "captured",
        Voided = "voided",
        Declined = "declined",
    }
}

/// What can be asked of the gateway, for faults that are aimed at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Create a setup, or ask for its result.
    Setup,
    /// Authorise.
    Authorise,
    /// Capture.
    Capture,
    /// Void.
    Void,
    /// Refund.
    Refund,
    /// Look up a payment or a refund.
    Lookup,
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives.
    RequestLost,
    /// It is carried out, and the answer never arrives.
    AnswerLost,
}

/// How the gateway is set up.
#[derive(Clone, Debug)]
pub struct TestGatewayOptions {
    /// Whose page it is: shown to the person.
    pub merchant: String,
    /// The page's address, to which a session's name is added.
    pub page_base: String,
    /// What the merchant takes.
    pub currencies: Vec<Currency>,
}

/// The page of one setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupPage {
    /// Whose page it is.
    pub merchant: String,
    /// What can be chosen.
    pub instruments: Vec<Instrument>,
}

/// What the gateway did with one payment: the merchant's report, to compare with the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// The till's name for the payment.
    pub reference: String,
    /// Held and neither taken nor let go.
    pub held: Money,
    /// Taken.
    pub captured: Money,
    /// Given back.
    pub refunded: Money,
}

/// Why the gateway's page refuses.
#[derive(Debug, Error)]
pub enum PageError {
    /// No session of that name, or used already, or another refusal.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such instrument.
    #[error("there is no such instrument; choose one of the page's")]
    UnknownInstrument,
    /// The gateway's database failed.
    #[error("the test gateway's database failed; try again")]
    Store(#[from] StoreError),
}

/// The strict test gateway.
pub struct TestGateway {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    options: TestGatewayOptions,
    faults: Mutex<VecDeque<(Operation, Fault)>>,
}

/// A refusal that ends a transaction, or the database's failure.
#[derive(Debug)]
enum Trouble {
    Refused(Refusal),
    Store(StoreError),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Trouble> for GatewayError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => Self::Refused(refusal),
            Trouble::Store(error) => {
                // Whoever asks cannot know whether it was carried out.
                tracing::error!(%error, "the test gateway's database failed");
                Self::NoAnswer
            }
        }
    }
}

impl From<Trouble> for PageError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => Self::Refused(refusal),
            Trouble::Store(error) => Self::Store(error),
        }
    }
}

struct Payment {
    amount: Money,
    state: PaymentState,
    decline_reason: Option<String>,
    network_transaction_id: String,
    captured: i64,
    refunded: i64,
    answers_at: Timestamp,
}

impl FromRow for Payment {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            amount: Money::new(row.get("amount")?, row.get("currency")?),
            state: row.get("state")?,
            decline_reason: row.get_optional("decline_reason")?,
            network_transaction_id: row.get("network_transaction_id")?,
            captured: row.get("captured")?,
            refunded: row.get("refunded")?,
            answers_at: row.get("answers_at")?,
        })
    }
}

/// An authorise as it was carried out, and whether its answer gets through.
struct Authorised {
    answer: Authorisation,
    instrument: Instrument,
}

impl TestGateway {
    /// Opens the gateway on its own database.
    ///
    /// # Errors
    /// [`StoreError`], for example where a newer program wrote the database.
    pub async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: TestGatewayOptions,
    ) -> Result<Self, StoreError> {
        store.migrate(&MIGRATIONS).await?;
        Ok(Self { store, clock, random, options, faults: Mutex::default() })
    }

    /// The next request for `operation` goes wrong; several are used up one by one.
    pub fn inject(&self, operation: Operation, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push_back((operation, fault));
    }

    /// What the page of a session shows.
    ///
    /// # Errors
    /// [`PageError::Refused`] where there is no such session, or it was used.
    pub async fn setup_page(&self, session: &str) -> Result<SetupPage, PageError> {
        let chosen = self
            .store
            .read("test_gateway.page", |tx| {
                Box::pin(async move { Ok::<_, Trouble>(chosen(tx, session).await?) })
            })
            .await?;
        if chosen.is_some() {
            return Err(Refusal::SetupOver.into());
        }
        Ok(SetupPage {
            merchant: self.options.merchant.clone(),
            instruments: Instrument::ALL.to_vec(),
        })
    }

    /// The person chooses an instrument on the page; returns where the page sends them. Choosing
    /// the same again is harmless.
    ///
    /// # Errors
    /// [`PageError::UnknownInstrument`], [`PageError::Refused`] where there is no such session or
    /// another instrument was chosen in it.
    pub async fn choose(&self, session: &str, instrument: &str) -> Result<String, PageError> {
        let instrument: Instrument =
            instrument.parse().map_err(|_| PageError::UnknownInstrument)?;
        let method = format!("tgm_{}", unguessable(&*self.random));
        let network_id = format!("tgn_{}", unguessable(&*self.random));
        let (method, network_id) = (&method, &network_id);
        let return_url = self
            .store
            .transaction("test_gateway.choose", |tx| {
                Box::pin(async move {
                    match chosen(tx, session).await? {
                        Some(earlier) if earlier == instrument => {}
                        Some(_) => return Err(Trouble::Refused(Refusal::SetupOver)),
                        None => {
                            tx.execute(
                                "UPDATE tg_setups SET instrument = $1, method = $2, \
                                 network_transaction_id = $3 WHERE session = $4",
                                params![instrument, method, network_id, session],
                            )
                            .await?;
                        }
                    }
                    let (url,): (String,) = tx
                        .fetch_one(
                            "SELECT return_url FROM tg_setups WHERE session = $1",
                            params![session],
                        )
                        .await?;
                    Ok(url)
                })
            })
            .await?;
        Ok(return_url)
    }

    /// Everything the gateway did, payment by payment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn report(&self) -> Result<Vec<ReportLine>, StoreError> {
        let rows: Vec<(String, Currency, PaymentState, i64, i64, i64)> = self
            .store
            .read("test_gateway.report", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT reference, currency, state, amount, captured, refunded \
                         FROM tg_payments ORDER BY reference",
                        params![],
                    )
                    .await
                })
            })
            .await?;
        let line = |(reference, currency, state, amount, captured, refunded)| ReportLine {
            reference,
            held: Money::new(if state == PaymentState::Authorised { amount } else { 0 }, currency),
            captured: Money::new(captured, currency),
            refunded: Money::new(refunded, currency),
        };
        Ok(rows.into_iter().map(line).collect())
    }

    fn take_fault(&self, operation: Operation) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let at = faults.iter().position(|(aimed_at, _)| *aimed_at == operation)?;
        faults.remove(at).map(|(_, fault)| fault)
    }

    /// Runs one request with whatever fault waits for it.
    async fn with_faults<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, Trouble>> + Send,
    ) -> Result<T, GatewayError> {
        match self.take_fault(operation) {
            None => Ok(work.await?),
            Some(Fault::RequestLost) => Err(GatewayError::NoAnswer),
            Some(Fault::AnswerLost) => {
                work.await?;
                Err(GatewayError::NoAnswer)
            }
        }
    }

    fn check_amount(&self, amount: Money) -> Result<(), Refusal> {
        if !self.options.currencies.contains(&amount.currency) {
            return Err(Refusal::CurrencyNotEnabled);
        }
        if amount.minor <= 0 {
            return Err(Refusal::AmountNotPositive);
        }
        if amount.minor > PAYMENT_MINOR_MAX {
            return Err(Refusal::AmountTooLarge);
        }
        Ok(())
    }

    async fn open_session(&self, request: &SetupRequest) -> Result<SetupSession, Trouble> {
        let now = self.clock.now();
        let fresh = unguessable(&*self.random);
        let fresh = &fresh;
        let (session,): (String,) = self
            .store
            .transaction("test_gateway.setup", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO tg_setups (session, reference, return_url, created_at) \
                         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                        params![fresh, request.reference, request.return_url, now],
                    )
                    .await?;
                    tx.fetch_optional(
                        "SELECT session FROM tg_setups WHERE reference = $1 AND return_url = $2",
                        params![request.reference, request.return_url],
                    )
                    .await?
                    .ok_or(Trouble::Refused(Refusal::KeyReused))
                })
            })
            .await?;
        let url = format!("{}{session}", self.options.page_base);
        Ok(SetupSession { session, url })
    }

    async fn session_result(&self, session: &str) -> Result<SetupResult, Trouble> {
        type Columns = (Option<Instrument>, Option<String>, Option<String>);
        let row: Option<Columns> = self
            .store
            .read("test_gateway.setup_result", |tx| {
                Box::pin(async move {
                    tx.fetch_optional(
                        "SELECT instrument, method, network_transaction_id FROM tg_setups \
                         WHERE session = $1",
                        params![session],
                    )
                    .await
                })
            })
            .await
            .map_err(Trouble::Store)?;
        match row {
            None => Err(Refusal::UnknownSetup.into()),
            Some((Some(instrument), Some(method), network_transaction_id)) => {
                Ok(SetupResult::Completed(SetupPaymentMethod {
                    reference: SecretText::new(method),
                    label: instrument.label().to_owned(),
                    network_transaction_id,
                }))
            }
            Some(_) => Ok(SetupResult::Open),
        }
    }

    async fn hold(&self, request: &AuthoriseRequest) -> Result<Authorised, Trouble> {
        self.check_amount(request.amount)?;
        let now = self.clock.now();
        let network_id = format!("tgn_{}", unguessable(&*self.random));
        let network_id = &network_id;
        self.store
            .transaction("test_gateway.authorise", |tx| {
                Box::pin(hold(tx, request, network_id, now))
            })
            .await
    }

    async fn take(&self, request: &CaptureRequest) -> Result<(), Trouble> {
        self.check_amount(request.amount)?;
        let now = self.clock.now();
        self.store.transaction("test_gateway.capture", |tx| Box::pin(take(tx, request, now))).await
    }

    async fn let_go(&self, reference: &str) -> Result<Voided, Trouble> {
        self.store.transaction("test_gateway.void", |tx| Box::pin(let_go(tx, reference))).await
    }

    async fn give_back(&self, request: &RefundRequest) -> Result<(), Trouble> {
        self.check_amount(request.amount)?;
        let now = self.clock.now();
        self.store
            .transaction("test_gateway.refund", |tx| Box::pin(give_back(tx, request, now)))
            .await
    }

    async fn status(&self, reference: &str) -> Result<PaymentStatus, Trouble> {
        let now = self.clock.now();
        self.store.read("test_gateway.lookup", |tx| Box::pin(status(tx, reference, now))).await
    }

    async fn refund_status(&self, reference: &str) -> Result<RefundStatus, Trouble> {
        let found: Option<(i64, Currency)> = self
            .store
            .read("test_gateway.lookup_refund", |tx| {
                Box::pin(async move {
                    tx.fetch_optional(
                        "SELECT amount, currency FROM tg_refunds WHERE reference = $1",
                        params![reference],
                    )
                    .await
                })
            })
            .await
            .map_err(Trouble::Store)?;
        Ok(match found {
            Some((minor, currency)) => RefundStatus::Done { amount: Money::new(minor, currency) },
            None => RefundStatus::NotFound,
        })
    }
}

impl Gateway for TestGateway {
    fn create_setup<'a>(&'a self, request: &'a SetupRequest) -> Answer<'a, SetupSession> {
        Box::pin(self.with_faults(Operation::Setup, self.open_session(request)))
    }

    fn setup_result<'a>(&'a self, session: &'a str) -> Answer<'a, SetupResult> {
        Box::pin(self.with_faults(Operation::Setup, self.session_result(session)))
    }

    fn authorise<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Authorisation> {
        Box::pin(async move {
            let done = self.with_faults(Operation::Authorise, self.hold(request)).await?;
            match done.instrument {
                Instrument::TimesOut | Instrument::AnswersLate => Err(GatewayError::NoAnswer),
                Instrument::AlwaysApproves | Instrument::AlwaysDeclines => Ok(done.answer),
            }
        })
    }

    fn capture<'a>(&'a self, request: &'a CaptureRequest) -> Answer<'a, ()> {
        Box::pin(self.with_faults(Operation::Capture, self.take(request)))
    }

    fn void<'a>(&'a self, reference: &'a str) -> Answer<'a, Voided> {
        Box::pin(self.with_faults(Operation::Void, self.let_go(reference)))
    }

    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Answer<'a, ()> {
        Box::pin(self.with_faults(Operation::Refund, self.give_back(request)))
    }

    fn lookup<'a>(&'a self, reference: &'a str) -> Answer<'a, PaymentStatus> {
        Box::pin(self.with_faults(Operation::Lookup, self.status(reference)))
    }

    fn lookup_refund<'a>(&'a self, reference: &'a str) -> Answer<'a, RefundStatus> {
        Box::pin(self.with_faults(Operation::Lookup, self.refund_status(reference)))
    }
}

/// The instrument that was chosen in a session, if one was.
async fn chosen(tx: &mut Tx<'_>, session: &str) -> Result<Option<Instrument>, Trouble> {
    let row: Option<(Option<Instrument>,)> = tx
        .fetch_optional("SELECT instrument FROM tg_setups WHERE session = $1", params![session])
        .await?;
    row.map(|(instrument,)| instrument).ok_or(Trouble::Refused(Refusal::UnknownSetup))
}

/// Whether this very request was carried out before under its key.
async fn repeats(tx: &mut Tx<'_>, key: &str, request: &str) -> Result<bool, Trouble> {
    let earlier: Option<(String,)> = tx
        .fetch_optional("SELECT request FROM tg_keys WHERE idempotency_key = $1", params![key])
        .await?;
    match earlier {
        Some((earlier,)) if earlier == request => Ok(true),
        Some(_) => Err(Refusal::KeyReused.into()),
        None => {
            tx.execute(
                "INSERT INTO tg_keys (idempotency_key, request) VALUES ($1, $2)",
                params![key, request],
            )
            .await?;
            Ok(false)
        }
    }
}

async fn payment(tx: &mut Tx<'_>, reference: &str) -> Result<Option<Payment>, Trouble> {
    Ok(tx
        .fetch_optional("SELECT * FROM tg_payments WHERE reference = $1", params![reference])
        .await?)
}

async fn is_fenced(tx: &mut Tx<'_>, reference: &str) -> Result<bool, Trouble> {
    let fence: Option<(String,)> = tx
        .fetch_optional("SELECT reference FROM tg_fences WHERE reference = $1", params![reference])
        .await?;
    Ok(fence.is_some())
}

async fn instrument_of(tx: &mut Tx<'_>, method: &SecretText) -> Result<Instrument, Trouble> {
    let row: Option<(Option<Instrument>,)> = tx
        .fetch_optional(
            "SELECT instrument FROM tg_setups WHERE method = $1",
            params![method.expose()],
        )
        .await?;
    let instrument = row.and_then(|(instrument,)| instrument);
    instrument.ok_or(Trouble::Refused(Refusal::UnknownPaymentMethod))
}

async fn hold(
    tx: &mut Tx<'_>,
    request: &AuthoriseRequest,
    network_id: &str,
    now: Timestamp,
) -> Result<Authorised, Trouble> {
    let instrument = instrument_of(tx, &request.payment_method).await?;
    // The request's own content, without its key: a repeat must be the same in all of it.
    let body = format!(
        "authorise {} {} {} {} {}",
        request.reference,
        request.amount.minor,
        request.amount.currency,
        request.payment_method.expose(),
        request.stored_credential,
    );
    let repeated = repeats(tx, &request.idempotency_key, &body).await?;
    let earlier = payment(tx, &request.reference).await?;
    let payment = match (earlier, repeated) {
        (Some(earlier), true) => earlier,
        (Some(_), false) => return Err(Refusal::ReferenceTaken.into()),
        (None, _) if is_fenced(tx, &request.reference).await? => {
            return Err(Refusal::VoidedBefore.into());
        }
        (None, _) => {
            insert_payment(tx, request, instrument, network_id, now).await?;
            payment(tx, &request.reference)
                .await?
                .ok_or(Trouble::Refused(Refusal::UnknownPayment))?
        }
    };
    let answer = match payment.decline_reason {
        Some(reason) => Authorisation::Declined { reason },
        None => {
            Authorisation::Approved { network_transaction_id: Some(payment.network_transaction_id) }
        }
    };
    Ok(Authorised { answer, instrument })
}

async fn insert_payment(
    tx: &mut Tx<'_>,
    request: &AuthoriseRequest,
    instrument: Instrument,
    network_id: &str,
    now: Timestamp,
) -> Result<(), Trouble> {
    let declined = instrument == Instrument::AlwaysDeclines;
    let state = if declined { PaymentState::Declined } else { PaymentState::Authorised };
    let late = instrument == Instrument::AnswersLate;
    tx.execute(
        "INSERT INTO tg_payments (reference, method, amount, currency, state, decline_reason, \
         network_transaction_id, captured, refunded, answers_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9)",
        params![
            request.reference,
            request.payment_method.expose(),
            request.amount.minor,
            request.amount.currency,
            state,
            declined.then_some("insufficient_funds"),
            network_id,
            if late { now + LATE_BY } else { now },
            now,
        ],
    )
    .await?;
    Ok(())
}

async fn take(tx: &mut Tx<'_>, request: &CaptureRequest, now: Timestamp) -> Result<(), Trouble> {
    let Money { minor, currency } = request.amount;
    let body = format!("capture {} {minor} {currency}", request.reference);
    if repeats(tx, &request.idempotency_key, &body).await? {
        return Ok(());
    }
    let payment =
        payment(tx, &request.reference).await?.ok_or(Trouble::Refused(Refusal::UnknownPayment))?;
    match payment.state {
        PaymentState::Authorised if now >= payment.answers_at => {}
        PaymentState::Captured => return Err(Refusal::AlreadyCaptured.into()),
        PaymentState::Authorised | PaymentState::Voided | PaymentState::Declined => {
            return Err(Refusal::NotAuthorised.into());
        }
    }
    if payment.amount.currency != currency {
        return Err(Refusal::CurrencyDiffers.into());
    }
    if minor > payment.amount.minor {
        return Err(Refusal::OverCapture.into());
    }
    tx.execute(
        "UPDATE tg_payments SET state = $1, captured = $2 WHERE reference = $3",
        params![PaymentState::Captured, minor, request.reference],
    )
    .await?;
    Ok(())
}

async fn let_go(tx: &mut Tx<'_>, reference: &str) -> Result<Voided, Trouble> {
    match payment(tx, reference).await?.map(|payment| payment.state) {
        Some(PaymentState::Captured) => return Ok(Voided::AlreadyCaptured),
        Some(PaymentState::Voided | PaymentState::Declined) => {}
        Some(PaymentState::Authorised) => {
            tx.execute(
                "UPDATE tg_payments SET state = $1 WHERE reference = $2",
                params![PaymentState::Voided, reference],
            )
            .await?;
        }
        // An authorise of it may still be under way: it is refused when it arrives.
        None => {
            tx.execute(
                "INSERT INTO tg_fences (reference) VALUES ($1) ON CONFLICT DO NOTHING",
                params![reference],
            )
            .await?;
        }
    }
    Ok(Voided::Done)
}

async fn give_back(
    tx: &mut Tx<'_>,
    request: &RefundRequest,
    now: Timestamp,
) -> Result<(), Trouble> {
    let Money { minor, currency } = request.amount;
    let body = format!("refund {} {} {minor} {currency}", request.reference, request.payment);
    if repeats(tx, &request.idempotency_key, &body).await? {
        return Ok(());
    }
    let payment =
        payment(tx, &request.payment).await?.ok_or(Trouble::Refused(Refusal::UnknownPayment))?;
    if payment.state != PaymentState::Captured {
        return Err(Refusal::NotCaptured.into());
    }
    if payment.amount.currency != currency {
        return Err(Refusal::CurrencyDiffers.into());
    }
    if minor > payment.captured - payment.refunded {
        return Err(Refusal::OverRefund.into());
    }
    let inserted = tx
        .execute(
            "INSERT INTO tg_refunds (reference, payment, amount, currency, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            params![request.reference, request.payment, minor, currency, now],
        )
        .await?;
    if inserted == 0 {
        return Err(Refusal::ReferenceTaken.into());
    }
    tx.execute(
        "UPDATE tg_payments SET refunded = refunded + $1 WHERE reference = $2",
        params![minor, request.payment],
    )
    .await?;
    Ok(())
}

async fn status(
    tx: &mut Tx<'_>,
    reference: &str,
    now: Timestamp,
) -> Result<PaymentStatus, Trouble> {
    let Some(payment) = payment(tx, reference).await? else {
        let fenced = is_fenced(tx, reference).await?;
        return Ok(if fenced { PaymentStatus::Voided } else { PaymentStatus::NotFound });
    };
    Ok(match payment.state {
        PaymentState::Authorised if now < payment.answers_at => PaymentStatus::Pending,
        PaymentState::Authorised => PaymentStatus::Authorised {
            network_transaction_id: Some(payment.network_transaction_id),
        },
        PaymentState::Captured => PaymentStatus::Captured {
            amount: Money::new(payment.captured, payment.amount.currency),
        },
        PaymentState::Voided => PaymentStatus::Voided,
        PaymentState::Declined => {
            PaymentStatus::Declined { reason: payment.decline_reason.unwrap_or_default() }
        }
    })
}
