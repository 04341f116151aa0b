//! What the test gateway keeps, and the rules by which it is strict: one transaction a request.

use handfast_model::{Money, SecretText, Timestamp};
use handfast_store::{FromRow, Migration, Migrations, Row, StoreError, Tx, params};

use super::{DISPUTED_AFTER, Instrument, LATE_BY, news};
use crate::gateway::{
    Authorisation, AuthoriseRequest, CaptureRequest, DisputeStage, PaymentStatus, RefundRequest,
    Refusal, Voided,
};

pub(super) const MIGRATIONS: Migrations = Migrations {
    service: "test_gateway",
    steps: &[
        Migration { version: 1, name: "setups, payments, refunds", sql: TABLES },
        Migration { version: 2, name: "detached methods, late captures, news", sql: NEWS },
    ],
};

const NEWS: &str = "
ALTER TABLE tg_setups ADD COLUMN detached BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tg_payments ADD COLUMN captures_at BIGINT;
CREATE INDEX tg_payments_late ON tg_payments (captures_at) WHERE captures_at IS NOT NULL;
CREATE INDEX tg_payments_created ON tg_payments (created_at);
CREATE TABLE tg_events (
    event_id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    sends_left BIGINT NOT NULL
);
CREATE INDEX tg_events_due ON tg_events (due_at) WHERE sends_left > 0;
";

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
    /// Where a payment stands here.
    pub(super) enum PaymentState {
        Authorised = "authorised",
        Captured = "captured",
        Voided = "voided",
        Declined = "declined",
    }
}

/// A refusal that ends a transaction, or the database's failure.
#[derive(Debug)]
pub(super) enum Trouble {
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
pub(super) struct Authorised {
    pub answer: Authorisation,
    pub instrument: Instrument,
}

/// The instrument that was chosen in a session, if one was.
pub(super) async fn chosen(tx: &mut Tx<'_>, session: &str) -> Result<Option<Instrument>, Trouble> {
    let row: Option<(Option<Instrument>,)> = tx
        .fetch_optional("SELECT instrument FROM tg_setups WHERE session = $1", params![session])
        .await?;
    row.map(|(instrument,)| instrument).ok_or(Trouble::Refused(Refusal::UnknownSetup))
}

/// Whether this very request was carried out before under its key.
async fn repeats(tx: &mut Tx<'_>, key: &str, request: &str) -> Result<bool, Trouble> {
    let is_new = tx
        .execute(
            "INSERT INTO tg_keys (idempotency_key, request) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![key, request],
        )
        .await?;
    if is_new == 1 {
        return Ok(false);
    }
    let (earlier,): (String,) = tx
        .fetch_one("SELECT request FROM tg_keys WHERE idempotency_key = $1", params![key])
        .await?;
    if earlier == request { Ok(true) } else { Err(Refusal::KeyReused.into()) }
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
            "SELECT instrument FROM tg_setups WHERE method = $1 AND NOT detached",
            params![method.expose()],
        )
        .await?;
    let instrument = row.and_then(|(instrument,)| instrument);
    instrument.ok_or(Trouble::Refused(Refusal::UnknownPaymentMethod))
}

pub(super) async fn hold(
    tx: &mut Tx<'_>,
    request: &AuthoriseRequest,
    network_id: &str,
    now: Timestamp,
) -> Result<Authorised, Trouble> {
    let reference = &request.payment.reference;
    // Before its first row there is nothing to lock: a void of it waits here, and the other way round.
    tx.lock_name(reference).await?;
    let instrument = instrument_of(tx, &request.payment_method).await?;
    // The request's own content, without its key: a repeat must be the same in all of it.
    let body = format!(
        "authorise {reference} {} {} {} {}",
        request.amount.minor,
        request.amount.currency,
        request.payment_method.expose(),
        request.stored_credential,
    );
    let repeated = repeats(tx, &request.idempotency_key, &body).await?;
    if !repeated && is_fenced(tx, reference).await? {
        return Err(Refusal::VoidedBefore.into());
    }
    let approved = |network_id: &str| Authorisation::Approved {
        network_transaction_id: Some(network_id.to_owned()),
    };
    let reason = refused_by(instrument);
    if !repeated {
        if !insert_payment(tx, request, instrument, network_id, now).await? {
            return Err(Refusal::ReferenceTaken.into());
        }
        let answer = match reason {
            Some(reason) => Authorisation::Declined { reason: reason.to_owned() },
            None => approved(network_id),
        };
        return Ok(Authorised { answer, instrument });
    }
    let earlier = payment(tx, reference).await?.ok_or(Trouble::Refused(Refusal::UnknownPayment))?;
    let answer = match earlier.decline_reason {
        Some(reason) => Authorisation::Declined { reason },
        None => approved(&earlier.network_transaction_id),
    };
    Ok(Authorised { answer, instrument })
}

/// Why an instrument is declined, if it is.
const fn refused_by(instrument: Instrument) -> Option<&'static str> {
    match instrument {
        Instrument::AlwaysDeclines => Some("insufficient_funds"),
        Instrument::AsksTheBank => Some("authentication_required"),
        _ => None,
    }
}

