//! Issuing codes for a ticket: signed, rotating, replaced; and what else its terms say.

use ed25519_dalek::{SigningKey, VerifyingKey};
use handfast_model::{AccountId, CompanyId, EventId, Random, TicketId, Timestamp};
use handfast_store::{Tx, params};
use zeroize::Zeroizing;

use crate::rotating_code::{RotatingCode, fresh_secret, secret_text};
use crate::signed_code::{SignedCode, Unsigned, key_id};
use crate::ticket::TicketFacts;
use crate::{BoxOffice, BoxOfficeError, CodeKind, Result, Thing, TicketCode, event, ticket};

/// The most people on one ticket: what a signed code can say.
const PARTY_MAX: u32 = 255;

/// A ticket's terms beside its product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketTerms {
    /// How many people enter on it.
    pub party_size: u32,
    /// When it is good from.
    pub valid_from: Option<Timestamp>,
    /// When it is good until.
    pub valid_until: Option<Timestamp>,
    /// The ticket it is an add-on of.
    pub addon_to: Option<TicketId>,
}

/// What a wallet needs to show a ticket's rotating code itself.
#[derive(Clone)]
pub struct RotatingIssue {
    /// The code to show now.
    pub code: RotatingCode,
    /// The secret, in base 16.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for RotatingIssue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RotatingIssue(hidden)")
    }
}

impl BoxOffice {
    /// Sets what a ticket's terms say.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's ticket; [`BoxOfficeError::Terms`];
    /// [`BoxOfficeError::Mismatch`] for an add-on of another event's ticket.
    pub async fn set_ticket_terms(
        &self,
        company_id: CompanyId,
        id: TicketId,
        terms: &TicketTerms,
    ) -> Result<()> {
        let backwards =
            matches!((terms.valid_from, terms.valid_until), (Some(a), Some(b)) if a >= b);
        if backwards || !(1..=PARTY_MAX).contains(&terms.party_size) {
            return Err(BoxOfficeError::Terms { max: PARTY_MAX });
        }
        let now = self.now();
        self.store
            .transaction("ticket.set_terms", |tx| {
                Box::pin(async move {
                    let own = find_own(tx, company_id, id).await?;
                    if let Some(parent) = terms.addon_to {
                        let parent = find_own(tx, company_id, parent).await?;
                        if parent.event_id != own.event_id || parent.id == id {
                            return Err(BoxOfficeError::Mismatch);
                        }
                    }
                    let sql = "UPDATE tickets SET party_size = $2, valid_from = $3,
                                      valid_until = $4, addon_to = $5, changed_at = $6
                               WHERE id = $1";
                    let TicketTerms { party_size, valid_from, valid_until, addon_to } = *terms;
                    let params = params![id, party_size, valid_from, valid_until, addon_to, now];
                    tx.execute(sql, params).await?;
                    Ok(())
                })
            })
            .await
    }

    /// The ticket's signed code, made with the company's key (made at the first).
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's ticket.
    pub async fn signed_code(&self, company_id: CompanyId, id: TicketId) -> Result<SignedCode> {
        let now = self.now();
        self.store
            .transaction("ticket.sign", |tx| {
                Box::pin(async move {
                    let own = find_own(tx, company_id, id).await?;
                    let key = signing_key(tx, company_id, &*self.random, now).await?;
                    set_code_kind(tx, &own, CodeKind::Signed, now).await?;
                    Ok(signed(&own, &key))
                })
            })
            .await
    }

    /// Turns a ticket to its rotating code: from now on it enters by that alone. The secret is the
    /// same each time until the code is replaced.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's ticket.
    pub async fn rotating_code(
        &self,
        company_id: CompanyId,
        id: TicketId,
    ) -> Result<RotatingIssue> {
        let now = self.now();
        self.store
            .transaction("ticket.rotate", |tx| {
                Box::pin(async move {
                    let own = find_own(tx, company_id, id).await?;
                    let kept = own.totp_secret.as_ref().map(|secret| secret.as_bytes().to_vec());
                    let secret =
                        Zeroizing::new(kept.unwrap_or_else(|| fresh_secret(&*self.random)));
                    let sql = "UPDATE tickets SET totp_secret = $2, code_kind = 'rotating',
                                      changed_at = $3 WHERE id = $1";
                    tx.execute(sql, params![id, secret.as_slice(), now]).await?;
                    let code = RotatingCode::at(id, &secret, now);
                    Ok(RotatingIssue { code, secret: Zeroizing::new(secret_text(&secret)) })
                })
            })
            .await
    }

    /// The rotating code of an account's own ticket, with the secret that shows it from then on
    /// without us.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for a ticket that is somebody else's;
    /// [`BoxOfficeError::NotRotating`].
    pub async fn own_rotating_code(
        &self,
        account_id: AccountId,
        id: TicketId,
    ) -> Result<RotatingIssue> {
        let own = self
            .store
            .read("ticket.own", |tx| Box::pin(async move { ticket::facts(tx, id).await }))
            .await?;
        if own.account_id != account_id {
            return Err(BoxOfficeError::Unknown(Thing::Ticket));
        }
        if own.code_kind != CodeKind::Rotating {
            return Err(BoxOfficeError::NotRotating);
        }
        self.rotating_code(own.company_id, id).await
    }

