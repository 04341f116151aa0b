//! A strict gateway for trying things out: embedded, with a database of its own, no network and no
//! card numbers. Its instruments have names that say what they do. It refuses what a strict
//! gateway refuses: a repeated idempotency key with another request, more captured than
//! authorised, more refunded than captured, a second capture, unknown references, currencies that
//! are not enabled, amounts of zero or less.

mod books;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::{Clock, Currency, Duration, Money, Random, SecretText};
use handfast_store::{Store, StoreError, params};
use thiserror::Error;

use crate::gateway::{
    Answer, Authorisation, AuthoriseRequest, CaptureRequest, Gateway, GatewayError, PaymentStatus,
    RefundRequest, RefundStatus, Refusal, SetupPaymentMethod, SetupRequest, SetupResult,
    SetupSession, Voided,
};
use crate::text::unguessable;

use books::{
    Authorised, MIGRATIONS, PaymentState, Trouble, chosen, give_back, hold, let_go, status, take,
};

/// How long the instrument that answers late keeps everybody waiting.
pub const LATE_BY: Duration = Duration::from_secs(5);
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
