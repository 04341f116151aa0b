//! Whether one ticket passes at one door now: the rule alone, without a database, so that it can be
//! held against a slow oracle. The order of the checks is part of it: what the holder can do
//! nothing about goes first. Each check says what it looked at, for whoever asks why.

use handfast_model::{AreaId, CompanyId, EventId, Timestamp, VenueId};

use crate::check_in_list::{CheckInList, Reset};
use crate::presence::{Passing, Presence};
use crate::rule::RuleFacts;
use crate::ticket::TicketFacts;
use crate::{AntiPassback, EntryMode, Outcome, PassbackScope, Question, Reason, Standing};

handfast_store::text_enum! {
    /// A check of the admission engine, in the order they are made.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Check {
        /// Whether the code is one of ours, and genuine.
        Code = "code",
        /// Whether the ticket is of this company.
        Known = "known",
        /// Whether its code was withdrawn.
        Revoked = "revoked",
        /// Whether it is for this venue and an event that is open here.
        Place = "place",
        /// Whether it or its order was cancelled.
        Cancelled = "cancelled",
        /// Whether it is held back.
        Blocked = "blocked",
        /// Whether its order waits for approval.
        Approved = "approved",
        /// Whether its own times allow it now.
        Window = "window",
        /// Whether its product enters at this lane and list.
        Product = "product",
        /// Whether its order is paid.
        Paid = "paid",
        /// The list's rule.
        Rule = "rule",
        /// Whether a question is open.
        Questions = "questions",
        /// Anti-passback.
        AntiPassback = "anti_passback",
        /// How often it entered.
        Entries = "entries",
        /// Whether as many people pass as were named.
        People = "people",
        /// Whether somebody decided it with a reason of theirs.
        Forced = "forced",
    }
}

/// One check that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub check: Check,
    /// Whether it went well.
    pub passed: bool,
    /// What it looked at.
    pub detail: String,
}

/// Collects steps where somebody asked for them, and costs nothing where nobody did.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<Vec<Step>>);

impl Trace {
    pub fn wanted(wanted: bool) -> Self {
        Self(wanted.then(Vec::new))
    }

    /// Notes a check and returns whether it passed.
    pub fn step(&mut self, check: Check, passed: bool, detail: impl FnOnce() -> String) -> bool {
        if let Some(steps) = &mut self.0 {
            steps.push(Step { check, passed, detail: detail() });
        }
        passed
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.0.unwrap_or_default()
    }
}

/// An event that is open at a door, with the list that serves it.
#[derive(Clone, Debug)]
pub(crate) struct OpenEvent {
    pub id: EventId,
    pub list: Option<CheckInList>,
    pub questions: Vec<Question>,
}

/// What a ticket is judged against.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub company_id: CompanyId,
    pub venue_id: VenueId,
    pub gate_name: Option<String>,
    pub area_id: Option<AreaId>,
    pub passing: Passing,
    pub utc_offset_minutes: i32,
    /// What the lane admits; everything where empty.
    pub products: Vec<String>,
    /// The events that people may pass for here now.
    pub open: Vec<OpenEvent>,
    pub resets: Vec<Reset>,
}

impl Door {
    pub fn open_event(&self, id: EventId) -> Option<&OpenEvent> {
        self.open.iter().find(|event| event.id == id)
    }
}

handfast_store::text_enum! {
    /// What is worth knowing about a passage that was allowed.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(into = "&'static str", try_from = "String")]
    pub enum Note {
        /// Somebody was inside on this ticket already; the list only notes it.
        InsideAlready = "inside_already",
        /// Nobody was inside on this ticket who could leave.
        NobodyInside = "nobody_inside",
        /// A supervisor decided it.
        Forced = "forced",
    }
}

/// An outcome; for a refusal why, otherwise for how many people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    /// How many people may pass on this ticket; 0 for a refusal, and for an exit of nobody.
    pub room: u32,
    pub note: Option<Note>,
}

impl Judgement {
    pub const fn refused(outcome: Outcome, reason: Reason) -> Self {
        Self { outcome, reason: Some(reason), room: 0, note: None }
    }

    pub fn is_ok(self) -> bool {
        self.outcome == Outcome::Ok
    }
}

/// Judges a ticket at a door.
pub(crate) fn judge(
    ticket: &TicketFacts,
    door: &Door,
    now: Timestamp,
    trace: &mut Trace,
) -> Judgement {
    let judged = known(ticket, door, trace)
        .and_then(|()| wrong_place_or_time(ticket, door, now, trace))
        .and_then(|list| match door.passing {
            Passing::Entry => enter(ticket, door, list, now, trace),
            Passing::Exit => Ok(leave(ticket, list, trace)),
        });
    judged.unwrap_or_else(|refused| refused)
}

type Checked<T = ()> = Result<T, Judgement>;

