//! What people are told by mail of their money: every payment and every refund, owed from the same
//! transaction that moved it; and "this was not me", which freezes the wallet at once.

use handfast_model::{AccountId, ChargeId, Currency, Money, RefundId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::Till;
use crate::charge::by_id;
use crate::error::{Thing, TillError};
use crate::text::{AlarmKey, ReceiptKey};

/// How many mails one round hands over, so that a round ends.
const ROUND_MAX: i64 = 50;

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailAbout {
    /// A charge was paid.
    Payment,
    /// Money came back.
    Refund(RefundId),
}

/// A mail that is owed to an account's holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedMail {
    /// What it is about.
    pub about: MailAbout,
    /// The charge.
    pub charge: ChargeId,
    /// Whose wallet it was.
    pub account: AccountId,
    /// Where.
    pub shop_name: String,
    /// The charge's number at the counter.
    pub number: i64,
    /// What moved.
    pub amount: Money,
    /// Of a payment, what credit paid.
    pub credit: Money,
    /// When.
    pub at: Timestamp,
    /// The shop's clock, in minutes east of UTC.
    pub utc_offset_minutes: i64,
    /// Opens the receipt.
    pub receipt: ReceiptKey,
    /// Says "this was not me".
    pub alarm: AlarmKey,
}

impl FromRow for OwedMail {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let currency: Currency = row.get("currency")?;
        let refund: Option<RefundId> = row.get_optional("refund_id")?;
        Ok(Self {
            about: refund.map_or(MailAbout::Payment, MailAbout::Refund),
            charge: row.get("charge_id")?,
            account: row.get("account_id")?,
            shop_name: row.get("shop_name")?,
            number: row.get("number")?,
            amount: Money::new(row.get("moved")?, currency),
            credit: Money::new(row.get("credit_part")?, currency),
            at: row.get("moved_at")?,
            utc_offset_minutes: row.get("utc_offset_minutes")?,
            receipt: row.get("receipt_key")?,
            alarm: row.get("alarm_key")?,
        })
    }
}

/// A payment of which somebody may say that it was not them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Where.
    pub shop_name: String,
    /// How much.
    pub amount: Money,
    /// When it was paid.
    pub at: Timestamp,
    /// When they said so.
    pub raised_at: Option<Timestamp>,
    /// Whose wallet is frozen by it.
    pub account: AccountId,
}

