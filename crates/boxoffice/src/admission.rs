//! The admission engine: one decision for palm lane and agent's scan alike.
//!
//! Exactly one entry a ticket: the rule reads whether the ticket was redeemed, and the key of
//! `entries` refuses a second row whatever any rule says. Every attempt is recorded with device,
//! place, method and time, and the record is what a repeated request (a double tap, a lost answer)
//! gets its verdict from.

use handfast_model::{AdmissionId, DeviceId, EventId, LinkId, PairwiseToken, TicketId, Timestamp};
use handfast_store::{StoreError, Tx, from_row, params};
use sha2::{Digest, Sha256};

use crate::judgement::{Door, Judgement, judge};
use crate::ticket::TicketFacts;
use crate::{
    BoxOffice, BoxOfficeError, CodeError, Device, Direction, Result, TicketCode, device, event,
    lane, palm_entry, ticket,
};

/// How many people may enter by one palm at once: more than a car brings, few enough to count at a
/// glance.
pub const PEOPLE_AT_ONCE_MAX: u8 = 8;
const NONCE_LEN_MIN: usize = 8;
/// Above any UUID or base64 of 256 bits.
const NONCE_LEN_MAX: usize = 64;
/// A duplicate means that somebody was quicker by the blink between our reading and writing; the
/// next reading sees what they did.
const ATTEMPTS_MAX: u32 = 3;

handfast_store::text_enum! {
    /// The answer at the door, in the words of pretix's check-in.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Outcome {
        /// Enter.
        Ok = "ok",
        /// The ticket has entered.
        AlreadyRedeemed = "already_redeemed",
        /// Its order is not paid.
        Unpaid = "unpaid",
        /// It or its order is cancelled.
        Cancelled = "cancelled",
        /// Its product does not enter at this lane.
        Product = "product",
        /// A rule says no: too early, too late, an event without biometrics.
        Rules = "rules",
        /// It was withdrawn.
        Revoked = "revoked",
        /// It is held back.
        Blocked = "blocked",
        /// There is no such ticket here.
        Invalid = "invalid",
        /// It could be several: nobody is chosen.
        Ambiguous = "ambiguous",
        /// A question is open: how many people enter.
        Incomplete = "incomplete",
    }
}

handfast_store::text_enum! {
    /// Why an attempt was refused, finer than the outcome.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Reason {
        /// A code of something else.
        NotATicketCode = "not_a_ticket_code",
        /// A damaged code of ours.
        DamagedCode = "damaged_code",
        /// A code whose check digits do not fit.
        MistypedCode = "mistyped_code",
        /// A well-formed code that no ticket here has.
        UnknownCode = "unknown_code",
        /// A ticket for another event of this venue.
        OtherEvent = "other_event",
        /// A ticket for another venue of this company.
        OtherVenue = "other_venue",
        /// The doors are not open yet.
        TooEarly = "too_early",
        /// The event is over.
        EventOver = "event_over",
        /// The product enters at other lanes.
        ProductElsewhere = "product_elsewhere",
        /// The order is to be paid first.
        OrderUnpaid = "order_unpaid",
        /// The ticket or its order was cancelled.
        TicketCancelled = "ticket_cancelled",
        /// The ticket was withdrawn.
        Withdrawn = "withdrawn",
        /// The ticket is held back.
        HeldBack = "held_back",
        /// The ticket has entered; the verdict says when and where.
        EnteredBefore = "entered_before",
        /// The palm belongs to nobody armed here.
        NotRecognised = "not_recognised",
        /// The palm resembles several.
        SeveralPalms = "several_palms",
        /// The palm is linked, but to no ticket for here and now.
        NoTicket = "no_ticket",
        /// Nothing biometric runs at this event.
        NoBiometrics = "no_biometrics",
        /// Fewer tickets are left than people were to enter.
        FewerAvailable = "fewer_available",
    }
}

handfast_store::text_enum! {
    /// How somebody presented themselves.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Method {
        /// By palm.
        Palm = "palm",
        /// By a ticket's code.
        Code = "code",
    }
}

/// An attempt to enter.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionRequest<'a> {
    /// The device at which.
    pub device_id: DeviceId,
    /// The device's own number of this attempt, fresh for each, the same for a repetition.
    pub nonce: &'a str,
    /// What was presented.
    pub presented: Presented<'a>,
}