fn check(
    trace: &mut Trace,
    what: Check,
    passed: bool,
    detail: impl FnOnce() -> String,
    refusal: (Outcome, Reason),
) -> Checked {
    if trace.step(what, passed, detail) {
        Ok(())
    } else {
        Err(Judgement::refused(refusal.0, refusal.1))
    }
}

fn known(ticket: &TicketFacts, door: &Door, trace: &mut Trace) -> Checked {
    // Another company's ticket is not ours to know: the answer is that of a random code.
    let ours = ticket.company_id == door.company_id;
    let detail = || if ours { ticket.event_name.clone() } else { "no ticket here".to_owned() };
    check(trace, Check::Known, ours, detail, (Outcome::Invalid, Reason::UnknownCode))?;
    let good = ticket.standing != Standing::Revoked;
    let detail = || format!("the ticket is {}", ticket.standing);
    check(trace, Check::Revoked, good, detail, (Outcome::Revoked, Reason::Withdrawn))
}

fn wrong_place_or_time<'d>(
    ticket: &TicketFacts,
    door: &'d Door,
    now: Timestamp,
    trace: &mut Trace,
) -> Checked<&'d CheckInList> {
    let refusal = if ticket.venue_id != door.venue_id {
        (Outcome::Invalid, Reason::OtherVenue)
    } else if !door.open.is_empty() {
        (Outcome::Invalid, Reason::OtherEvent)
    } else if now < ticket.doors_at {
        (Outcome::Rules, Reason::TooEarly)
    } else {
        (Outcome::Rules, Reason::EventOver)
    };
    let here = (ticket.venue_id == door.venue_id).then(|| door.open_event(ticket.event_id));
    let open = here.flatten();
    let detail = || match open {
        Some(_) => format!("{} is open at this venue", ticket.event_name),
        None => format!("{} is not open here now: {}", ticket.event_name, refusal.1),
    };
    check(trace, Check::Place, open.is_some(), detail, refusal)?;
    let list = open.and_then(|event| event.list.as_ref());
    let detail = || match list {
        Some(list) => format!("check-in list {:?}", list.terms.name),
        None => "no check-in list serves this gate".to_owned(),
    };
    let refusal = (Outcome::Product, Reason::NoListAtGate);
    check(trace, Check::Place, list.is_some(), detail, refusal)?;
    list.ok_or(Judgement::refused(refusal.0, refusal.1))
}

/// Nobody is kept inside: whoever holds a ticket of the event may leave, whatever became of it.
fn leave(ticket: &TicketFacts, list: &CheckInList, trace: &mut Trace) -> Judgement {
    let inside = ticket.presence_at(list, None, &[]).inside;
    trace.step(Check::Entries, true, || format!("{inside} inside on this ticket may leave"));
    let note = (inside == 0).then_some(Note::NobodyInside);
    Judgement { outcome: Outcome::Ok, reason: None, room: inside, note }
}

fn enter(
    ticket: &TicketFacts,
    door: &Door,
    list: &CheckInList,
    now: Timestamp,
    trace: &mut Trace,
) -> Checked<Judgement> {
    standing(ticket, now, trace)?;
    product_and_payment(ticket, door, list, trace)?;
    let presence = ticket.presence_at(list, None, &door.resets);
    rule(ticket, door, list, (&presence, now), trace)?;
    questions(ticket, door, trace)?;
    let note = anti_passback(ticket, door, list, now, trace)?;
    let room = entries(ticket, list, &presence, trace)?;
    Ok(Judgement { outcome: Outcome::Ok, reason: None, room, note })
}

fn standing(ticket: &TicketFacts, now: Timestamp, trace: &mut Trace) -> Checked {
    for (what, worth, outcome, reason) in [
        (Check::Cancelled, Standing::Cancelled, Outcome::Cancelled, Reason::TicketCancelled),
        (Check::Blocked, Standing::Blocked, Outcome::Blocked, Reason::HeldBack),
        (Check::Approved, Standing::Unapproved, Outcome::Unapproved, Reason::OrderUnapproved),
    ] {
        let detail = || format!("the ticket is {}", ticket.standing);
        check(trace, what, ticket.standing != worth, detail, (outcome, reason))?;
    }
    let early = ticket.valid_from.is_some_and(|from| now < from);
    let late = ticket.valid_until.is_some_and(|until| now >= until);
    let reason = if early { Reason::NotYetValid } else { Reason::NoLongerValid };
    let detail = || match (ticket.valid_from, ticket.valid_until) {
        (None, None) => "the ticket has no times of its own".to_owned(),
        _ => "the ticket's own times".to_owned(),
    };
    check(trace, Check::Window, !early && !late, detail, (Outcome::InvalidTime, reason))
}

