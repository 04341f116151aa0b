//! What the till asks of a payment gateway: one small trait a flow, answers in the till's words. A
//! connector translates a gateway's wire format into these, in one file.
//!
//! What a connector guarantees, and the till relies on:
//! - **reference**: the till names each payment and each refund; a gateway knows at most one of a
//!   name, whatever it does with idempotency keys.
//! - **no answer is an answer**: [`GatewayError::NoAnswer`] where the request may have been carried
//!   out; a connector that is not sure says this one.
//! - **void fences**: after [`Payments::void`] said [`Voided::Done`], no money moves under that
//!   reference, even where an authorise of it is still under way. A gateway that cannot fence a
//!   name it has not heard of [prepares](Payments::prepares): it makes the payment first, without
//!   money, and the till keeps the gateway's own name of it before anything may move.

use std::future::Future;
use std::pin::Pin;

use handfast_model::{Money, SecretText, Timestamp, WalletId};
use thiserror::Error;

/// An answer that is waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, GatewayError>> + Send + 'a>>;

/// Why a gateway gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GatewayError {
    /// No answer in time: it may have been carried out. Ask with a lookup; do not repeat blindly.
    #[error("the gateway did not answer in time; the outcome is found out by asking it")]
    NoAnswer,
    /// The gateway refused the request itself: nothing happened.
    #[error("the gateway refused the request: {0}")]
    Refused(Refusal),
}

/// Why a gateway refuses a request as such (a decline by the issuer is not one of these).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The same idempotency key came with another request.
    #[error("this idempotency key was used for another request; use a new key")]
    KeyReused,
    /// The payment method reference is not one of this merchant's.
    #[error("unknown payment method reference; set it up again")]
    UnknownPaymentMethod,
    /// No payment of that reference.
    #[error("unknown payment reference")]
    UnknownPayment,
    /// No setup session of that name.
    #[error("unknown setup session; begin a new one")]
    UnknownSetup,
    /// The merchant does not take this currency.
    #[error("this currency is not enabled for the merchant")]
    CurrencyNotEnabled,
    /// The currency is not the payment's.
    #[error("the currency differs from the payment's")]
    CurrencyDiffers,
    /// Zero or less.
    #[error("an amount must be above zero")]
    AmountNotPositive,
    /// Above what the gateway takes at once.
    #[error("the amount is above the gateway's limit for one payment")]
    AmountTooLarge,
    /// A payment of that reference exists under another key.
    #[error("a payment of this reference exists already; look it up")]
    ReferenceTaken,
    /// Captured before.
    #[error("the payment was captured already")]
    AlreadyCaptured,
    /// Not in the state that the request needs.
    #[error("the payment is not authorised")]
    NotAuthorised,
    /// More than was authorised.
    #[error("a capture cannot exceed the authorised amount")]
    OverCapture,
    /// More than was captured and not yet refunded.
    #[error("a refund cannot exceed what was captured and not yet refunded")]
    OverRefund,
    /// Nothing was captured, so nothing can be refunded.
    #[error("the payment was not captured; void it instead")]
    NotCaptured,
    /// The payment was voided before it arrived.
    #[error("this payment was voided; nothing can be charged under its reference")]
    VoidedBefore,
    /// The session's page was used already.
    #[error("this setup session is over; begin a new one")]
    SetupOver,
    /// The gateway refuses for a reason that is none of the above.
    #[error("the gateway does not take this request; look at its own log")]
    Other,
    /// The gateway does not know our key.
    #[error("the gateway does not accept the API key; check its configuration")]
    Unauthenticated,
}

/// How a payment is named: by the till, and by the gateway itself where it prepares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentName {
    /// The till's name.
    pub reference: String,
    /// The gateway's name, once it has one.
    pub prepared: Option<String>,
}

/// Asks for a page of the gateway where a person leaves a payment method.
#[derive(Clone, Debug)]
pub struct SetupRequest {
    /// The till's name for the setup; also the idempotency key.
    pub reference: String,
    /// Whose it will be: a gateway that groups payment methods groups them by this.
    pub wallet: WalletId,
    /// Where the gateway's page sends the person back to.
    pub return_url: String,
}