/// What was presented at the door.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// A code, as read or typed.
    Code(&'a str),
    /// A palm that the vault identified by this token of the venue, for so many people.
    Palm {
        /// The venue's token.
        token: &'a PairwiseToken,
        /// How many people enter, 1 to [`PEOPLE_AT_ONCE_MAX`].
        people: u8,
    },
    /// A palm that the vault did not recognise: recorded, without anything of it.
    UnknownPalm,
    /// A palm that the vault found to resemble several: recorded, without anything of it.
    AmbiguousPalm,
}

impl std::fmt::Debug for Presented<'_> {
    /// Without code and token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Code(_) => "Code(hidden)",
            Self::Palm { .. } => "Palm(hidden)",
            Self::UnknownPalm => "UnknownPalm",
            Self::AmbiguousPalm => "AmbiguousPalm",
        })
    }
}

/// The answer to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The record of the attempt.
    pub admission_id: AdmissionId,
    /// The answer.
    pub outcome: Outcome,
    /// Why not, where it is a refusal.
    pub reason: Option<Reason>,
    /// How many people enter; 0 for a refusal.
    pub people: u8,
    /// How many could enter by this palm now; 0 for a code.
    pub available: u8,
    /// The ticket's product, where a ticket of ours was found.
    pub product: Option<String>,
    /// The ticket's event, where a ticket of ours was found.
    pub event_name: Option<String>,
    /// The entry there was before, where the ticket was redeemed.
    pub previous: Option<Entry>,
    /// Where the people go on from this lane.
    pub direction: Option<Direction>,
    /// Whether this is the answer to an earlier request with the same nonce.
    pub repeated: bool,
}

/// An entry that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// At which gate, if its device has one.
    pub gate_name: Option<String>,
    /// At which lane, if its device has one.
    pub lane_name: Option<String>,
    /// How.
    pub method: Method,
}

from_row!(Entry { at, gate_name, lane_name, method });

/// What was decided about an attempt, before it is recorded.
#[derive(Debug)]
pub(crate) struct Decided {
    pub judgement: Judgement,
    /// The ticket it is about: the first, where several enter. Not one of another company.
    pub ticket: Option<TicketFacts>,
    /// The tickets that enter.
    pub admitted: Vec<TicketFacts>,
    pub available: u8,
    pub link_id: Option<LinkId>,
}

struct Recorded {
    id: AdmissionId,
    request_hash: [u8; 32],
    outcome: Outcome,
    reason: Option<Reason>,
    people: u8,
    available: u8,
    ticket_id: Option<TicketId>,
    product: Option<String>,
    event_name: Option<String>,
}

from_row!(Recorded {
    id,
    request_hash,
    outcome,
    reason,
    people,
    available,
    ticket_id,
    product,
    event_name,
});

impl BoxOffice {
    /// Decides an attempt to enter, records it, and lets the people in where the answer is
    /// [`Outcome::Ok`]. The same device and nonce get the first answer again and change nothing.
    ///
    /// # Errors
    /// [`BoxOfficeError::Nonce`]; [`BoxOfficeError::NonceReused`]; [`BoxOfficeError::People`];
    /// [`BoxOfficeError::ApiKey`] for a revoked device. A refusal is no error.
    pub async fn admit(&self, request: &AdmissionRequest<'_>) -> Result<Verdict> {
        check_nonce(request.nonce)?;
        let attempt = &Attempt::parse(request)?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (now, id) = (self.now(), AdmissionId::new(&*self.clock, &*self.random));
            let verdict = self
                .store
                .transaction("admission.admit", |tx| Box::pin(attempt.run(tx, id, now)))
                .await;
            match verdict {
                Err(BoxOfficeError::Store(StoreError::Duplicate { .. }))
                    if attempts < ATTEMPTS_MAX => {}
                other => return other,
            }
        }
    }
}

/// A request with its code read.
struct Attempt<'a> {
    device_id: DeviceId,
    nonce: &'a str,
    presented: Parsed<'a>,
    request_hash: [u8; 32],
}

enum Parsed<'a> {
    Code(Result<TicketCode, CodeError>),
    Palm { token: &'a PairwiseToken, people: u8 },
    UnknownPalm,
    AmbiguousPalm,
}

impl<'a> Attempt<'a> {
    fn parse(request: &AdmissionRequest<'a>) -> Result<Self> {
        let presented = match request.presented {
            Presented::Code(text) => Parsed::Code(text.parse()),
            Presented::Palm { people, .. } if people == 0 || people > PEOPLE_AT_ONCE_MAX => {
                return Err(BoxOfficeError::People);
            }
            Presented::Palm { token, people } => Parsed::Palm { token, people },
            Presented::UnknownPalm => Parsed::UnknownPalm,
            Presented::AmbiguousPalm => Parsed::AmbiguousPalm,
        };
        let request_hash = presented.hash();
        Ok(Self { device_id: request.device_id, nonce: request.nonce, presented, request_hash })
    }

