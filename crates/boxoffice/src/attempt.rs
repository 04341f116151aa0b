//! One attempt to pass, inside a transaction: read, judged, recorded; or repeated from its record.

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeSet, HashMap};

use handfast_model::{
    AdmissionId, CheckInListId, DeviceId, EventId, GateId, LaneId, LinkId, PairwiseToken,
    QuestionId, StaffUserId, TicketId, Timestamp, VenueId,
};
use handfast_store::{Tx, from_row, params};
use sha2::{Digest, Sha256};

use crate::admission::entry_of;
use crate::door::Premises;
use crate::gathered::Gathered;
use crate::judgement::{Check, Door, Judgement, Note, Trace, judge, open_questions};
use crate::presence::Passing;
use crate::scanned_code::ScannedCode;
use crate::ticket::TicketFacts;
use crate::unwritten::Unwritten;
use crate::{
    AdmissionRequest, AdmissionTerms, BoxOfficeError, Device, Entry, Method, Outcome,
    PEOPLE_AT_ONCE_MAX, Presented, Question, Reason, Result, Verdict, code_entry, device,
    palm_entry, question, ticket,
};

const NONCE_LEN_MIN: usize = 8;
/// Above any UUID or base64 of 256 bits.
const NONCE_LEN_MAX: usize = 64;

/// What was decided about an attempt, before it is recorded.
#[derive(Debug)]
pub(crate) struct Decided {
    pub judgement: Judgement,
    /// The ticket it is about: the first, where several pass. Not one of another company.
    pub ticket: Option<TicketFacts>,
    /// The tickets that pass, each with how many people.
    pub passing: Vec<(TicketFacts, u32)>,
    pub available: u8,
    pub link_id: Option<LinkId>,
}

/// A supervisor's decision.
#[derive(Clone, Debug)]
pub(crate) struct Force {
    pub staff_user_id: StaffUserId,
    pub reason: String,
}

/// A request with its code read, owning everything: it may wait for others to be decided together.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub device_id: DeviceId,
    pub nonce: String,
    pub presented: Parsed,
    pub terms: AdmissionTerms,
    pub force: Option<Force>,
    request_hash: [u8; 32],
}

#[derive(Debug)]
pub(crate) enum Parsed {
    Code(ScannedCode),
    /// A ticket that staff found by name or order.
    Ticket(TicketId),
    Palm {
        token: PairwiseToken,
        people: u8,
    },
    UnknownPalm,
    AmbiguousPalm,
}

/// What several attempts of one transaction read once: where each device stands.
#[derive(Default)]
pub(crate) struct Doors {
    devices: HashMap<DeviceId, Device>,
    premises: Premises,
    places: HashMap<PlaceOf, Door>,
}

/// Devices at one lane and gate judge alike.
type PlaceOf = (VenueId, Option<GateId>, Option<LaneId>, Option<Passing>);

impl Doors {
    /// Reads a group's devices ahead; one alone is read as it goes.
    pub async fn ahead(tx: &mut Tx<'_>, attempts: &[Attempt]) -> Result<Self> {
        let mut doors = Self::default();
        if attempts.len() < 2 {
            return Ok(doors);
        }
        let ids: BTreeSet<DeviceId> = attempts.iter().map(|attempt| attempt.device_id).collect();
        let ids: Vec<DeviceId> = ids.into_iter().collect();
        for device in device::working(tx, &ids).await? {
            doors.devices.insert(device.id, device);
        }
        Ok(doors)
    }

    async fn at(
        &mut self,
        tx: &mut Tx<'_>,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<(&Device, &Door)> {
        let device = match self.devices.entry(attempt.device_id) {
            Place::Occupied(there) => there.into_mut(),
            Place::Vacant(place) => {
                place.insert(device::find_working(tx, attempt.device_id).await?)
            }
        };
        let passing = attempt.terms.passing;
        let place = (device.venue_id, device.gate_id, device.lane_id, passing);
        let door = match self.places.entry(place) {
            Place::Occupied(there) => there.into_mut(),
            Place::Vacant(place) => {
                place.insert(self.premises.door(tx, device, passing, now).await?)
            }
        };
        Ok((device, door))
    }
}

pub(crate) struct Recorded {
    id: AdmissionId,
    request_hash: [u8; 32],
    outcome: Outcome,
    reason: Option<Reason>,
    passing: Passing,
    people: u8,
    available: u8,
    note: Option<Note>,
    ticket_id: Option<TicketId>,
    product: Option<String>,
    event_name: Option<String>,
    annulled_at: Option<Timestamp>,
}

from_row!(Recorded {
    id,
    request_hash,
    outcome,
    reason,
    passing,
    people,
    available,
    note,
    ticket_id,
    product,
    event_name,
    annulled_at,
});