/// False where a payment of that reference exists.
async fn insert_payment(
    tx: &mut Tx<'_>,
    request: &AuthoriseRequest,
    instrument: Instrument,
    network_id: &str,
    now: Timestamp,
) -> Result<bool, Trouble> {
    let reason = refused_by(instrument);
    let state = if reason.is_some() { PaymentState::Declined } else { PaymentState::Authorised };
    let answers_at = match instrument {
        Instrument::AnswersLate => now + LATE_BY,
        Instrument::CapturesLate => Timestamp::MAX,
        _ => now,
    };
    let inserted = tx
        .execute(
            "INSERT INTO tg_payments (reference, method, amount, currency, state, \
             decline_reason, network_transaction_id, captured, refunded, answers_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9) ON CONFLICT DO NOTHING",
            params![
                request.payment.reference,
                request.payment_method.expose(),
                request.amount.minor,
                request.amount.currency,
                state,
                reason,
                network_id,
                answers_at,
                now,
            ],
        )
        .await?;
    if instrument == Instrument::AnswersLate {
        news::about_payment(tx, &request.payment.reference, answers_at, 1).await?;
    }
    Ok(inserted == 1)
}

pub(super) async fn take(
    tx: &mut Tx<'_>,
    request: &CaptureRequest,
    now: Timestamp,
) -> Result<(), Trouble> {
    let Money { minor, currency } = request.amount;
    let reference = &request.payment.reference;
    let body = format!("capture {reference} {minor} {currency}");
    // Whoever lets go of the same payment has let go of it, or waits.
    tx.lock_name(reference).await?;
    if repeats(tx, &request.idempotency_key, &body).await? {
        return Ok(());
    }
    let taken: Option<(String,)> = tx
        .fetch_optional(
            "UPDATE tg_payments SET state = 'captured', captured = $1 WHERE reference = $2 \
             AND state = 'authorised' AND answers_at <= $3 AND currency = $4 AND amount >= $1 \
             RETURNING method",
            params![minor, reference, now, currency],
        )
        .await?;
    match taken {
        Some((method,)) => tell(tx, &method, request, now).await,
        None => Err(why_not_taken(tx, request, now).await),
    }
}

/// The webhooks that some instruments send after a capture.
async fn tell(
    tx: &mut Tx<'_>,
    method: &str,
    request: &CaptureRequest,
    now: Timestamp,
) -> Result<(), Trouble> {
    let reference = &request.payment.reference;
    match instrument_of(tx, &SecretText::new(method.to_owned())).await {
        Ok(Instrument::TellsTwice) => news::about_payment(tx, reference, now, 2).await,
        Ok(Instrument::GetsDisputed) => {
            let due_at = now + DISPUTED_AFTER;
            news::about_dispute(tx, reference, request.amount, DisputeStage::Open, due_at).await
        }
        // A method that was detached meanwhile tells nothing.
        Ok(_) | Err(Trouble::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn why_not_taken(tx: &mut Tx<'_>, request: &CaptureRequest, now: Timestamp) -> Trouble {
    let refused = why_refused(tx, request, now).await;
    match refused {
        Ok(refusal) => Trouble::Refused(refusal),
        Err(trouble) => trouble,
    }
}

async fn why_refused(
    tx: &mut Tx<'_>,
    request: &CaptureRequest,
    now: Timestamp,
) -> Result<Refusal, Trouble> {
    let Some(payment) = payment(tx, &request.payment.reference).await? else {
        return Ok(Refusal::UnknownPayment);
    };
    Ok(match payment.state {
        PaymentState::Captured => Refusal::AlreadyCaptured,
        PaymentState::Authorised if now < payment.answers_at => Refusal::NotAuthorised,
        PaymentState::Voided | PaymentState::Declined => Refusal::NotAuthorised,
        PaymentState::Authorised if payment.amount.currency != request.amount.currency => {
            Refusal::CurrencyDiffers
        }
        PaymentState::Authorised => Refusal::OverCapture,
    })
}

pub(super) async fn let_go(
    tx: &mut Tx<'_>,
    reference: &str,
    now: Timestamp,
) -> Result<Voided, Trouble> {
    tx.lock_name(reference).await?;
    let payment = payment(tx, reference).await?;
    match payment.as_ref().map(|payment| payment.state) {
        Some(PaymentState::Captured) => return Ok(Voided::AlreadyCaptured),
        Some(PaymentState::Voided | PaymentState::Declined) => {}
        Some(PaymentState::Authorised) => {
            // The one instrument that never answers is the one that captures all the same.
            let late = payment.is_some_and(|payment| payment.answers_at == Timestamp::MAX);
            tx.execute(
                "UPDATE tg_payments SET state = $1, captures_at = $2 WHERE reference = $3",
                params![PaymentState::Voided, late.then_some(now + LATE_BY), reference],
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

pub(super) async fn give_back(
    tx: &mut Tx<'_>,
    request: &RefundRequest,
    now: Timestamp,
) -> Result<(), Trouble> {
    let Money { minor, currency } = request.amount;
    let of = &request.payment.reference;
    let body = format!("refund {} {of} {minor} {currency}", request.reference);
    if repeats(tx, &request.idempotency_key, &body).await? {
        return Ok(());
    }
    let payment = payment(tx, of).await?.ok_or(Trouble::Refused(Refusal::UnknownPayment))?;
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
            params![request.reference, of, minor, currency, now],
        )
        .await?;
    if inserted == 0 {
        return Err(Refusal::ReferenceTaken.into());
    }
    tx.execute(
        "UPDATE tg_payments SET refunded = refunded + $1 WHERE reference = $2",
        params![minor, of],
    )
    .await?;
    Ok(())
}

pub(super) async fn status(
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
