//! The admission engine: one decision for palm lane and agent's scan alike.
//!
//! Exactly one entry a ticket: the rule reads the ticket's passages, and the key of `passages`
//! refuses a second row of one number whatever any rule says. Every attempt is recorded with
//! device, place, method and time, and the record is what a repeated request (a double tap, a lost
//! answer) gets its verdict from.

use std::fmt;

use handfast_model::{AdmissionId, DeviceId, PairwiseToken, QuestionId, TicketId, Timestamp};
use handfast_store::{Tx, from_row, params};

use crate::attempt::Attempt;
use crate::judgement::{Note, Step};
use crate::presence::Passing;
use crate::{BoxOffice, Direction, Method, Outcome, Question, Reason, Result};

/// How many people may pass at once: more than a car brings, few enough to count at a glance.
pub const PEOPLE_AT_ONCE_MAX: u8 = 8;

/// An attempt to pass.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionRequest<'a> {
    /// The device at which.
    pub device_id: DeviceId,
    /// The device's own number of this attempt, fresh for each, the same for a repetition.
    pub nonce: &'a str,
    /// What was presented.
    pub presented: Presented<'a>,
}

/// What else may be said of an attempt.
#[derive(Clone, Debug, Default)]
pub struct AdmissionTerms {
    /// Which way; the lane's own where `None`.
    pub passing: Option<Passing>,
    /// How many people pass on a ticket for several.
    pub people: Option<u8>,
    /// Answers to the event's questions, kept with the ticket.
    pub answers: Vec<(QuestionId, String)>,
    /// Whether the verdict explains itself, step by step.
    pub explain: bool,
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

impl fmt::Debug for Presented<'_> {
    /// Without code and token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// Which way.
    pub passing: Passing,
    /// How many people pass; 0 for a refusal.
    pub people: u8,
    /// How many could pass by this palm or group ticket now; 0 for a code of one person.
    pub available: u8,
    /// What is worth knowing about a passage that was allowed.
    pub note: Option<Note>,
    /// The ticket's product, where a ticket of ours was found.
    pub product: Option<String>,
    /// The ticket's event, where a ticket of ours was found.
    pub event_name: Option<String>,
    /// The entry there was before, where the ticket was redeemed.
    pub previous: Option<Entry>,
    /// Where the people go on from this lane.
    pub direction: Option<Direction>,
    /// What has to be answered first.
    pub questions: Vec<Question>,
    /// Every check that was made, where that was asked for.
    pub steps: Vec<Step>,
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

impl BoxOffice {
    /// Decides an attempt to pass, records it, and lets the people through where the answer is
    /// [`Outcome::Ok`]. The same device and nonce get the first answer again and change nothing.
    ///
    /// # Errors
    /// [`crate::BoxOfficeError::Nonce`]; [`crate::BoxOfficeError::NonceReused`];
    /// [`crate::BoxOfficeError::People`]; [`crate::BoxOfficeError::ApiKey`] for a revoked device. A
    /// refusal is no error.
    pub async fn admit(&self, request: &AdmissionRequest<'_>) -> Result<Verdict> {
        self.admit_on(request, AdmissionTerms::default()).await
    }

    /// As [`BoxOffice::admit`], with more said: which way, how many people, answers.
    ///
    /// # Errors
    /// As [`BoxOffice::admit`]; [`crate::BoxOfficeError::Answer`].
    pub async fn admit_on(
        &self,
        request: &AdmissionRequest<'_>,
        terms: AdmissionTerms,
    ) -> Result<Verdict> {
        self.writer.decide(Attempt::parse(request, terms)?).await
    }
}

/// A ticket's newest entry that was not annulled.
pub(crate) async fn entry_of(tx: &mut Tx<'_>, ticket_id: TicketId) -> Result<Option<Entry>> {
    let sql = "SELECT n.at, g.name AS gate_name, l.name AS lane_name, n.method
               FROM passages n
               JOIN admissions a ON a.id = n.admission_id
               LEFT JOIN gates g ON g.id = a.gate_id
               LEFT JOIN lanes l ON l.id = a.lane_id
               WHERE n.ticket_id = $1 AND n.passing = 'entry' AND n.annulled_at IS NULL
               ORDER BY n.at DESC, n.number DESC";
    Ok(tx.fetch_optional(sql, params![ticket_id]).await?)
}
