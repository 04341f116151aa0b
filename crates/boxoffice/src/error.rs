//! What the box office can refuse.

use handfast_store::StoreError;
use thiserror::Error;

use crate::{ApprovalRefusal, CodeError, LinkRefusal, PEOPLE_AT_ONCE_MAX};

handfast_store::text_enum! {
    /// A kind of thing that can be unknown.
    pub enum Thing {
        /// A ticketing company.
        Company = "company",
        /// A venue.
        Venue = "venue",
        /// A gate.
        Gate = "gate",
        /// A lane.
        Lane = "lane",
        /// A device.
        Device = "device",
        /// An event.
        Event = "event",
        /// An account.
        Account = "account",
        /// A staff user.
        StaffUser = "staff user",
        /// An order.
        Order = "order",
        /// A ticket.
        Ticket = "ticket",
        /// A product.
        Product = "product on sale",
        /// A palm link.
        Link = "link",
        /// A mail.
        Mail = "mail",
        /// A check-in list.
        CheckInList = "check-in list",
        /// A record of an attempt.
        Admission = "admission",
        /// A consent text of that version and language.
        ConsentText = "consent text",
        /// A request that a second person approves.
        Approval = "request",
    }
}

/// Why the box office did not do what it was asked. A refused *admission* is not an error but a
/// [`crate::Verdict`].
#[derive(Debug, Error)]
pub enum BoxOfficeError {
    /// The database failed.
    #[error("the box office's database failed")]
    Store(#[from] StoreError),
    /// There is no such thing, or it is not the caller's to see.
    #[error("there is no such {0} here; check the id")]
    Unknown(Thing),
    /// A text is empty or too long.
    #[error("{field} must have 1 to {max} characters, without control characters")]
    Text {
        /// Which field.
        field: &'static str,
        /// The most characters it may have.
        max: usize,
    },
    /// A mail address is not one.
    #[error("this is no mail address; write it as name@example.org")]
    Email,
    /// That mail address has an account or staff user already.
    #[error("this mail address is taken; sign in with it, or use another")]
    EmailTaken,
    /// An event's times are not in order.
    #[error("an event's doors, start and end must follow each other in this order")]
    EventTimes,
    /// Things of different companies or venues were to be combined.
    #[error("these belong to different companies or venues; choose ones that belong together")]
    Mismatch,
    /// An order without tickets, or with too many.
    #[error("an order has 1 to {max} tickets")]
    OrderSize {
        /// The most tickets an order may have.
        max: usize,
    },
    /// A price is negative or too high.
    #[error("a ticket costs 0 to {max} of the currency's smallest unit")]
    Price {
        /// The highest.
        max: i64,
    },
    /// More than one payment may be.
    #[error("an order costs at most {max} of the currency's smallest unit; order in parts")]
    OrderTooDear {
        /// The most.
        max: i64,
    },
    /// A price in another currency than the company's online shop takes.
    #[error("this company sells online in {expected} alone; set the price in {expected}")]
    SalesCurrency {
        /// The currency it takes.
        expected: handfast_model::Currency,
    },
    /// Nothing has a price yet.
    #[error("nothing is sold online here yet; an operator adds a product with a price first")]
    NoSalesDesk,
    /// An order that is not paid.
    #[error("this order is not paid; nothing of it can be given back or exchanged")]
    NotPaid,
    /// Too many mails to one person, or from one.
    #[error("at most {max} tickets a day are offered by one person or to one; try again tomorrow")]
    Offers {
        /// The most.
        max: i64,
    },
    /// The ticket's code stays as it is.
    #[error("the code of this ticket does not rotate; show the code itself")]
    NotRotating,
    /// More tickets than there are left.
    #[error("only {left} of these are left; choose fewer, or another product")]
    SoldOut {
        /// How many are left.
        left: u32,
    },
    /// The event is over.
    #[error("this event is over; nothing of it is sold or handed on any more")]
    SaleOver,
    /// An unpaid order's tickets are held no longer.
    #[error("this order's tickets are held no longer, or it is paid; look at it, or order again")]
    HoldOver,
    /// An order that is paid by hand was paid before.
    #[error("this order is paid already; take nothing more for it, and give back what was taken")]
    PaidAlready,
    /// An order is paid by hand while its buyer pays it.
    #[error(
        "its buyer is paying this order just now; take nothing for it before that has ended: look at \
         it again in a minute"
    )]
    PaymentUnderWay,
    /// One person holds too many unpaid orders.
    #[error("{max} of your orders wait to be paid; pay one of them, or wait until it ends")]
    Holds {
        /// The most.
        max: u32,
    },
    /// Somebody entered on a ticket that was to be given back or handed on.
    #[error("somebody entered with this ticket already; it cannot be given back or handed on")]
    TicketUsed,
    /// A palm enters with a ticket that was to be handed on.
    #[error("a palm enters with this ticket; end or move its link first, then hand the ticket on")]
    TicketLinked,
    /// A ticket that cannot be handed on: not good, or to its own holder.
    #[error("this ticket cannot be handed on: it is not good at present, or the address is yours")]
    NotTransferable,
    /// A mail link's key is unknown, used or too old.
    #[error("this link from a mail is used up or too old; ask for a new one")]
    MailKey,
    /// An API key is unknown or its device revoked.
    #[error("this API key is unknown or revoked; register the device again")]
    ApiKey,
    /// A nonce is too short or too long.
    #[error("a nonce has {min} to {max} letters, digits, `-` or `_`; make a fresh one a scan")]
    Nonce {
        /// The fewest characters.
        min: usize,
        /// The most characters.
        max: usize,
    },
    /// A nonce came back with another request than the first time.
    #[error("this nonce was used for another request; make a fresh one a scan")]
    NonceReused,
    /// More or fewer people than may enter at once.
    #[error("1 to {PEOPLE_AT_ONCE_MAX} people may enter at once; choose a number among them")]
    People,
    /// Minutes of anti-passback where it is not timed, or none or too many where it is.
    #[error("timed anti-passback takes 1 to {max} minutes, and the other kinds take none")]
    AntiPassback {
        /// The most minutes.
        max: u32,
    },
    /// Too many or too long answers, or choices that a question cannot have.
    #[error("an answer has at most {max} bytes, and a question of choices 1 to 12 of them")]
    Answer {
        /// The most bytes.
        max: usize,
    },
    /// A ticket's terms do not fit.
    #[error("a ticket is for 1 to {max} people, and its times must follow each other")]
    Terms {
        /// The most people.
        max: u32,
    },
    /// A file is no CSV file of tickets.
    #[error("this is no CSV file of tickets: {what}")]
    Csv {
        /// What is wrong, and what to do.
        what: String,
    },
    /// A lane's copy was made by a newer program.
    #[error("this copy was made by a newer program; update the lane")]
    CopyVersion,
    /// Too few letters to look for.
    #[error("write at least {min} letters to look for")]
    SearchText {
        /// The fewest letters.
        min: usize,
    },
    /// A provisioning code is unknown, used or too old.
    #[error("this provisioning code is used or too old; make a new one at the console")]
    Provisioning,
    /// A ticket's code does not fit a QR code.
    #[error("this ticket cannot be printed: its code is too long for a QR code")]
    Print,
    /// A passage is too long ago to be taken back by its device.
    #[error("a device takes a passage back within 15 minutes; ask a supervisor")]
    TooLate,
    /// What takes two people was asked for by one.
    #[error("this takes two staff users; ask somebody else to agree")]
    SecondPerson,
    /// The service is being stopped.
    #[error("the box office is being stopped; ask again with the same nonce")]
    Stopped,
    /// A ticket cannot be linked to a palm.
    #[error(transparent)]
    Link(#[from] LinkRefusal),
    /// A second person's approval is missing.
    #[error(transparent)]
    Approval(#[from] ApprovalRefusal),
    /// A minimum age that is none.
    #[error("a minimum age is 0 to {max} years")]
    Age {
        /// The highest.
        max: u32,
    },
    /// A code does not name a ticket.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// A link needs one palm or one left and one right palm.
    #[error("a link holds one palm, or one left and one right palm")]
    Palms,
    /// A palm is linked already.
    #[error("this palm is linked already; sign in to move its link to another ticket")]
    PalmLinked,
    /// The link is not in a state that allows this.
    #[error(
        "this palm's link has ended, with its event or because somebody ended it, and the palm is \
         deleted; link it again at a pedestal"
    )]
    LinkEnded,
    /// This scope is not offered for this link.
    #[error("a link made inside is for future events; choose this venue or all venues")]
    Scope,
}
