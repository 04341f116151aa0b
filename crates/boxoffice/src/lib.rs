//! The box office: who may enter where and when, and what was consented to.
//!
//! [`BoxOffice`] is the whole service over one [`Store`]. It knows companies with their venues,
//! gates, lanes and devices; events, orders and tickets; accounts and staff users with mail-link
//! sign-in; palm links with consent; and the one admission engine ([`BoxOffice::admit`]) that
//! palm lane and agent's scan share. It never sees a palm: only pairwise tokens of the company and
//! of its venues.
//!
//! Invariants, each held by the database and tested under concurrency:
//! - a ticket's passages follow each other (`passages`' key), so that it enters as often as its
//!   check-in list says, whatever device, method, concurrency or replay;
//! - one living link a ticket, one link a palm of a company;
//! - a device's nonce has one verdict, which a repetition gets again;
//! - a link enters only with tickets of its own company, within its consent's scope and end, and
//!   never at an event without biometrics.

mod account;
mod admission;
mod admission_writer;
mod annulment;
mod approval;
mod area;
mod arming;
mod attempt;
mod base32;
mod capture_failure;
mod check_in_list;
mod code_entry;
mod company;
mod consent;
mod consent_text;
mod console;
mod danger_fill;
mod device;
mod door;
mod email;
mod error;
mod event;
mod explanation;
mod gate;
mod gate_wait;
mod gathered;
mod guardian;
mod guardian_text;
mod judgement;
mod lane;
mod lane_copy;
mod lane_merge;
mod lane_office;
mod language;
mod link;
mod link_creation;
mod link_decision;
mod link_deletion;
mod mail;
mod mail_key;
mod mail_text;
mod occupancy;
mod order;
mod order_payment;
mod outcome;
mod palm_entry;
mod palm_owner;
mod pdf;
mod presence;
mod pretix_code;
mod product;
mod provisioning;
mod question;
mod rotating_code;
mod rule;
mod sale;
mod sales_desk;
mod scanned_code;
mod schema;
mod secret_key;
mod session;
mod settlement;
mod signed_code;
mod staff_action;
mod staff_user;
mod ticket;
mod ticket_code;
mod ticket_csv;
mod ticket_import;
mod ticket_issue;
mod ticket_refund;
mod ticket_search;
mod transfer;
mod unwritten;
mod use_history;
mod venue;

use std::sync::Arc;

use handfast_model::{Clock, Random, Timestamp};
use handfast_store::Store;

use crate::admission_writer::AdmissionWriter;

