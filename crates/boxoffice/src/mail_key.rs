//! Mail links' keys: whoever opens the mail proves that its address is theirs.

use handfast_model::{AccountId, Duration, LinkId, StaffUserId, Timestamp};
use handfast_store::{Tx, from_row, params};

use crate::{
    BoxOffice, BoxOfficeError, EmailAddress, Language, Result, account, mail_text, secret_key,
    staff_user,
};

/// How long a sign-in link works: long enough for slow mail, short enough for an open mailbox.
const SIGN_IN_LIFETIME: Duration = Duration::from_minutes(15);
/// How long a link about a palm works: people read their mail after the weekend.
const DECISION_LIFETIME: Duration = Duration::from_days(7);
/// How long a key that no longer works is kept, so that nothing grows for ever.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_days(1);
/// Sign-in mails to one person within [`SIGN_IN_LIFETIME`]; more would be a nuisance made through us.
const SIGN_IN_MAILS_MAX: i64 = 5;
/// And within a day: anybody may type anybody's address, and a mailbox is not to be filled with it.
const SIGN_IN_MAILS_A_DAY_MAX: i64 = 20;

handfast_store::text_enum! {
    /// What somebody signs in to.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Realm {
        /// The portal, as a fan.
        Fan = "fan",
        /// The console, as a staff user.
        Staff = "staff",
    }
}

handfast_store::text_enum! {
    /// What a key is for; it opens nothing else.
    pub(crate) enum KeyPurpose {
        /// Signing in.
        SignIn = "sign_in",
        /// Confirming or undoing a palm link.
        LinkDecision = "link_decision",
        /// Taking a ticket over.
        Transfer = "transfer",
    }
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHolder {
    pub account_id: Option<AccountId>,
    pub staff_user_id: Option<StaffUserId>,
    pub link_id: Option<LinkId>,
}

from_row!(KeyHolder { account_id, staff_user_id, link_id });

impl BoxOffice {
    /// Mails a sign-in link to `email`, if such a person exists. The answer is the same if not, so
    /// that nobody can ask us who has an account.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn request_sign_in(&self, email: &EmailAddress, realm: Realm) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("mail_key.sign_in", |tx| {
                Box::pin(async move {
                    let Some((holder, language)) = find_person(tx, email, realm).await? else {
                        return Ok(());
                    };
                    if !may_be_mailed(tx, holder, now).await? {
                        return Ok(());
                    }
                    forget_old(tx, now).await?;
                    let expires_at = now + SIGN_IN_LIFETIME;
                    let key = self.issue(tx, KeyPurpose::SignIn, holder, expires_at).await?;
                    let page = match realm {
                        Realm::Fan => "/portal#/enter/",
                        Realm::Staff => "/console#/enter/",
                    };
                    let link = self.address_of(page, &key);
                    let text = mail_text::sign_in(language, realm, &link);
                    self.queue_mail(tx, email, &text, &link).await
                })
            })
            .await
    }

    /// A key for deciding about a link, on behalf of an account; returns the mail's link.
    pub(crate) async fn issue_decision_key(
        &self,
        tx: &mut Tx<'_>,
        account_id: AccountId,
        link_id: LinkId,
    ) -> Result<String> {
        let holder =
            KeyHolder { account_id: Some(account_id), staff_user_id: None, link_id: Some(link_id) };
        let expires_at = self.now() + DECISION_LIFETIME;
        let key = self.issue(tx, KeyPurpose::LinkDecision, holder, expires_at).await?;
        Ok(self.address_of("/portal#/links/", &key))
    }

    async fn issue(
        &self,
        tx: &mut Tx<'_>,
        purpose: KeyPurpose,
        holder: KeyHolder,
        expires_at: Timestamp,
    ) -> Result<String> {
        let (key, hash) = secret_key::fresh(&*self.random, "");
        tx.execute(
            "INSERT INTO mail_keys (key_hash, purpose, account_id, staff_user_id, link_id,
                                    created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                hash,
                purpose,
                holder.account_id,
                holder.staff_user_id,
                holder.link_id,
                self.now(),
                expires_at
            ],
        )
        .await?;
        Ok(key.expose().to_owned())
    }
}

/// Whose key this is, if it is still good for `purpose`.
///
/// # Errors
/// [`BoxOfficeError::MailKey`] where it is unknown, used, too old or for something else.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    key: &str,
    purpose: KeyPurpose,
    now: Timestamp,
) -> Result<KeyHolder> {
    let hash = secret_key::hash(key).ok_or(BoxOfficeError::MailKey)?;
    let sql = "SELECT account_id, staff_user_id, link_id FROM mail_keys
               WHERE key_hash = $1 AND purpose = $2 AND expires_at > $3 AND used_at IS NULL";
    let holder = tx.fetch_optional(sql, params![hash, purpose, now]).await?;
    holder.ok_or(BoxOfficeError::MailKey)
}

/// Uses a key up: of any number of attempts with it, one gets through.
///
/// # Errors
/// As [`find`].
pub(crate) async fn use_up(
    tx: &mut Tx<'_>,
    key: &str,
    purpose: KeyPurpose,
    now: Timestamp,
) -> Result<KeyHolder> {
    let holder = find(tx, key, purpose, now).await?;
    let hash = secret_key::hash(key).ok_or(BoxOfficeError::MailKey)?;
    let sql = "UPDATE mail_keys SET used_at = $2 WHERE key_hash = $1 AND used_at IS NULL";
    match tx.execute(sql, params![hash, now]).await? {
        0 => Err(BoxOfficeError::MailKey),
        _ => Ok(holder),
    }
}

async fn find_person(
    tx: &mut Tx<'_>,
    email: &EmailAddress,
    realm: Realm,
) -> Result<Option<(KeyHolder, Language)>> {
    let nobody = KeyHolder { account_id: None, staff_user_id: None, link_id: None };
    Ok(match realm {
        Realm::Fan => account::find_by_email(tx, email).await?.map(|account| {
            (KeyHolder { account_id: Some(account.id), ..nobody }, account.language)
        }),
        Realm::Staff => staff_user::find_by_email(tx, email)
            .await?
            .map(|user| (KeyHolder { staff_user_id: Some(user.id), ..nobody }, user.language)),
    })
}

async fn may_be_mailed(tx: &mut Tx<'_>, holder: KeyHolder, now: Timestamp) -> Result<bool> {
    let sql = "SELECT COUNT(*), COALESCE(CAST(SUM(CASE WHEN created_at > $3 THEN 1 ELSE 0 END) AS BIGINT), 0)
               FROM mail_keys
               WHERE purpose = $1 AND created_at > $2
                 AND (account_id = $4 OR staff_user_id = $5)";
    let (day, lately) = (now - Duration::from_days(1), now - SIGN_IN_LIFETIME);
    let params = params![KeyPurpose::SignIn, day, lately, holder.account_id, holder.staff_user_id];
    let (in_a_day, lately): (i64, i64) = tx.fetch_one(sql, params).await?;
    Ok(lately < SIGN_IN_MAILS_MAX && in_a_day < SIGN_IN_MAILS_A_DAY_MAX)
}

async fn forget_old(tx: &mut Tx<'_>, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM mail_keys WHERE expires_at < $1";
    tx.execute(sql, params![now - KEPT_AFTER_EXPIRY]).await?;
    Ok(())
}