    /// What the code of a ticket says that is shown as a picture or printed: the static one, or the
    /// signed one. None of a rotating one, which is another before the paper is out of the printer.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`].
    pub async fn printable_code(&self, id: TicketId) -> Result<Option<String>> {
        let found = self
            .store
            .read("ticket.printable", |tx| {
                Box::pin(async move {
                    let own = ticket::facts(tx, id).await?;
                    let key = match own.code_kind {
                        CodeKind::Signed => key_in_use(tx, own.company_id).await?,
                        CodeKind::Static | CodeKind::Rotating => None,
                    };
                    Ok::<_, BoxOfficeError>((own, key))
                })
            })
            .await?;
        Ok(match found {
            (own, _) if own.code_kind == CodeKind::Rotating => None,
            (own, _) if own.code_kind == CodeKind::Static => Some(own.code.expose().to_owned()),
            (own, Some(key)) => Some(signed(&own, &key).encode()),
            // The company's first: its key is made with it.
            (own, None) => Some(self.signed_code(own.company_id, id).await?.encode()),
        })
    }

    /// Gives a ticket a new code; every earlier one is worth nothing from now on.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's ticket.
    pub async fn replace_code(&self, company_id: CompanyId, id: TicketId) -> Result<TicketCode> {
        let code = &TicketCode::new(&*self.random);
        let now = self.now();
        self.store
            .transaction("ticket.replace_code", |tx| {
                Box::pin(async move {
                    let own = find_own(tx, company_id, id).await?;
                    let serial = own.code_serial.wrapping_add(1);
                    let sql =
                        "UPDATE tickets SET code = $2, code_kind = 'static', code_serial = $3,
                                      totp_secret = NULL, changed_at = $4 WHERE id = $1";
                    tx.execute(sql, params![id, code, serial, now]).await?;
                    Ok(code.clone())
                })
            })
            .await
    }

    /// Trusts codes that pretix signs with this key for an event's tickets.
    ///
    /// # Errors
    /// [`BoxOfficeError::Unknown`] for another company's event.
    pub async fn trust_pretix_key(
        &self,
        company_id: CompanyId,
        event_id: EventId,
        key: &VerifyingKey,
    ) -> Result<()> {
        let key = key.as_bytes().to_vec();
        let key = key.as_slice();
        self.store
            .transaction("event.trust_pretix_key", |tx| {
                Box::pin(async move {
                    event::find_own(tx, company_id, event_id).await?;
                    let sql = "INSERT INTO foreign_keys (event_id, public_key) VALUES ($1, $2)
                               ON CONFLICT DO NOTHING";
                    tx.execute(sql, params![event_id, key]).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn find_own(tx: &mut Tx<'_>, company_id: CompanyId, id: TicketId) -> Result<TicketFacts> {
    let facts = ticket::facts(tx, id).await?;
    if facts.company_id == company_id {
        Ok(facts)
    } else {
        Err(BoxOfficeError::Unknown(Thing::Ticket))
    }
}

async fn set_code_kind(
    tx: &mut Tx<'_>,
    own: &TicketFacts,
    kind: CodeKind,
    now: Timestamp,
) -> Result<()> {
    if own.code_kind == kind {
        return Ok(());
    }
    let sql =
        "UPDATE tickets SET code_kind = $2, totp_secret = NULL, changed_at = $3 WHERE id = $1";
    tx.execute(sql, params![own.id, kind, now]).await?;
    Ok(())
}

fn signed(own: &TicketFacts, key: &SigningKey) -> SignedCode {
    let unsigned = Unsigned {
        event_id: own.event_id,
        ticket_id: own.id,
        valid_from: own.valid_from,
        valid_until: own.valid_until,
        people: u8::try_from(own.party_size).unwrap_or(u8::MAX),
        serial: own.code_serial,
        product: &own.product,
    };
    SignedCode::sign(&unsigned, key)
}

/// The company's key in use, if it has one yet.
async fn key_in_use(tx: &mut Tx<'_>, company_id: CompanyId) -> Result<Option<SigningKey>> {
    let sql = "SELECT seed FROM signing_keys
               WHERE company_id = $1 AND retired_at IS NULL AND seed IS NOT NULL
               ORDER BY created_at DESC";
    let seed: Option<([u8; 32],)> = tx.fetch_optional(sql, params![company_id]).await?;
    Ok(seed.map(|(seed,)| SigningKey::from_bytes(&Zeroizing::new(seed))))
}

/// The company's key in use, made where there is none.
async fn signing_key(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    random: &dyn Random,
    now: Timestamp,
) -> Result<SigningKey> {
    if let Some(key) = key_in_use(tx, company_id).await? {
        return Ok(key);
    }
    let mut seed = Zeroizing::new([0_u8; 32]);
    random.fill(seed.as_mut_slice());
    let key = SigningKey::from_bytes(&seed);
    let public = key.verifying_key();
    tx.execute(
        "INSERT INTO signing_keys (key_id, company_id, seed, public_key, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        params![key_id(&public), company_id, *seed, *public.as_bytes(), now],
    )
    .await?;
    Ok(key)
}
