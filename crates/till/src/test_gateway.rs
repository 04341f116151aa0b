//! A strict gateway for trying things out: embedded, with a database of its own, no network and no
//! card numbers. Its instruments have names that say what they do. It refuses what a strict
//! gateway refuses: a repeated idempotency key with another request, more captured than
//! authorised, more refunded than captured, a second capture, unknown references and detached
//! payment methods, currencies that are not enabled, amounts of zero or less. It sends webhooks
//! of its own, some of them twice.

mod books;
mod news;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::{Clock, Currency, Duration, Money, Random, SecretText, Timestamp};
use handfast_store::{Store, StoreError, params};
use thiserror::Error;

use crate::gateway::{
    Answer, Authorisation, AuthoriseRequest, CaptureRequest, GatewayError, PaymentName,
    PaymentStatus, Payments, RefundRequest, RefundStatus, Refunds, Refusal, ReportLine, Reports,
    SetupPaymentMethod, SetupRequest, SetupResult, SetupSession, Setups, Voided,
};
use crate::text::unguessable;

pub use news::SentNotice;

use books::{
    Authorised, MIGRATIONS, PaymentState, Trouble, chosen, give_back, hold, let_go, status, take,
};

/// How long the instrument that answers late keeps everybody waiting.
pub const LATE_BY: Duration = Duration::from_secs(5);
/// How long after its capture the instrument that gets disputed is.
pub const DISPUTED_AFTER: Duration = Duration::from_minutes(1);
/// The most for one payment; above the till's own limit, so that the till's is the one met first.
pub const PAYMENT_MINOR_MAX: i64 = 1_000_000_000;

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
        /// The bank wants its customer to confirm each payment (3-D Secure): declined at a counter.
        AsksTheBank = "asks_the_bank",
        /// Gives no answer, says it let go, and captures all the same.
        CapturesLate = "captures_late",
        /// Approved; disputed a minute after it was captured.
        GetsDisputed = "gets_disputed",
        /// Approved; tells of everything by webhook, twice.
        TellsTwice = "tells_twice",
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
            Self::AsksTheBank => "Test card: the bank asks each time",
            Self::CapturesLate => "Test card: captures after letting go",
            Self::GetsDisputed => "Test card: gets disputed",
            Self::TellsTwice => "Test card: tells everything twice",
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
            Self::AsksTheBank => {
                "Declined at a counter: the bank wants a confirmation (3-D Secure)."
            }
            Self::CapturesLate => "No answer; says that it let go, and takes the money later.",
            Self::GetsDisputed => "Every payment goes through and is disputed a minute later.",
            Self::TellsTwice => "Every payment goes through; each webhook arrives twice.",
        }
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
    /// Detach a payment method.
    Detach,
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
    /// How long each request of payments and refunds takes beside its work.
    latency: std::time::Duration,
    /// Webhooks are signed and read by this very process: no other ever needs the secret.
    webhook_secret: SecretText,
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
        let webhook_secret = SecretText::new(unguessable(&*random));
        let (faults, latency) = (Mutex::default(), std::time::Duration::ZERO);
        Ok(Self { store, clock, random, options, faults, latency, webhook_secret })
    }

    /// Answers each request of payments and refunds so much later, as a gateway across a continent
    /// does: to measure what a customer waits.
    #[must_use]
    pub fn far_away(mut self, latency: std::time::Duration) -> Self {
        self.latency = latency;
        self
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
        let chosen =
            self.store.read("test_gateway.page", |tx| Box::pin(chosen(tx, session))).await?;
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
        match self.lines_between(Timestamp::from_micros(i64::MIN), Timestamp::MAX).await {
            Ok(lines) => Ok(lines),
            Err(Trouble::Store(error)) => Err(error),
            // A report refuses nothing.
            Err(Trouble::Refused(_)) => Ok(Vec::new()),
        }
    }

    /// How many payment methods were detached.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn detached_methods(&self) -> Result<i64, StoreError> {
        let counted: Result<(i64,), StoreError> = self
            .store
            .read("test_gateway.detached", |tx| {
                Box::pin(async move {
                    tx.fetch_one("SELECT COUNT(*) FROM tg_setups WHERE detached", params![]).await
                })
            })
            .await;
        Ok(counted?.0)
    }

    /// A payment method of somebody, for whoever works at the gateway past the till.
    ///
    /// # Errors
    /// [`StoreError`] where there is none.
    pub async fn any_method(&self) -> Result<SecretText, StoreError> {
        let found: Result<(String,), StoreError> = self
            .store
            .read("test_gateway.method", |tx| {
                Box::pin(async move {
                    let sql = "SELECT method FROM tg_setups WHERE method IS NOT NULL LIMIT 1";
                    tx.fetch_one(sql, params![]).await
                })
            })
            .await;
        Ok(SecretText::new(found?.0))
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
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
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
            .row_locked("test_gateway.authorise", |tx| Box::pin(hold(tx, request, network_id, now)))
            .await
    }

    async fn take(&self, request: &CaptureRequest) -> Result<(), Trouble> {
        self.check_amount(request.amount)?;
        let now = self.clock.now();
        self.store.row_locked("test_gateway.capture", |tx| Box::pin(take(tx, request, now))).await
    }

    async fn let_go(&self, reference: &str) -> Result<Voided, Trouble> {
        let now = self.clock.now();
        self.store.row_locked("test_gateway.void", |tx| Box::pin(let_go(tx, reference, now))).await
    }

    async fn forget_method(&self, method: &SecretText) -> Result<(), Trouble> {
        self.store
            .transaction("test_gateway.detach", |tx| {
                Box::pin(async move {
                    tx.execute(
                        "UPDATE tg_setups SET detached = TRUE WHERE method = $1",
                        params![method.expose()],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn lines_between(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<ReportLine>, Trouble> {
        let rows: Vec<(String, Currency, PaymentState, i64, i64, i64)> = self
            .store
            .read("test_gateway.report", |tx| {
                Box::pin(async move {
                    tx.fetch_all(
                        "SELECT reference, currency, state, amount, captured, refunded \
                         FROM tg_payments WHERE created_at >= $1 AND created_at < $2 \
                         ORDER BY reference",
                        params![from, until],
                    )
                    .await
                })
            })
            .await
            .map_err(Trouble::Store)?;
        let line = |(reference, currency, state, amount, captured, refunded)| ReportLine {
            reference,
            held: Money::new(if state == PaymentState::Authorised { amount } else { 0 }, currency),
            captured: Money::new(captured, currency),
            refunded: Money::new(refunded, currency),
        };
        Ok(rows.into_iter().map(line).collect())
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

impl Setups for TestGateway {
    fn create_setup<'a>(&'a self, request: &'a SetupRequest) -> Answer<'a, SetupSession> {
        Box::pin(self.with_faults(Operation::Setup, self.open_session(request)))
    }

    fn setup_result<'a>(&'a self, session: &'a str) -> Answer<'a, SetupResult> {
        Box::pin(self.with_faults(Operation::Setup, self.session_result(session)))
    }

    fn detach<'a>(&'a self, payment_method: &'a SecretText) -> Answer<'a, ()> {
        Box::pin(self.with_faults(Operation::Detach, self.forget_method(payment_method)))
    }
}

impl Payments for TestGateway {
    fn authorise<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Authorisation> {
        Box::pin(async move {
            let done = self.with_faults(Operation::Authorise, self.hold(request)).await?;
            match done.instrument {
                Instrument::TimesOut | Instrument::AnswersLate | Instrument::CapturesLate => {
                    Err(GatewayError::NoAnswer)
                }
                _ => Ok(done.answer),
            }
        })
    }

    fn capture<'a>(&'a self, request: &'a CaptureRequest) -> Answer<'a, ()> {
        Box::pin(self.with_faults(Operation::Capture, self.take(request)))
    }

    fn void<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, Voided> {
        Box::pin(self.with_faults(Operation::Void, self.let_go(&payment.reference)))
    }

    fn lookup<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, PaymentStatus> {
        Box::pin(self.with_faults(Operation::Lookup, self.status(&payment.reference)))
    }
}

impl Refunds for TestGateway {
    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Answer<'a, ()> {
        Box::pin(self.with_faults(Operation::Refund, self.give_back(request)))
    }

    fn lookup_refund<'a>(
        &'a self,
        reference: &'a str,
        _payment: &'a PaymentName,
    ) -> Answer<'a, RefundStatus> {
        Box::pin(self.with_faults(Operation::Lookup, self.refund_status(reference)))
    }
}

impl Reports for TestGateway {
    fn payments_made<'a>(
        &'a self,
        from: Timestamp,
        until: Timestamp,
    ) -> Answer<'a, Vec<ReportLine>> {
        Box::pin(async move { Ok(self.lines_between(from, until).await?) })
    }
}