pub use account::Account;
pub use admission::{
    AdmissionRequest, AdmissionTerms, Entry, PEOPLE_AT_ONCE_MAX, Presented, Verdict,
};
pub use annulment::ANNUL_WITHIN;
pub use approval::{
    APPROVED_WITHIN, Approval, ApprovalRefusal, ApprovalState, CARRIED_OUT_WITHIN, WideAct,
};
pub use area::Area;
pub use arming::{Arming, ArmingChanges};
pub use check_in_list::{AntiPassback, CheckInList, EntryMode, ListTerms, PassbackScope};
pub use company::Company;
pub use consent::{Consent, PaymentConsent};
pub use consent_text::{
    CURRENT_VERSION, ConsentText, Custody, PAYMENT_VERSION, Purpose, PurposeText, consent_text,
    payment_consent_text, released_text,
};
pub use console::{
    CaptureFailureCount, DeviceSight, EventLive, EventOverview, MinuteCount, OutcomeCount,
    RecentAdmission,
};
pub use device::{Device, DeviceKind, DeviceMode, NewDevice};
pub use email::EmailAddress;
pub use error::{BoxOfficeError, Thing};
pub use event::{Biometrics, Event, NewEvent};
pub use explanation::Explanation;
pub use gate::Gate;
pub use gate_wait::{GateWait, Wait};
pub use guardian::{AGE_YEARS_MAX, AgeEvidence, AgeLaw, AgeSaid, GuardianConsent, SaidBy};
pub use guardian_text::{GUARDIAN_VERSION, GuardianText, guardian_text};
pub use judgement::{Check, Note, Step};
pub use lane::{Direction, Lane};
pub use lane_copy::{COPY_VERSION, LaneCopy};
pub use lane_merge::{DoubleEntry, DoubleUse, LaneQueue, QUEUE_AT_ONCE_MAX};
pub use lane_office::LaneOffice;
pub use language::Language;
pub use link::{ArmedAt, Link, LinkState, Scope, Side, ViaTicket};
pub use link_creation::{
    LINKED_WITHIN, LinkRefusal, Linked, NewLink, OfferedScope, PalmHandle, TicketToLink,
};
pub use link_decision::{Decision, LinkQuestion};
pub use link_deletion::{DeletedLink, DueDeletion, Ended, LivingLink};
pub use mail::Mail;
pub use mail_key::Realm;
pub use occupancy::{AreaOccupancy, Occupancy};
pub use order::{NewOrder, NewTicket, Order, OrderState};
pub use order_payment::OrderPayment;
pub use outcome::{Method, Outcome, Reason};
pub use palm_entry::{PalmCandidates, Turned};
pub use pdf::{PrintedTicket, table_pdf, tickets_pdf};
pub use presence::Passing;
pub use pretix_code::{NotPretix, PretixCode, public_key as pretix_public_key};
pub use product::{Product, ProductSales};
pub use question::{NewQuestion, Question, QuestionKind};
pub use rotating_code::{
    PERIOD_SECONDS as ROTATING_PERIOD_SECONDS, RotatingCode, SHOWN_DIGITS as ROTATING_DIGITS,
};
pub use rule::{Anchor, Bound, Daily, Moment, Rule, RuleError, TimeOfDay, Weekday};
pub use sale::{
    HOLD, HOLDS_MAX, ORDER_MINOR_MAX, Origin, SALE_TICKETS_MAX, Sale, SaleLine, SoldOrder, Tender,
};
pub use sales_desk::{NewSalesDesk, SalesDesk};
pub use session::{Session, Who};
pub use settlement::{FallbackLine, ProductSettlement, Settlement};
pub use signed_code::SignedCode;
pub use staff_action::{Action, ForcedPassage, StaffAction};
pub use staff_user::{Role, StaffUser};
pub use ticket::{AccountTicket, Standing, Ticket, TicketState};
pub use ticket_code::{CodeError, CodeKind, TicketCode};
pub use ticket_csv::BadRow;
pub use ticket_import::{ImportReport, TicketExport};
pub use ticket_issue::{RotatingIssue, TicketTerms};
pub use ticket_refund::OwedRefund;
pub use ticket_search::{FoundTicket, PassedBy, RefusedAttempt, SEARCH_LEN_MIN, TicketHistory};
pub use transfer::{OFFERS_MAX, TicketOffer};
pub use use_history::{Use, UseKind};
pub use venue::Venue;

/// What every call answers: a value or [`BoxOfficeError`].
pub type Result<T, E = BoxOfficeError> = std::result::Result<T, E>;

/// The box office service. Clones share the store.
#[derive(Clone)]
pub struct BoxOffice {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    writer: AdmissionWriter,
    keys: device::KeyCache,
    /// What mail links begin with, such as `https://tickets.example`; empty for links without host.
    public_address: String,
}

impl BoxOffice {
    /// Opens the service on `store` and brings its tables up to date. `public_address` is what
    /// links in mails begin with, such as `https://tickets.example`.
    ///
    /// # Errors
    /// [`BoxOfficeError::Store`], for example where a newer program wrote the tables.
    pub async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        public_address: &str,
    ) -> Result<Self> {
        store.migrate(&schema::MIGRATIONS).await?;
        let public_address = public_address.trim_end_matches('/').to_owned();
        let writer = AdmissionWriter::start(store.clone(), clock.clone(), random.clone());
        let keys = device::KeyCache::default();
        Ok(Self { store, clock, random, writer, keys, public_address })
    }

    /// The store under the service, for its counters.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