impl Till {
    /// The mails that are owed, oldest first. Hand each to an outbox that knows it by its charge or
    /// refund, then call [`Till::mail_handed_over`]: a death in between hands it over again.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn mails_owed(&self) -> Result<Vec<OwedMail>, TillError> {
        let unnamed: Vec<(ChargeId,)> =
            self.store.read("mail.unnamed", |tx| Box::pin(unnamed(tx))).await?;
        if !unnamed.is_empty() {
            let named: Vec<(ChargeId, AlarmKey)> =
                unnamed.into_iter().map(|(id,)| (id, AlarmKey::new(&*self.random))).collect();
            let (named, now) = (&named, self.now());
            self.store.transaction("mail.name", |tx| Box::pin(name(tx, named, now))).await?;
        }
        self.store.read("mail.owed", |tx| Box::pin(owed(tx))).await
    }

    /// The outbox has the mail.
    ///
    /// # Errors
    /// [`TillError::Store`].
    pub async fn mail_handed_over(&self, mail: &OwedMail) -> Result<(), TillError> {
        let (about, charge) = (mail.about, mail.charge);
        self.store
            .transaction("mail.handed_over", |tx| {
                Box::pin(async move {
                    match about {
                        MailAbout::Payment => {
                            let sql = "UPDATE till_charges SET mail_owed = FALSE \
                                       WHERE charge_id = $1";
                            tx.execute(sql, params![charge]).await?;
                        }
                        MailAbout::Refund(refund) => {
                            let sql = "UPDATE till_refunds SET mail_owed = FALSE \
                                       WHERE refund_id = $1";
                            tx.execute(sql, params![refund]).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The payment that a mail's key is about.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where no mail had that key.
    pub async fn alarm(&self, key: &AlarmKey) -> Result<Alarm, TillError> {
        self.store.read("alarm.read", |tx| Box::pin(alarm(tx, key))).await
    }

    /// The reader of a mail says that the payment was not theirs: the wallet that paid is frozen at
    /// once, palm pay is off. A repeat changes nothing, also after the wallet was thawed.
    ///
    /// # Errors
    /// [`TillError::NotFound`] where no mail had that key.
    pub async fn raise_alarm(&self, key: &AlarmKey) -> Result<Alarm, TillError> {
        let now = self.now();
        self.store
            .transaction("alarm.raise", |tx| {
                Box::pin(async move {
                    let before = alarm(tx, key).await?;
                    if before.raised_at.is_some() {
                        return Ok(before);
                    }
                    tx.execute(
                        "UPDATE till_alarms SET raised_at = $1 WHERE alarm_key = $2",
                        params![now, key],
                    )
                    .await?;
                    tx.execute(
                        "UPDATE till_wallets SET frozen = TRUE, palm_pay = FALSE, \
                         pin_misses = $1 WHERE account_id = $2",
                        // As after five misses: a new PIN, set by its owner, thaws it.
                        params![crate::pin::PIN_MISSES_MAX, before.account],
                    )
                    .await?;
                    alarm(tx, key).await
                })
            })
            .await
    }
}

/// Charges that a mail is owed about, or about a refund of which one is, and that have no key yet: also
/// charges that were paid before mails were written, and are given back now.
async fn unnamed(tx: &mut Tx<'_>) -> Result<Vec<(ChargeId,)>, TillError> {
    Ok(tx
        .fetch_all(
            "SELECT charge_id FROM till_charges c WHERE mail_owed AND NOT EXISTS \
             (SELECT 1 FROM till_alarms a WHERE a.charge_id = c.charge_id) \
             UNION SELECT charge_id FROM till_refunds r WHERE mail_owed AND NOT EXISTS \
             (SELECT 1 FROM till_alarms a WHERE a.charge_id = r.charge_id) \
             ORDER BY charge_id LIMIT $1",
            params![ROUND_MAX],
        )
        .await?)
}

async fn name(
    tx: &mut Tx<'_>,
    named: &[(ChargeId, AlarmKey)],
    now: Timestamp,
) -> Result<(), TillError> {
    for (id, key) in named {
        by_id(tx, *id).await?;
        tx.execute(
            "INSERT INTO till_alarms (charge_id, alarm_key, made_at) VALUES ($1, $2, $3) \
             ON CONFLICT (charge_id) DO NOTHING",
            params![id, key, now],
        )
        .await?;
    }
    Ok(())
}

async fn owed(tx: &mut Tx<'_>) -> Result<Vec<OwedMail>, TillError> {
    let mut mails: Vec<OwedMail> = tx
        .fetch_all(
            "SELECT c.charge_id, NULL AS refund_id, w.account_id, s.name AS shop_name, c.number, \
             c.amount AS moved, c.credit_part, c.currency, c.closed_at AS moved_at, \
             s.utc_offset_minutes, c.receipt_key, a.alarm_key \
             FROM till_charges c JOIN till_shops s ON s.shop_id = c.shop_id \
             JOIN till_wallets w ON w.wallet_id = c.wallet_id \
             JOIN till_alarms a ON a.charge_id = c.charge_id \
             WHERE c.mail_owed ORDER BY c.charge_id LIMIT $1",
            params![ROUND_MAX],
        )
        .await?;
    let refunds: Vec<OwedMail> = tx
        .fetch_all(
            "SELECT c.charge_id, r.refund_id, w.account_id, s.name AS shop_name, c.number, \
             r.credit_part + r.card_part AS moved, r.credit_part, c.currency, \
             r.closed_at AS moved_at, s.utc_offset_minutes, c.receipt_key, a.alarm_key \
             FROM till_refunds r JOIN till_charges c ON c.charge_id = r.charge_id \
             JOIN till_shops s ON s.shop_id = c.shop_id \
             JOIN till_wallets w ON w.wallet_id = c.wallet_id \
             JOIN till_alarms a ON a.charge_id = c.charge_id \
             WHERE r.mail_owed AND NOT c.mail_owed ORDER BY r.refund_id LIMIT $1",
            params![ROUND_MAX],
        )
        .await?;
    mails.extend(refunds);
    Ok(mails)
}

async fn alarm(tx: &mut Tx<'_>, key: &AlarmKey) -> Result<Alarm, TillError> {
    let row: Option<(String, i64, Currency, Timestamp, Option<Timestamp>, AccountId)> = tx
        .fetch_optional(
            "SELECT s.name, c.amount, c.currency, c.closed_at, a.raised_at, w.account_id \
             FROM till_alarms a JOIN till_charges c ON c.charge_id = a.charge_id \
             JOIN till_shops s ON s.shop_id = c.shop_id \
             JOIN till_wallets w ON w.wallet_id = c.wallet_id WHERE a.alarm_key = $1",
            params![key],
        )
        .await?;
    let row = row.ok_or(TillError::NotFound(Thing::Alarm))?;
    let (shop_name, minor, currency, at, raised_at, account) = row;
    Ok(Alarm { shop_name, amount: Money::new(minor, currency), at, raised_at, account })
}
