//! What the test gateway keeps, and the rules by which it is strict: one transaction a request.

use handfast_model::{Money, SecretText, Timestamp};
use handfast_store::{FromRow, Migration, Migrations, Row, StoreError, Tx, params};

use super::{Instrument, LATE_BY};
use crate::gateway::{
    Authorisation, AuthoriseRequest, CaptureRequest, PaymentStatus, RefundRequest, Refusal, Voided,
};

pub(super) const MIGRATIONS: Migrations = Migrations {
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

pub(super) async fn hold(
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

pub(super) async fn take(
    tx: &mut Tx<'_>,
    request: &CaptureRequest,
    now: Timestamp,
) -> Result<(), Trouble> {
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

pub(super) async fn let_go(tx: &mut Tx<'_>, reference: &str) -> Result<Voided, Trouble> {
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

pub(super) async fn give_back(
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
