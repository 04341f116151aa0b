//! Sessions: who is signed in.

use handfast_model::{AccountId, CompanyId, Duration, SecretText, StaffUserId, Timestamp};
use handfast_store::{Tx, from_row, params};

use crate::mail_key::{self, KeyHolder, KeyPurpose};
use crate::{BoxOffice, BoxOfficeError, EmailAddress, Result, Role, secret_key};

/// How long a fan stays signed in: a season's phone, not a shared machine.
const FAN_LIFETIME: Duration = Duration::from_days(30);
/// How long staff stay signed in: one shift.
const STAFF_LIFETIME: Duration = Duration::from_hours(12);

/// A session that was opened: the key goes into the cookie and is not kept.
#[derive(Clone, Debug)]
pub struct Session {
    /// The key to present with each request.
    pub key: SecretText,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who it is.
    pub who: Who,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A fan.
    Fan {
        /// The account.
        account_id: AccountId,
        /// The fan's name.
        name: String,
        /// The account's mail address.
        email: EmailAddress,
    },
    /// A staff user.
    Staff {
        /// The staff user.
        staff_user_id: StaffUserId,
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
        /// For whom they work.
        company_id: CompanyId,
        /// That company's name.
        company_name: String,
    },
}

struct FanRow {
    account_id: AccountId,
    name: String,
    email: EmailAddress,
}

from_row!(FanRow { account_id, name, email });

struct StaffRow {
    staff_user_id: StaffUserId,
    name: String,
    role: Role,
    company_id: CompanyId,
    company_name: String,
}

from_row!(StaffRow { staff_user_id, name, role, company_id, company_name });

impl BoxOffice {
    /// Signs in with the key of a mail link, which is used up by it.
    ///
    /// # Errors
    /// [`BoxOfficeError::MailKey`].
    pub async fn open_session(&self, mail_key: &str) -> Result<Session> {
        let now = self.now();
        let (key, hash) = secret_key::fresh(&*self.random, "");
        let (hash, key) = (&hash, &key);
        self.store
            .transaction("session.open", |tx| {
                Box::pin(async move {
                    let holder = mail_key::use_up(tx, mail_key, KeyPurpose::SignIn, now).await?;
                    let lifetime =
                        if holder.account_id.is_some() { FAN_LIFETIME } else { STAFF_LIFETIME };
                    let expires_at = now + lifetime;
                    insert(tx, hash, holder, now, expires_at).await?;
                    let who = find(tx, hash, now).await?.ok_or(BoxOfficeError::MailKey)?;
                    Ok(Session { key: key.clone(), expires_at, who })
                })
            })
            .await
    }

    /// Who presents this session key; `None` where it is unknown, ended or too old.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn who(&self, session_key: &str) -> Result<Option<Who>> {
        let Some(hash) = secret_key::hash(session_key) else { return Ok(None) };
        let (now, hash) = (self.now(), &hash);
        self.store.read("session.who", |tx| Box::pin(find(tx, hash, now))).await
    }

    /// Signs out: the key is worth nothing from now on.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn end_session(&self, session_key: &str) -> Result<()> {
        let Some(hash) = secret_key::hash(session_key) else { return Ok(()) };
        let hash = &hash;
        self.store
            .transaction("session.end", |tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM sessions WHERE key_hash = $1";
                    tx.execute(sql, params![hash]).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn insert(
    tx: &mut Tx<'_>,
    hash: &secret_key::KeyHash,
    holder: KeyHolder,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE expires_at <= $1", params![now]).await?;
    tx.execute(
        "INSERT INTO sessions (key_hash, account_id, staff_user_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        params![hash, holder.account_id, holder.staff_user_id, now, expires_at],
    )
    .await?;
    Ok(())
}

async fn find(tx: &mut Tx<'_>, hash: &secret_key::KeyHash, now: Timestamp) -> Result<Option<Who>> {
    let sql = "SELECT a.id AS account_id, a.name, a.email
               FROM sessions s JOIN accounts a ON a.id = s.account_id
               WHERE s.key_hash = $1 AND s.expires_at > $2";
    let fan: Option<FanRow> = tx.fetch_optional(sql, params![hash, now]).await?;
    if let Some(FanRow { account_id, name, email }) = fan {
        return Ok(Some(Who::Fan { account_id, name, email }));
    }
    let sql = "SELECT u.id AS staff_user_id, u.name, u.role, u.company_id, c.name AS company_name
               FROM sessions s
               JOIN staff_users u ON u.id = s.staff_user_id
               JOIN companies c ON c.id = u.company_id
               WHERE s.key_hash = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL";
    let staff: Option<StaffRow> = tx.fetch_optional(sql, params![hash, now]).await?;
    Ok(staff.map(|row| Who::Staff {
        staff_user_id: row.staff_user_id,
        name: row.name,
        role: row.role,
        company_id: row.company_id,
        company_name: row.company_name,
    }))
}