impl Attempt {
    pub fn parse(request: &AdmissionRequest<'_>, terms: AdmissionTerms) -> Result<Self> {
        let presented = match request.presented {
            Presented::Code(text) => Parsed::Code(ScannedCode::read(text)),
            Presented::Palm { token, people } => Parsed::Palm { token: *token, people },
            Presented::UnknownPalm => Parsed::UnknownPalm,
            Presented::AmbiguousPalm => Parsed::AmbiguousPalm,
        };
        Self::new(request.device_id, request.nonce, presented, terms)
    }

    pub fn new(
        device_id: DeviceId,
        nonce: &str,
        presented: Parsed,
        terms: AdmissionTerms,
    ) -> Result<Self> {
        check_nonce(nonce)?;
        let named = match &presented {
            Parsed::Palm { people, .. } => Some(*people),
            _ => terms.people,
        };
        if named.is_some_and(|people| people == 0 || people > PEOPLE_AT_ONCE_MAX) {
            return Err(BoxOfficeError::People);
        }
        question::check_answers(&terms.answers)?;
        let request_hash = presented.hash(&terms);
        Ok(Self { device_id, nonce: nonce.to_owned(), presented, terms, force: None, request_hash })
    }

    /// Decides and keeps the record in `gathered`, or repeats. Errors come before anything is kept.
    pub async fn run(
        &self,
        tx: &mut Tx<'_>,
        (doors, gathered): (&mut Doors, &mut Gathered),
        id: AdmissionId,
        now: Timestamp,
    ) -> Result<Verdict> {
        let (device, door) = doors.at(tx, self, now).await?;
        if let Some(recorded) = gathered.recorded(tx, self.device_id, &self.nonce).await? {
            return self.repeat(tx, &mut gathered.unwritten, device, recorded).await;
        }
        let mut trace = Trace::wanted(self.terms.explain);
        let mut decided = self.decide(tx, gathered, (door, now), &mut trace).await?;
        self.apply_force(&mut decided, &mut trace);
        let questions = self.questions(&decided, door);
        self.record(&mut gathered.unwritten, id, (device, door), &decided, now);
        for (ticket, _) in &decided.passing {
            gathered.changed(ticket.id);
        }
        let previous = previous_entry(tx, &decided).await?;
        let ticket = decided.ticket.as_ref();
        Ok(Verdict {
            admission_id: id,
            outcome: decided.judgement.outcome,
            reason: decided.judgement.reason,
            passing: door.passing,
            people: people(&decided),
            available: decided.available,
            note: decided.judgement.note,
            product: ticket.map(|ticket| ticket.product.clone()),
            event_name: ticket.map(|ticket| ticket.event_name.clone()),
            previous,
            direction: device.direction,
            questions,
            steps: trace.into_steps(),
            repeated: false,
        })
    }

    /// What the answer is. Writes nothing but answers to questions.
    pub async fn decide(
        &self,
        tx: &mut Tx<'_>,
        gathered: &mut Gathered,
        (door, now): (&Door, Timestamp),
        trace: &mut Trace,
    ) -> Result<Decided> {
        match &self.presented {
            Parsed::Code(code) => {
                let found = code_entry::find(tx, gathered, code, (door, now), trace).await?;
                match found {
                    Ok(ticket) => {
                        self.decide_ticket(tx, gathered, ticket, (door, now), trace).await
                    }
                    Err(refused) => Ok(Decided::of(refused)),
                }
            }
            Parsed::Ticket(id) => {
                gathered.unwritten.write(tx).await?;
                let ticket = ticket::facts(tx, *id).await?;
                self.decide_ticket(tx, gathered, ticket, (door, now), trace).await
            }
            Parsed::Palm { token, people } => {
                gathered.unwritten.write(tx).await?;
                palm_entry::decide(tx, token, *people, door, now, trace).await
            }
            Parsed::UnknownPalm => {
                Ok(Decided::without_ticket(Outcome::Invalid, Reason::NotRecognised))
            }
            Parsed::AmbiguousPalm => {
                Ok(Decided::without_ticket(Outcome::Ambiguous, Reason::SeveralPalms))
            }
        }
    }

    /// Decides about a ticket that was found: answers first, then the rule, then how many people.
    async fn decide_ticket(
        &self,
        tx: &mut Tx<'_>,
        gathered: &mut Gathered,
        ticket: TicketFacts,
        (door, now): (&Door, Timestamp),
        trace: &mut Trace,
    ) -> Result<Decided> {
        if ticket.company_id != door.company_id {
            let judgement = judge(&ticket, door, now, trace);
            return Ok(Decided::of(judgement));
        }
        let mut ticket = match code_entry::addon(tx, gathered, &ticket, door).await? {
            Ok(addon) => addon.unwrap_or(ticket),
            Err(refused) => return Ok(Decided { ticket: Some(ticket), ..Decided::of(refused) }),
        };
        if door.open_event(ticket.event_id).is_some_and(|event| !event.questions.is_empty()) {
            question::keep(tx, &ticket, door, &self.terms.answers, now).await?;
            ticket::add_answered(tx, &mut ticket).await?;
        }
        let judgement = judge(&ticket, door, now, trace);
        Ok(self.count_people(judgement, ticket, trace))
    }

