//! One capture session as a state machine: guidance, consent, capture, sealing, outcome.
//!
//! ```text
//! FrameSource ─ frames ─▶ Session ─ Errand ─▶ hub (box office, vault, till)
//!        page ─ Touch ──▶    │   ◀─ Answer ──
//!        page ◀─ Snapshot ───┘
//! ```
//!
//! A [`Session`] is synchronous, reads no clock and does no I/O. Frames reach the palm engine only
//! with a [`Clearance`], which only an accepted consent, an event that allows biometrics, or an open
//! charge can give; a hand must be seen to arrive after the question is on the screen. Deliberately
//! absent: any way to keep, write or print a frame, a sample or a template.

mod clearance;
mod code_reader;
mod counter;
mod cue;
mod engine;
mod enrol;
mod entered_pin;
mod guidance;
mod hub;
mod lane;
mod palm_engine;
mod palm_watch;
mod rfc3339;
mod session;
mod source;
mod standing;
mod ticket_code;
mod touch;
mod turn;
mod view;

pub use clearance::Clearance;
pub use cue::Cue;
pub use engine::{Engine, LivenessCue, NotPacked, Observation, Placement, SeenPalm, Side, Unfit};
pub use entered_pin::EnteredPin;
pub use guidance::{Guidance, GuidanceState, Ring};
pub use hub::{
    AgeSaid, AgeTerms, Answer, ConsentOffer, Errand, GivenConsent, IDENTIFIED_KEPT, OpenCharge,
    Request, RequestId, Situation,
};
pub use lane::{ENTER_AT_ONCE_MAX, IDENTIFY_ATTEMPTS};
pub use palm_engine::{PalmEngine, SeenFrame};
pub use session::{Attention, Input, Session, Snapshot};
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use source::Camera;
pub use source::{
    FOLDER_FILES_MAX, FRAME_BYTES_MAX, FRAME_SIDE_PX_MAX, FramePusher, FrameSource, PictureFiles,
    PushedFrames, SourceError, TimedPicture, decode_frame, pushed_frames,
};
pub use ticket_code::{TICKET_CODE_CHARS_MAX, TicketCode};
pub use touch::{AgeChoice, HandsChoice, Touch};
pub use view::{
    AgeAsked, Biometrics, ChargeBrief, ConsentPurpose, ConsentText, Direction, EventBrief,
    Language, Mode, Purpose, Reason, ReceiptUrl, Scope, ScopeOffer, TicketBrief, TicketProblem,
    View, WantedSide, WayOn,
};