/// The gateway's page for one setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupSession {
    /// The gateway's name for the session.
    pub session: String,
    /// The page the person is sent to.
    pub url: String,
}

/// What became of a setup.
#[derive(Clone, Debug)]
pub enum SetupResult {
    /// The person has not chosen yet.
    Open,
    /// A payment method was left.
    Completed(SetupPaymentMethod),
}

/// A payment method as a gateway tells of it: a reference and a label, never a number.
#[derive(Clone, Debug)]
pub struct SetupPaymentMethod {
    /// What stands for it in later requests.
    pub reference: SecretText,
    /// What the person recognises it by.
    pub label: String,
    /// The card network's id of the set-up transaction: later ones of the stored credential name it.
    pub network_transaction_id: Option<String>,
}

handfast_store::text_enum! {
    /// Whether a stored credential is used for the first time or again, and who is present.
    pub enum StoredCredential {
        /// The person is present and this is the first payment with it.
        CustomerPresentFirst = "customer_present_first",
        /// The person is present and it was used before.
        CustomerPresentSubsequent = "customer_present_subsequent",
        /// The person left: a late tip, or an offline charge that is sent later.
        MerchantInitiated = "merchant_initiated",
    }
}

/// Asks to hold money.
#[derive(Clone, Debug)]
pub struct AuthoriseRequest {
    /// Makes a repeat of the same request harmless.
    pub idempotency_key: String,
    /// The payment.
    pub payment: PaymentName,
    /// What to hold.
    pub amount: Money,
    /// Whose money: a payment method reference of a setup.
    pub payment_method: SecretText,
    /// First or subsequent, and who is present.
    pub stored_credential: StoredCredential,
    /// The id of the set-up or first transaction.
    pub initial_network_transaction_id: Option<String>,
}

/// The issuer's word on an authorise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorisation {
    /// The money is held.
    Approved {
        /// The card network's id of this transaction.
        network_transaction_id: Option<String>,
    },
    /// The issuer said no.
    Declined {
        /// Why, as one of the gateway's short codes (`insufficient_funds`).
        reason: String,
    },
}

/// Asks to take held money.
#[derive(Clone, Debug)]
pub struct CaptureRequest {
    /// Makes a repeat of the same request harmless.
    pub idempotency_key: String,
    /// The payment.
    pub payment: PaymentName,
    /// How much of what is held.
    pub amount: Money,
}

/// What became of a void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voided {
    /// No money moves under this reference any more.
    Done,
    /// Too late: it was captured.
    AlreadyCaptured,
}

/// Asks to give money back.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// Makes a repeat of the same request harmless.
    pub idempotency_key: String,
    /// The till's name for the refund.
    pub reference: String,
    /// The payment it is of.
    pub payment: PaymentName,
    /// How much.
    pub amount: Money,
}

/// What a gateway knows of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// No payment of that reference (an authorise may still be under way).
    NotFound,
    /// The gateway itself is still waiting.
    Pending,
    /// Held.
    Authorised {
        /// The card network's id of the transaction.
        network_transaction_id: Option<String>,
    },
    /// Taken.
    Captured {
        /// How much.
        amount: Money,
    },
    /// Let go.
    Voided,
    /// Refused by the issuer.
    Declined {
        /// Why.
        reason: String,
    },
}

/// What a gateway knows of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// No refund of that reference.
    NotFound,
    /// Given back.
    Done {
        /// How much.
        amount: Money,
    },
}

/// What the gateway did with one payment: its report, to compare with the books.
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

/// Something that a gateway tells by itself. Whatever moves money is looked up before it is
/// believed; the notice only says where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of the event: the same event comes more than once.
    pub event: String,
    /// What it is about.
    pub about: NoticeAbout,
}

/// What a notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeAbout {
    /// Something changed about the payment of this reference.
    Payment(String),
    /// A dispute opened or ended.
    Dispute(DisputeNotice),
    /// Nothing that concerns the till.
    Other,
}