    fn count_people(
        &self,
        judgement: Judgement,
        ticket: TicketFacts,
        trace: &mut Trace,
    ) -> Decided {
        let mut decided = Decided { ticket: Some(ticket.clone()), ..Decided::of(judgement) };
        if !judgement.is_ok() {
            return decided;
        }
        let room = judgement.room;
        // A ticket for one person that several are inside on still passes one person.
        let mut wanted = self.terms.people.map(u32::from);
        if ticket.party_size > 1 {
            decided.available = shown(room);
        } else {
            wanted = wanted.or(Some(room.min(1)));
        }
        let people = wanted.unwrap_or(room);
        let refusal = match wanted {
            None if room > 1 => Some(Reason::ChoosePeople),
            // An exit of nobody is noted and never refused.
            Some(wanted) if wanted > room && judgement.note != Some(Note::NobodyInside) => {
                Some(Reason::FewerAvailable)
            }
            _ => None,
        };
        let detail = || match wanted {
            Some(wanted) => format!("{wanted} people, {room} may pass"),
            None => format!("nobody said how many, {room} may pass"),
        };
        trace.step(Check::People, refusal.is_none(), detail);
        match refusal {
            Some(reason) => decided.judgement = Judgement::refused(Outcome::Incomplete, reason),
            None => decided.passing = vec![(ticket, people.min(room))],
        }
        decided
    }

    /// A supervisor lets a ticket of the company pass, whatever the rule says.
    fn apply_force(&self, decided: &mut Decided, trace: &mut Trace) {
        let Some(force) = &self.force else { return };
        let Some(ticket) = decided.ticket.clone() else { return };
        if decided.judgement.is_ok() {
            return;
        }
        trace.step(Check::Forced, true, || force.reason.clone());
        let people = u32::from(self.terms.people.unwrap_or(1));
        decided.judgement = Judgement {
            outcome: Outcome::Ok,
            reason: None,
            room: people,
            note: Some(Note::Forced),
        };
        decided.passing = vec![(ticket, people)];
    }

