//! The vocabulary every other crate shares: ids, clock and randomness as parameters, money, time
//! windows. No I/O happens here; the two ambient sources (system clock, operating system
//! randomness) exist as types that only the binary constructs.

mod clock;
mod id;
mod money;
mod random;
mod secret;
mod window;

pub use clock::{Clock, Duration, ManualClock, SystemClock, Timestamp};
pub use id::{
    AccountId, AdmissionId, AreaId, ChargeId, CheckInListId, CompanyId, ConsentId, DeviceId,
    EventId, GalleryId, GateId, IdError, LaneId, LedgerAccountId, LinkId, MailId, OrderId,
    PaymentMethodId, QuestionId, RefundId, RelyingParty, ShopId, StaffUserId, TicketId, TransferId,
    VenueId, WalletId,
};
pub use money::{Currency, Money, MoneyError};
pub use random::{Random, SeededRandom, SystemRandom};
pub use secret::{PairwiseToken, SecretText};
pub use window::TimeWindow;
