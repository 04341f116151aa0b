//! Entering by code: which ticket a code names, and whether the code itself is good.

use ed25519_dalek::VerifyingKey;
use handfast_model::{CompanyId, EventId, Timestamp};
use handfast_store::{Tx, params};

use crate::gathered::Gathered;
use crate::judgement::{Check, Door, Judgement, Trace};
use crate::rotating_code::{Freshness, RotatingCode};
use crate::scanned_code::ScannedCode;
use crate::signed_code::{KeyId, SignedCode};
use crate::ticket::TicketFacts;
use crate::{CodeError, CodeKind, Outcome, Reason, Result, TicketCode, pretix_code, ticket};

type Found = std::result::Result<TicketFacts, Judgement>;

/// Finds the ticket that a code names and checks the code; whether the ticket may pass is judged
/// apart.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    gathered: &mut Gathered,
    code: &ScannedCode,
    (door, now): (&Door, Timestamp),
    trace: &mut Trace,
) -> Result<Found> {
    let found = match code {
        ScannedCode::Static(code) => find_static(tx, gathered, code, door.company_id).await?,
        ScannedCode::Signed(code) => {
            gathered.unwritten.write(tx).await?;
            find_signed(tx, code, door.company_id).await?
        }
        ScannedCode::Rotating(code) => {
            gathered.unwritten.write(tx).await?;
            find_rotating(tx, code, door.company_id, now).await?
        }
        ScannedCode::Foreign(text) => match gathered.by_code(tx, text.as_str()).await? {
            Some(ticket) => Ok(ticket),
            None => Err(invalid(foreign_reason(tx, code, door).await?)),
        },
        ScannedCode::Unreadable(error) => Err(invalid(match error {
            CodeError::Foreign => Reason::NotATicketCode,
            CodeError::Malformed => Reason::DamagedCode,
            CodeError::Mistyped => Reason::MistypedCode,
        })),
    };
    trace.step(Check::Code, found.is_ok(), || match &found {
        Ok(_) => "the code is genuine and names a ticket".to_owned(),
        Err(Judgement { reason: Some(reason), .. }) => reason.to_string().replace('_', " "),
        Err(_) => "the code is not good".to_owned(),
    });
    Ok(found)
}

/// The ticket that a code of ours names, where the code is genuine and of now; at a pedestal, where a
/// palm is linked to it.
pub(crate) async fn genuine(
    tx: &mut Tx<'_>,
    code: &ScannedCode,
    company_id: CompanyId,
    now: Timestamp,
) -> Result<Option<TicketFacts>> {
    let found = match code {
        ScannedCode::Static(code) => {
            find_static(tx, &mut Gathered::default(), code, company_id).await?
        }
        ScannedCode::Signed(code) => find_signed(tx, code, company_id).await?,
        ScannedCode::Rotating(code) => find_rotating(tx, code, company_id, now).await?,
        ScannedCode::Foreign(_) | ScannedCode::Unreadable(_) => return Ok(None),
    };
    Ok(found.ok())
}

async fn find_static(
    tx: &mut Tx<'_>,
    gathered: &mut Gathered,
    code: &TicketCode,
    company_id: CompanyId,
) -> Result<Found> {
    let Some(ticket) = gathered.by_code(tx, code.as_str()).await? else {
        return Ok(Err(invalid(Reason::UnknownCode)));
    };
    let rotating_only = ticket.code_kind == CodeKind::Rotating && ticket.company_id == company_id;
    Ok(if rotating_only { Err(invalid(Reason::RotatingCodeNeeded)) } else { Ok(ticket) })
}

async fn find_signed(tx: &mut Tx<'_>, code: &SignedCode, company_id: CompanyId) -> Result<Found> {
    let key = signing_key(tx, company_id, code.key_id).await?;
    if !key.is_some_and(|key| code.verify(&key)) {
        return Ok(Err(invalid(Reason::BadSignature)));
    }
    let ticket = ticket::find_facts(tx, code.ticket_id).await?;
    let Some(ticket) = ticket.filter(|ticket| ticket.event_id == code.event_id) else {
        return Ok(Err(invalid(Reason::UnknownCode)));
    };
    if ticket.code_kind == CodeKind::Rotating {
        return Ok(Err(invalid(Reason::RotatingCodeNeeded)));
    }
    // A replaced code stays genuine; that it was replaced is what we know.
    let withdrawn = Judgement::refused(Outcome::Revoked, Reason::Withdrawn);
    Ok(if ticket.code_serial == code.serial { Ok(ticket) } else { Err(withdrawn) })
}