    fn questions(&self, decided: &Decided, door: &Door) -> Vec<Question> {
        match (&decided.ticket, decided.judgement.reason) {
            (Some(ticket), Some(Reason::QuestionOpen)) => {
                open_questions(ticket, door).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn record(
        &self,
        unwritten: &mut Unwritten,
        id: AdmissionId,
        (device, door): (&Device, &Door),
        decided: &Decided,
        now: Timestamp,
    ) {
        let event_id = event_of(decided, door);
        let list_id = event_id.map(|event| list_of(event, door));
        unwritten.admission(params![
            id,
            device.id,
            self.nonce,
            self.request_hash,
            device.venue_id,
            device.gate_id,
            device.lane_id,
            event_id,
            decided.ticket.as_ref().map(|ticket| ticket.id),
            self.presented.method(),
            decided.judgement.outcome,
            decided.judgement.reason,
            people(decided),
            decided.available,
            now,
            door.passing,
            list_id,
            decided.judgement.note,
            self.force.as_ref().map(|force| force.staff_user_id),
            self.force.as_ref().map(|force| force.reason.clone())
        ]);
        for (ticket, people) in &decided.passing {
            let list_id = list_of(ticket.event_id, door);
            unwritten.passage(params![
                ticket.id,
                list_id,
                ticket.next_number(list_id),
                door.passing,
                people,
                id,
                ticket.event_id,
                door.area_id,
                decided.link_id,
                self.presented.method(),
                now,
                now
            ]);
        }
    }

    /// The verdict as it was given the first time; or that it was taken back since.
    async fn repeat(
        &self,
        tx: &mut Tx<'_>,
        unwritten: &mut Unwritten,
        device: &Device,
        recorded: Recorded,
    ) -> Result<Verdict> {
        if recorded.request_hash != self.request_hash {
            return Err(BoxOfficeError::NonceReused);
        }
        let previous = match (recorded.outcome, recorded.ticket_id) {
            (Outcome::AlreadyRedeemed, Some(ticket_id)) => {
                unwritten.write(tx).await?;
                entry_of(tx, ticket_id).await?
            }
            _ => None,
        };
        let taken_back = recorded.annulled_at.is_some();
        let (outcome, reason, people) = match taken_back {
            true => (Outcome::Annulled, Some(Reason::TakenBack), 0),
            false => (recorded.outcome, recorded.reason, recorded.people),
        };
        Ok(Verdict {
            admission_id: recorded.id,
            outcome,
            reason,
            passing: recorded.passing,
            people,
            available: recorded.available,
            note: recorded.note,
            product: recorded.product,
            event_name: recorded.event_name,
            previous,
            direction: device.direction,
            questions: Vec::new(),
            steps: Vec::new(),
            repeated: true,
        })
    }
}

impl Parsed {
    pub fn method(&self) -> Method {
        match self {
            Self::Code(_) => Method::Code,
            Self::Ticket(_) => Method::Staff,
            Self::Palm { .. } | Self::UnknownPalm | Self::AmbiguousPalm => Method::Palm,
        }
    }

    /// Tells one request from another under the same nonce. Nothing of a palm goes in.
    fn hash(&self, terms: &AdmissionTerms) -> [u8; 32] {
        let mut hash = Sha256::new();
        match self {
            Self::Code(code) => hash.update(code.request_text()),
            Self::Ticket(id) => hash.update(format!("ticket {id}")),
            Self::Palm { people, .. } => hash.update(format!("palm {people}")),
            Self::UnknownPalm => hash.update("unknown palm"),
            Self::AmbiguousPalm => hash.update("ambiguous palm"),
        }
        if let Some(passing) = terms.passing {
            hash.update(format!(" {passing}"));
        }
        if let Some(people) = terms.people {
            hash.update(format!(" people {people}"));
        }
        hash.finalize().into()
    }
}

impl Decided {
    pub fn of(judgement: Judgement) -> Self {
        Self { judgement, ticket: None, passing: Vec::new(), available: 0, link_id: None }
    }

    pub fn without_ticket(outcome: Outcome, reason: Reason) -> Self {
        Self::of(Judgement::refused(outcome, reason))
    }
}

/// A number of people as a lane shows it.
pub(crate) fn shown(people: u32) -> u8 {
    u8::try_from(people).unwrap_or(u8::MAX).min(PEOPLE_AT_ONCE_MAX)
}

/// The list that a passage of an event counts at: the one that serves the gate, else (where staff
/// let somebody pass elsewhere) the event's own.
fn list_of(event_id: EventId, door: &Door) -> CheckInListId {
    let open = door.open_event(event_id).and_then(|event| event.list.as_ref());
    open.map_or_else(|| event_id.into(), |list| list.id)
}

/// The event an attempt counts for: the ticket's where it enters, else the one at this door.
fn event_of(decided: &Decided, door: &Door) -> Option<EventId> {
    let passed = decided.passing.first().map(|(ticket, _)| ticket.event_id);
    let own = decided.ticket.as_ref().map(|ticket| ticket.event_id);
    let here = own.filter(|event| door.open_event(*event).is_some());
    let first_open = door.open.first().map(|event| event.id);
    passed.or(here).or(first_open).or(own)
}

fn people(decided: &Decided) -> u8 {
    let people: u32 = decided.passing.iter().map(|(_, people)| people).sum();
    u8::try_from(people).unwrap_or(u8::MAX)
}

async fn previous_entry(tx: &mut Tx<'_>, decided: &Decided) -> Result<Option<Entry>> {
    match &decided.ticket {
        Some(ticket) if decided.judgement.outcome == Outcome::AlreadyRedeemed => {
            entry_of(tx, ticket.id).await
        }
        _ => Ok(None),
    }
}

/// A statement that reads records: `a` is the record.
macro_rules! recorded_where {
    ($condition:literal) => {
        concat!(
            "SELECT a.device_id, a.nonce, a.id, a.request_hash, a.outcome, a.reason, a.passing,
                    a.people, a.available, a.note, a.ticket_id, t.product, e.name AS event_name,
                    a.annulled_at
             FROM admissions a
             LEFT JOIN tickets t ON t.id = a.ticket_id
             LEFT JOIN events e ON e.id = t.event_id
             WHERE ",
            $condition
        )
    };
}
pub(crate) use recorded_where;

pub(crate) async fn find_recorded(
    tx: &mut Tx<'_>,
    device_id: DeviceId,
    nonce: &str,
) -> Result<Option<Recorded>> {
    let sql = recorded_where!("a.device_id = $1 AND a.nonce = $2");
    Ok(tx.fetch_optional(sql, params![device_id, nonce]).await?)
}

/// A nonce must be one.
pub(crate) fn check_nonce(nonce: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let long_enough = (NONCE_LEN_MIN..=NONCE_LEN_MAX).contains(&nonce.len());
    if long_enough && nonce.bytes().all(plain) {
        return Ok(());
    }
    Err(BoxOfficeError::Nonce { min: NONCE_LEN_MIN, max: NONCE_LEN_MAX })
}

/// Answers are kept with a ticket under the question's id.
pub(crate) type Answers = [(QuestionId, String)];
