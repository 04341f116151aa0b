//! Accounts: fans.

use handfast_model::{AccountId, Timestamp};
use handfast_store::{StoreError, Tx, from_row, params};

use crate::company::check_name;
use crate::{BoxOffice, BoxOfficeError, EmailAddress, Language, Result, Thing};

/// A fan's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Where its mail links go.
    pub email: EmailAddress,
    /// What the fan is called.
    pub name: String,
    /// What the fan reads.
    pub language: Language,
}

from_row!(Account { id, email, name, language });

impl BoxOffice {
    /// Opens an account.
    ///
    /// # Errors
    /// [`BoxOfficeError::Text`]; [`BoxOfficeError::EmailTaken`].
    pub async fn create_account(
        &self,
        email: &EmailAddress,
        name: &str,
        language: Language,
    ) -> Result<Account> {
        let name = check_name("a name", name)?;
        let id = AccountId::new(&*self.clock, &*self.random);
        let account = &Account { id, email: email.clone(), name, language };
        let now = self.now();
        self.store
            .transaction("account.create", |tx| {
                Box::pin(async move {
                    let Account { id, email, name, language } = account;
                    insert(tx, *id, email, name, *language, now).await?;
                    Ok(account.clone())
                })
            })
            .await
    }

    /// One account.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn account(&self, id: AccountId) -> Result<Account> {
        self.store.read("account.one", |tx| Box::pin(find(tx, id))).await
    }

    /// The account with this mail address, if there is one.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn account_by_email(&self, email: &EmailAddress) -> Result<Option<Account>> {
        self.store.read("account.by_email", |tx| Box::pin(find_by_email(tx, email))).await
    }
}

/// Writes an account.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    id: AccountId,
    email: &EmailAddress,
    name: &str,
    language: Language,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO accounts (id, email, name, language, created_at)
               VALUES ($1, $2, $3, $4, $5)";
    let inserted = tx.execute(sql, params![id, email, name, language, now]).await;
    inserted.map(drop).map_err(email_taken)
}

/// The account called `id`.
pub(crate) async fn find(tx: &mut Tx<'_>, id: AccountId) -> Result<Account> {
    let sql = "SELECT id, email, name, language FROM accounts WHERE id = $1";
    let account = tx.fetch_optional(sql, params![id]).await?;
    account.ok_or(BoxOfficeError::Unknown(Thing::Account))
}

/// The account with this mail address.
pub(crate) async fn find_by_email(
    tx: &mut Tx<'_>,
    email: &EmailAddress,
) -> Result<Option<Account>> {
    let sql = "SELECT id, email, name, language FROM accounts WHERE email = $1";
    Ok(tx.fetch_optional(sql, params![email]).await?)
}

/// A duplicate in a table whose only constraint that callers can violate is the mail address.
pub(crate) fn email_taken(error: StoreError) -> BoxOfficeError {
    match error {
        StoreError::Duplicate { .. } => BoxOfficeError::EmailTaken,
        other => other.into(),
    }
}