async fn find_rotating(
    tx: &mut Tx<'_>,
    code: &RotatingCode,
    company_id: CompanyId,
    now: Timestamp,
) -> Result<Found> {
    let ticket = ticket::find_facts(tx, code.ticket_id).await?;
    let Some(ticket) = ticket.filter(|ticket| ticket.company_id == company_id) else {
        return Ok(Err(invalid(Reason::UnknownCode)));
    };
    let freshness = match &ticket.totp_secret {
        Some(secret) if ticket.code_kind == CodeKind::Rotating => {
            code.freshness(secret.as_bytes(), now)
        }
        _ => Freshness::Wrong,
    };
    Ok(match freshness {
        Freshness::Fresh => Ok(ticket),
        Freshness::Old => Err(invalid(Reason::OldRotatingCode)),
        Freshness::Wrong => Err(invalid(Reason::WrongRotatingCode)),
    })
}

/// Why a text of another system names no ticket: one that pretix signed for an event here was not
/// imported, one signed with another key is damaged or forged, anything else is no ticket's code.
async fn foreign_reason(tx: &mut Tx<'_>, code: &ScannedCode, door: &Door) -> Result<Reason> {
    let ScannedCode::Foreign(text) = code else { return Ok(Reason::NotATicketCode) };
    let Ok(signed) = pretix_code::PretixCode::decode(text.as_str()) else {
        return Ok(Reason::NotATicketCode);
    };
    for event in &door.open {
        let keys = pretix_keys(tx, event.id).await?;
        if keys.iter().any(|key| signed.verify(key)) {
            return Ok(Reason::UnknownCode);
        }
    }
    Ok(Reason::BadSignature)
}

/// The add-on that a ticket's code stands for at a list of add-ons: none where the ticket's own
/// product enters there, or where no add-on fits.
pub(crate) async fn addon(
    tx: &mut Tx<'_>,
    gathered: &mut Gathered,
    ticket: &TicketFacts,
    door: &Door,
) -> Result<std::result::Result<Option<TicketFacts>, Judgement>> {
    let list = door.open_event(ticket.event_id).and_then(|event| event.list.as_ref());
    let Some(list) = list.filter(|list| list.terms.addon_match) else { return Ok(Ok(None)) };
    let products = &list.terms.products;
    if products.is_empty() || products.contains(&ticket.product) {
        return Ok(Ok(None));
    }
    gathered.unwritten.write(tx).await?;
    let mut addons = ticket::addons(tx, ticket.id).await?;
    addons.retain(|addon| products.contains(&addon.product));
    Ok(match addons.len() {
        0 | 1 => Ok(addons.pop()),
        _ => Err(Judgement::refused(Outcome::Ambiguous, Reason::SeveralAddons)),
    })
}

fn invalid(reason: Reason) -> Judgement {
    Judgement::refused(Outcome::Invalid, reason)
}

/// A company's public key that a code names, retired ones included: what they signed stays good.
async fn signing_key(
    tx: &mut Tx<'_>,
    company_id: CompanyId,
    id: KeyId,
) -> Result<Option<VerifyingKey>> {
    let sql = "SELECT public_key FROM signing_keys WHERE key_id = $1 AND company_id = $2";
    let key: Option<([u8; 32],)> = tx.fetch_optional(sql, params![id, company_id]).await?;
    Ok(key.and_then(|(key,)| VerifyingKey::from_bytes(&key).ok()))
}

async fn pretix_keys(tx: &mut Tx<'_>, event_id: EventId) -> Result<Vec<VerifyingKey>> {
    let sql = "SELECT public_key FROM foreign_keys WHERE event_id = $1";
    let keys: Vec<([u8; 32],)> = tx.fetch_all(sql, params![event_id]).await?;
    Ok(keys.iter().filter_map(|(key,)| VerifyingKey::from_bytes(key).ok()).collect())
}