    async fn run(&self, tx: &mut Tx<'_>, id: AdmissionId, now: Timestamp) -> Result<Verdict> {
        let device = device::find_working(tx, self.device_id).await?;
        if let Some(recorded) = find_recorded(tx, self.device_id, self.nonce).await? {
            return self.repeat(tx, &device, recorded).await;
        }
        let door = door_at(tx, &device, now).await?;
        let decided = self.decide(tx, &door, now).await?;
        self.record(tx, id, &device, &door, &decided, now).await?;
        let previous = previous_entry(tx, &decided).await?;
        Ok(Verdict {
            admission_id: id,
            outcome: decided.judgement.outcome,
            reason: decided.judgement.reason,
            people: people(&decided),
            available: decided.available,
            product: decided.ticket.as_ref().map(|ticket| ticket.product.clone()),
            event_name: decided.ticket.as_ref().map(|ticket| ticket.event_name.clone()),
            previous,
            direction: device.direction,
            repeated: false,
        })
    }

    async fn decide(&self, tx: &mut Tx<'_>, door: &Door, now: Timestamp) -> Result<Decided> {
        match &self.presented {
            Parsed::Code(Ok(code)) => decide_code(tx, code, door, now).await,
            Parsed::Code(Err(error)) => {
                let reason = match error {
                    CodeError::Foreign => Reason::NotATicketCode,
                    CodeError::Malformed => Reason::DamagedCode,
                    CodeError::Mistyped => Reason::MistypedCode,
                };
                Ok(Decided::without_ticket(Outcome::Invalid, reason))
            }
            Parsed::Palm { token, people } => {
                palm_entry::decide(tx, token, *people, door, now).await
            }
            Parsed::UnknownPalm => {
                Ok(Decided::without_ticket(Outcome::Invalid, Reason::NotRecognised))
            }
            Parsed::AmbiguousPalm => {
                Ok(Decided::without_ticket(Outcome::Ambiguous, Reason::SeveralPalms))
            }
        }
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        id: AdmissionId,
        device: &Device,
        door: &Door,
        decided: &Decided,
        now: Timestamp,
    ) -> Result<()> {
        let method = self.presented.method();
        tx.execute(
            "INSERT INTO admissions (id, device_id, nonce, request_hash, venue_id, gate_id,
                                     lane_id, event_id, ticket_id, method, outcome, reason, people,
                                     available, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            params![
                id,
                device.id,
                self.nonce,
                self.request_hash,
                device.venue_id,
                device.gate_id,
                device.lane_id,
                event_of(decided, door),
                decided.ticket.as_ref().map(|ticket| ticket.id),
                method,
                decided.judgement.outcome,
                decided.judgement.reason,
                people(decided),
                decided.available,
                now
            ],
        )
        .await?;
        for ticket in &decided.admitted {
            tx.execute(
                "INSERT INTO entries (ticket_id, number, admission_id, event_id, link_id, method, at)
                 VALUES ($1, 1, $2, $3, $4, $5, $6)",
                params![ticket.id, id, ticket.event_id, decided.link_id, method, now],
            )
            .await?;
        }
        Ok(())
    }

    /// The verdict as it was given the first time.
    async fn repeat(
        &self,
        tx: &mut Tx<'_>,
        device: &Device,
        recorded: Recorded,
    ) -> Result<Verdict> {
        if recorded.request_hash != self.request_hash {
            return Err(BoxOfficeError::NonceReused);
        }
        let previous = match (recorded.outcome, recorded.ticket_id) {
            (Outcome::AlreadyRedeemed, Some(ticket_id)) => entry_of(tx, ticket_id).await?,
            _ => None,
        };
        Ok(Verdict {
            admission_id: recorded.id,
            outcome: recorded.outcome,
            reason: recorded.reason,
            people: recorded.people,
            available: recorded.available,
            product: recorded.product,
            event_name: recorded.event_name,
            previous,
            direction: device.direction,
            repeated: true,
        })
    }
}