/// What a gateway tells of a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeNotice {
    /// The gateway's id of it.
    pub dispute: String,
    /// The till's name of the payment.
    pub payment: String,
    /// How much is disputed.
    pub amount: Money,
    /// Where it stands.
    pub stage: DisputeStage,
    /// The gateway's short code of why.
    pub reason: String,
    /// Until when evidence is taken.
    pub respond_by: Option<Timestamp>,
}

handfast_store::text_enum! {
    /// Where a dispute stands.
    pub enum DisputeStage {
        /// The money is withheld until it is decided.
        Open = "open",
        /// The money stays with the shop.
        Won = "won",
        /// The money went back to the person.
        Lost = "lost",
    }
}

/// Why a notice is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoticeError {
    /// No signature, or one in another form.
    #[error("the webhook has no signature in the form t=...,v1=...; check the gateway's settings")]
    NoSignature,
    /// The signature is not of this body and secret.
    #[error("the webhook's signature does not fit; check the webhook secret")]
    WrongSignature,
    /// Signed too long ago, or in the future: perhaps sent again by somebody who listened.
    #[error("the webhook was signed at another time than now; check the clocks")]
    Stale,
    /// The body is not what the gateway sends.
    #[error("the webhook's body cannot be read")]
    Unreadable,
    /// This gateway sends none.
    #[error("this gateway sends no webhooks")]
    NotSupported,
}

/// Linking and unlinking payment methods.
pub trait Setups: Send + Sync {
    /// Opens a page of the gateway's own where a person leaves a payment method.
    fn create_setup<'a>(&'a self, request: &'a SetupRequest) -> Answer<'a, SetupSession>;
    /// What became of it.
    fn setup_result<'a>(&'a self, session: &'a str) -> Answer<'a, SetupResult>;
    /// Forgets a payment method: nothing can be charged to it any more. A repeat is harmless, and
    /// so is a reference that the gateway does not know (any more).
    fn detach<'a>(&'a self, payment_method: &'a SecretText) -> Answer<'a, ()>;
}

/// Taking money.
pub trait Payments: Send + Sync {
    /// Whether [`Payments::prepare`] must be called, and its answer kept, before an authorise.
    fn prepares(&self) -> bool {
        false
    }
    /// Makes a payment that moves no money yet; the answer is the gateway's name of it.
    fn prepare<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Option<String>> {
        let _ = request;
        Box::pin(async { Ok(None) })
    }
    /// Holds money.
    fn authorise<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Authorisation>;
    /// Takes held money.
    fn capture<'a>(&'a self, request: &'a CaptureRequest) -> Answer<'a, ()>;
    /// Lets held money go, and makes sure none is held under this reference later.
    fn void<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, Voided>;
    /// What the gateway knows of a payment.
    fn lookup<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, PaymentStatus>;
}

/// Giving money back.
pub trait Refunds: Send + Sync {
    /// Gives money back.
    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Answer<'a, ()>;
    /// What the gateway knows of a refund.
    fn lookup_refund<'a>(
        &'a self,
        reference: &'a str,
        payment: &'a PaymentName,
    ) -> Answer<'a, RefundStatus>;
}

/// What the gateway tells by itself.
pub trait Notices: Send + Sync {
    /// Reads a webhook: checks the signature header over the body, then the body.
    ///
    /// # Errors
    /// [`NoticeError`]; nothing of the body is believed then.
    fn read_notice(
        &self,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Notice, NoticeError>;
}

/// What the gateway says it did.
pub trait Reports: Send + Sync {
    /// Every payment that was made from `from` until before `until`.
    fn payments_made<'a>(
        &'a self,
        from: Timestamp,
        until: Timestamp,
    ) -> Answer<'a, Vec<ReportLine>>;
}

/// A payment gateway: all flows.
pub trait Gateway: Setups + Payments + Refunds + Notices + Reports {}

impl<T: Setups + Payments + Refunds + Notices + Reports> Gateway for T {}