fn product_and_payment(
    ticket: &TicketFacts,
    door: &Door,
    list: &CheckInList,
    trace: &mut Trace,
) -> Checked {
    let among = |products: &[String]| products.is_empty() || products.contains(&ticket.product);
    let here = among(&door.products) && among(&list.terms.products);
    let refusal = (Outcome::Product, Reason::ProductElsewhere);
    check(trace, Check::Product, here, || format!("the product is {:?}", ticket.product), refusal)?;
    let paid = ticket.standing != Standing::Unpaid || list.terms.include_unpaid;
    let detail = || format!("the ticket is {}", ticket.standing);
    check(trace, Check::Paid, paid, detail, (Outcome::Unpaid, Reason::OrderUnpaid))
}

fn rule(
    ticket: &TicketFacts,
    door: &Door,
    list: &CheckInList,
    (presence, now): (&Presence, Timestamp),
    trace: &mut Trace,
) -> Checked {
    let Some(rule) = &list.terms.rule else { return Ok(()) };
    let facts = RuleFacts {
        now,
        utc_offset_minutes: door.utc_offset_minutes,
        doors_at: ticket.doors_at,
        starts_at: ticket.starts_at,
        ends_at: ticket.ends_at,
        product: &ticket.product,
        gate: door.gate_name.as_deref(),
        entries: &presence.entries,
        inside: presence.inside > 0,
    };
    let holds = rule.holds(&facts);
    let detail = || {
        let mut nodes = Vec::new();
        rule.explain(&facts, &mut nodes);
        let words = nodes
            .iter()
            .map(|(node, holds)| format!("{node}: {}", if *holds { "yes" } else { "no" }));
        words.collect::<Vec<_>>().join("; ")
    };
    check(trace, Check::Rule, holds, detail, (Outcome::Rules, Reason::RuleSaysNo))
}

fn questions(ticket: &TicketFacts, door: &Door, trace: &mut Trace) -> Checked {
    let open = open_questions(ticket, door).count();
    let detail = || format!("{open} questions are open");
    check(trace, Check::Questions, open == 0, detail, (Outcome::Incomplete, Reason::QuestionOpen))
}

/// The required questions of a ticket that are not answered yet.
pub(crate) fn open_questions<'d>(
    ticket: &'d TicketFacts,
    door: &'d Door,
) -> impl Iterator<Item = &'d Question> {
    let asked = door.open_event(ticket.event_id).map(|event| event.questions.as_slice());
    asked.unwrap_or_default().iter().filter(|question| {
        let concerned = question.product.as_ref().is_none_or(|name| *name == ticket.product);
        question.required && concerned && !ticket.answered.contains(&question.id)
    })
}

fn anti_passback(
    ticket: &TicketFacts,
    door: &Door,
    list: &CheckInList,
    now: Timestamp,
    trace: &mut Trace,
) -> Checked<Option<Note>> {
    let terms = &list.terms;
    if terms.anti_passback == AntiPassback::None {
        return Ok(None);
    }
    let area = door.area_id.filter(|_| terms.anti_passback_scope == PassbackScope::Area);
    let presence = ticket.presence_at(list, area, &door.resets);
    let full = presence.inside >= ticket.party_size;
    if let Some(span) = terms.passback_span() {
        let soon = presence.entries.last().is_some_and(|last| now - *last < span);
        let detail =
            || format!("the last entry must be {:?} minutes ago", terms.anti_passback_minutes);
        let refusal = (Outcome::Rules, Reason::EnteredJustNow);
        return check(trace, Check::AntiPassback, !soon, detail, refusal).map(|()| None);
    }
    let soft = terms.anti_passback == AntiPassback::Soft;
    let detail = || {
        let place = if area.is_some() { "this area" } else { "this list" };
        format!(
            "{} inside of {} by {place} ({})",
            presence.inside, ticket.party_size, terms.anti_passback
        )
    };
    let refusal = (Outcome::AlreadyRedeemed, Reason::InsideAlready);
    check(trace, Check::AntiPassback, !full || soft, detail, refusal)?;
    Ok(full.then_some(Note::InsideAlready))
}

/// How many people may enter, as the list's way of counting has it.
fn entries(
    ticket: &TicketFacts,
    list: &CheckInList,
    presence: &Presence,
    trace: &mut Trace,
) -> Checked<u32> {
    let room = match list.terms.entry {
        EntryMode::Single => ticket.party_size.saturating_sub(presence.entered),
        EntryMode::AfterExit => ticket.party_size.saturating_sub(presence.inside),
        EntryMode::Multiple => ticket.party_size,
    };
    let detail = || {
        format!(
            "{}: {} entered, {} inside, of {}",
            list.terms.entry, presence.entered, presence.inside, ticket.party_size
        )
    };
    let refusal = (Outcome::AlreadyRedeemed, Reason::EnteredBefore);
    check(trace, Check::Entries, room > 0, detail, refusal).map(|()| room)
}