impl Parsed<'_> {
    fn method(&self) -> Method {
        match self {
            Self::Code(_) => Method::Code,
            Self::Palm { .. } | Self::UnknownPalm | Self::AmbiguousPalm => Method::Palm,
        }
    }

    /// Tells one request from another under the same nonce. Nothing of a palm goes in, and nothing
    /// of a code that is not ours.
    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        match self {
            Self::Code(Ok(code)) => hash.update(format!("code {}", code.as_str())),
            Self::Code(Err(error)) => hash.update(format!("no code {error:?}")),
            Self::Palm { people, .. } => hash.update(format!("palm {people}")),
            Self::UnknownPalm => hash.update("unknown palm"),
            Self::AmbiguousPalm => hash.update("ambiguous palm"),
        }
        hash.finalize().into()
    }
}

impl Decided {
    pub(crate) fn without_ticket(outcome: Outcome, reason: Reason) -> Self {
        Self {
            judgement: Judgement::refused(outcome, reason),
            ticket: None,
            admitted: Vec::new(),
            available: 0,
            link_id: None,
        }
    }
}

async fn decide_code(
    tx: &mut Tx<'_>,
    code: &TicketCode,
    door: &Door,
    now: Timestamp,
) -> Result<Decided> {
    let ticket = ticket::facts_by_code(tx, code).await?;
    let ticket = ticket.filter(|ticket| ticket.company_id == door.company_id);
    let Some(ticket) = ticket else {
        return Ok(Decided::without_ticket(Outcome::Invalid, Reason::UnknownCode));
    };
    let judgement = judge(&ticket, door, now);
    let admitted = if judgement == Judgement::OK { vec![ticket.clone()] } else { Vec::new() };
    Ok(Decided { judgement, ticket: Some(ticket), admitted, available: 0, link_id: None })
}

/// What tickets are judged against at a device.
pub(crate) async fn door_at(tx: &mut Tx<'_>, device: &Device, now: Timestamp) -> Result<Door> {
    let open = event::open_at(tx, device.venue_id, now).await?;
    let products = match device.lane_id {
        Some(lane_id) => lane::products(tx, lane_id).await?,
        None => Vec::new(),
    };
    Ok(Door {
        company_id: device.company_id,
        venue_id: device.venue_id,
        products,
        open: open.into_iter().map(|event| event.id).collect(),
    })
}

/// The event an attempt counts for: the ticket's where it enters, else the one at this door.
fn event_of(decided: &Decided, door: &Door) -> Option<EventId> {
    let entered = decided.admitted.first().map(|ticket| ticket.event_id);
    let own = decided.ticket.as_ref().map(|ticket| ticket.event_id);
    let here = own.filter(|event| door.open.contains(event));
    entered.or(here).or(door.open.first().copied()).or(own)
}

fn people(decided: &Decided) -> u8 {
    u8::try_from(decided.admitted.len()).unwrap_or(PEOPLE_AT_ONCE_MAX)
}

async fn previous_entry(tx: &mut Tx<'_>, decided: &Decided) -> Result<Option<Entry>> {
    match &decided.ticket {
        Some(ticket) if decided.judgement.outcome == Outcome::AlreadyRedeemed => {
            entry_of(tx, ticket.id).await
        }
        _ => Ok(None),
    }
}

/// A ticket's entry.
pub(crate) async fn entry_of(tx: &mut Tx<'_>, ticket_id: TicketId) -> Result<Option<Entry>> {
    let sql = "SELECT n.at, g.name AS gate_name, l.name AS lane_name, n.method
               FROM entries n
               JOIN admissions a ON a.id = n.admission_id
               LEFT JOIN gates g ON g.id = a.gate_id
               LEFT JOIN lanes l ON l.id = a.lane_id
               WHERE n.ticket_id = $1 ORDER BY n.number DESC";
    Ok(tx.fetch_optional(sql, params![ticket_id]).await?)
}

async fn find_recorded(
    tx: &mut Tx<'_>,
    device_id: DeviceId,
    nonce: &str,
) -> Result<Option<Recorded>> {
    let sql =
        "SELECT a.id, a.request_hash, a.outcome, a.reason, a.people, a.available, a.ticket_id,
                      t.product, e.name AS event_name
               FROM admissions a
               LEFT JOIN tickets t ON t.id = a.ticket_id
               LEFT JOIN events e ON e.id = t.event_id
               WHERE a.device_id = $1 AND a.nonce = $2";
    Ok(tx.fetch_optional(sql, params![device_id, nonce]).await?)
}

fn check_nonce(nonce: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let long_enough = (NONCE_LEN_MIN..=NONCE_LEN_MAX).contains(&nonce.len());
    if long_enough && nonce.bytes().all(plain) {
        return Ok(());
    }
    Err(BoxOfficeError::Nonce { min: NONCE_LEN_MIN, max: NONCE_LEN_MAX })
}
