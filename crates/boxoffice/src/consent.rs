//! Consent records: what was agreed to, when, on which words. Kept after withdrawal, as evidence.

use handfast_model::{AccountId, ConsentId, LinkId, Timestamp};
use handfast_store::{FromRow, Row, StoreError, Tx, params};

use crate::{
    AgeEvidence, BoxOffice, BoxOfficeError, ConsentText, Language, PAYMENT_VERSION, Purpose,
    Result, Scope, Thing, released_text,
};

/// Consent as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// The version of the words on the screen.
    pub text_version: String,
    /// Their language.
    pub language: Language,
    /// What was agreed to.
    pub purposes: Vec<Purpose>,
    /// For which events, where it is about a palm link.
    pub scope: Option<Scope>,
    /// Until when, where it is about a palm link.
    pub until: Option<Timestamp>,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
    /// What was said of the age of whose palm it is, where it is about a palm link.
    pub age: Option<AgeEvidence>,
}

/// A living consent to paying by palm.
pub type PaymentConsent = Consent;

impl FromRow for Consent {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let words: String = row.get("purposes")?;
        let purposes: Result<_, _> = words.split(',').map(str::parse).collect();
        Ok(Self {
            id: row.get("id")?,
            text_version: row.get("text_version")?,
            language: row.get("language")?,
            purposes: purposes.map_err(|_| StoreError::Column {
                column: "purposes".to_owned(),
                expected: "words of Purpose",
            })?,
            scope: row.get("scope")?,
            until: row.get("until")?,
            given_at: row.get("given_at")?,
            withdrawn_at: row.get("withdrawn_at")?,
            age: age(row)?,
        })
    }
}

/// All three columns, or none.
fn age(row: &Row) -> Result<Option<AgeEvidence>, StoreError> {
    let (said, by, at) = (row.get("age_said")?, row.get("age_said_by")?, row.get("age_said_at")?);
    let (Some(said), Some(by), Some(at)) = (said, by, at) else { return Ok(None) };
    Ok(Some(AgeEvidence { said, by, at }))
}

impl BoxOffice {
    /// Records that a fan agreed to paying by palm, on the current payment text. An earlier living
    /// consent is replaced.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn give_payment_consent(
        &self,
        account_id: AccountId,
        language: Language,
    ) -> Result<PaymentConsent> {
        let now = self.now();
        let consent = &Consent {
            id: ConsentId::new(&*self.clock, &*self.random),
            text_version: PAYMENT_VERSION.to_owned(),
            language,
            purposes: vec![Purpose::Payment],
            scope: None,
            until: None,
            given_at: now,
            withdrawn_at: None,
            age: None,
        };
        self.store
            .transaction("consent.give_payment", |tx| {
                Box::pin(async move {
                    withdraw_payment(tx, account_id, now).await?;
                    insert(tx, account_id, None, consent).await?;
                    Ok(consent.clone())
                })
            })
            .await
    }

    /// Withdraws a fan's consent to paying by palm, if there is one.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn withdraw_payment_consent(&self, account_id: AccountId) -> Result<()> {
        let now = self.now();
        self.store
            .transaction("consent.withdraw_payment", |tx| {
                Box::pin(withdraw_payment(tx, account_id, now))
            })
            .await
    }

    /// A fan's living consent to paying by palm.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn payment_consent(&self, account_id: AccountId) -> Result<Option<PaymentConsent>> {
        self.store
            .read("consent.payment", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, text_version, language, purposes, scope, until, given_at,
                                      withdrawn_at, age_said, age_said_by, age_said_at
                               FROM consents
                               WHERE account_id = $1 AND link_id IS NULL AND withdrawn_at IS NULL
                               ORDER BY id DESC";
                    Ok(tx.fetch_optional(sql, params![account_id]).await?)
                })
            })
            .await
    }

    /// Every living palm link with its consent, to compare with what was logged.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn living_consents(&self) -> Result<Vec<(LinkId, Consent)>> {
        self.store
            .read("consent.living", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id FROM links WHERE state IN ('pending', 'confirmed')";
                    let links: Vec<(LinkId,)> = tx.fetch_all(sql, params![]).await?;
                    let mut consents = Vec::with_capacity(links.len());
                    for (link,) in links {
                        consents.push((link, of_link(tx, link).await?));
                    }
                    Ok(consents)
                })
            })
            .await
    }

    /// Every consent of an account, newest first, withdrawn ones included.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`].
    pub async fn consents(&self, account_id: AccountId) -> Result<Vec<Consent>> {
        self.store
            .read("consent.of_account", |tx| {
                Box::pin(async move {
                    let sql = "SELECT id, text_version, language, purposes, scope, until, given_at,
                                      withdrawn_at, age_said, age_said_by, age_said_at
                               FROM consents WHERE account_id = $1 ORDER BY given_at DESC, id DESC";
                    Ok(tx.fetch_all(sql, params![account_id]).await?)
                })
            })
            .await
    }
}

/// The words a palm consent was given on must be released ones.
///
/// # Errors
/// [`BoxOfficeError::Unknown`].
pub(crate) fn palm_purposes(version: &str, language: Language) -> Result<Vec<Purpose>> {
    let is_of_palms =
        |text: &&ConsentText| text.purposes.iter().all(|it| it.purpose != Purpose::Payment);
    let text = released_text(version, language).filter(is_of_palms);
    let text = text.ok_or(BoxOfficeError::Unknown(Thing::ConsentText))?;
    Ok(text.purposes.iter().map(|purpose| purpose.purpose).collect())
}

/// Stores a consent.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    account_id: AccountId,
    link_id: Option<LinkId>,
    consent: &Consent,
) -> Result<()> {
    let purposes: Vec<&str> = consent.purposes.iter().map(|purpose| purpose.as_str()).collect();
    tx.execute(
        "INSERT INTO consents (id, account_id, link_id, text_version, language, purposes, scope,
                               until, given_at, age_said, age_said_by, age_said_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            consent.id,
            account_id,
            link_id,
            consent.text_version,
            consent.language,
            purposes.join(","),
            consent.scope,
            consent.until,
            consent.given_at,
            consent.age.map(|age| age.said),
            consent.age.map(|age| age.by),
            consent.age.map(|age| age.at)
        ],
    )
    .await?;
    Ok(())
}

/// The living consent of a link; the newest where it has ended.
pub(crate) async fn of_link(tx: &mut Tx<'_>, link_id: LinkId) -> Result<Consent> {
    let sql = "SELECT id, text_version, language, purposes, scope, until, given_at, withdrawn_at,
                      age_said, age_said_by, age_said_at
               FROM consents WHERE link_id = $1
               ORDER BY CASE WHEN withdrawn_at IS NULL THEN 0 ELSE 1 END, given_at DESC, id DESC";
    Ok(tx.fetch_one(sql, params![link_id]).await?)
}

/// Withdraws a link's consent.
pub(crate) async fn withdraw_of_link(
    tx: &mut Tx<'_>,
    link_id: LinkId,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE consents SET withdrawn_at = $2 WHERE link_id = $1 AND withdrawn_at IS NULL";
    tx.execute(sql, params![link_id, now]).await?;
    Ok(())
}

async fn withdraw_payment(tx: &mut Tx<'_>, account_id: AccountId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE consents SET withdrawn_at = $2
               WHERE account_id = $1 AND link_id IS NULL AND withdrawn_at IS NULL";
    tx.execute(sql, params![account_id, now]).await?;
    Ok(())
}
