//! Wallets, charges, refunds, credit, and the double-entry ledger behind them.
//!
//! The till knows a person as an account's wallet, a palm as what a shop knows it by, and a card
//! as a gateway's reference: never a card number, never a template. Money is decided in serializable
//! transactions; what a gateway is asked is durable before it is asked, and an answer that got
//! lost is found out by asking again, never by charging again.
//!
//! | file | holds |
//! |---|---|
//! | `ledger` | transfers and balances |
//! | `audit` | the same books computed again from their rows |
//! | `shop`, `shop_token` | shops, registers, pairings, and whose palm a token is |
//! | `wallet`, `setup`, `detach`, `credit` | payment methods, linking and unlinking one, the credit for it |
//! | `pin`, `limit`, `loyalty`, `age` | second factors, and what a hover brings along |
//! | `state`, `charge`, `charge_request`, `charge_step`, `line`, `hover`, `step_back`, `settle`, `tip` | a charge from the register to its end |
//! | `refund`, `receipt` | money back, and what people see |
//! | `order`, `offline` | charges without a counter: orders paid online, goods let go while the gateway was silent |
//! | `notice`, `notification`, `delivery` | what the gateway tells by itself, what shops are told, and how that went |
//! | `payment_mail` | what people are told by mail, and "this was not me" |
//! | `report`, `statement`, `reconcile`, `evidence` | the day, the account, the gateway's report, a dispute |
//! | `lease` | which processes are alive |
//! | `outward` | HTTP to others, and whom it believes |
//! | `gateway`, `test_gateway`, `stripe` | what is asked of a gateway, a strict one to try things out, Stripe |

mod age;
mod audit;
mod card_number;
mod charge;
mod charge_request;
mod charge_step;
mod credit;
mod delivery;
mod detach;
mod error;
mod evidence;
pub mod gateway;
mod hover;
mod lease;
mod ledger;
#[cfg(test)]
mod ledger_oracle;
mod limit;
mod line;
mod loyalty;
mod notice;
mod notice_signature;
mod notification;
mod offline;
mod order;
mod outward;
mod palm_owner;
mod payment_mail;
mod pin;
mod receipt;
mod reconcile;
mod refund;
mod report;
mod schema;
mod settle;
mod setup;
mod shop;
mod shop_token;
mod state;
mod statement;
mod step_back;
pub mod stripe;
pub mod test_gateway;
mod text;
mod till;
mod tip;
mod wallet;

pub use age::{AGE_COUNTS, KnownAge};
pub use audit::{Audit, Balance, Counters, Difference};
pub use card_number::{CardNumberFinder, looks_like_card_number};
pub use charge::{CHARGE_MINOR_MAX, Charge, ChargeStatus, Factor, HOLD_TIME, LATEST_MAX, Origin};
pub use charge_request::{ANSWER_TIME, ChargeRequest, OpenCharge};
pub use credit::{Credit, CreditGrant, Promotion};
pub use delivery::{Delivery, DeliveryState, OLD_SECRET_SIGNS};
pub use error::{LedgerError, Thing, TillError};
pub use evidence::Evidence;
pub use hover::{FACTOR_TIME, Hover, PayOutcome, SecondFactor, TurnedAway};
pub use lease::LEASE;
pub use ledger::{LedgerAccountKind, Purpose, TRANSFER_MINOR_MAX, Transfer, TransferState};
pub use limit::Limits;
pub use line::{ChargeLine, LINES_MAX, QUANTITY_MAX};
pub use loyalty::{Discount, LoyaltyNumber, Off};
pub use notice::{Dispute, Received};
pub use notice_signature::NOTICE_TOLERANCE;
pub use notification::{Kind, SCHEDULE, WebhookEndpoint, WebhookRequest, WebhookSender};
pub use offline::{OfflineFloor, OfflineSums, Replayed};
pub use order::OrderPayment;
pub use outward::{RootsError, TlsRoots};
pub use payment_mail::{Alarm, MailAbout, OwedMail};
pub use pin::{PIN_MISSES_MAX, Pin};
pub use receipt::{MoneyUse, MoneyUseKind, Receipt};
pub use reconcile::{Mismatch, Reconciliation, ReportError, read_report};
pub use refund::{Refund, RefundOrder, RefundState};
pub use report::{DayReport, DaySums};
pub use settle::{ARRIVES_WITHIN, CAPTURE_WITHIN, IN_FLIGHT_MAX, Resolved};
pub use setup::{SetupDone, SetupStarted};
pub use shop::{NewShop, Register, Shop};
pub use shop_token::ArmedPalm;
pub use state::{ChargeEvent, ChargeState, WrongState};
pub use statement::{STATEMENT_PAGE_MAX, Statement, StatementLine};
pub use step_back::PedestalSession;
pub use text::{
    AlarmKey, Description, Label, Nonce, PayKey, PersonKey, ReceiptKey, SetupId, TextError,
    WebhookSecret,
};
pub use till::Till;
pub use tip::{LATE_TIP_PERCENT_MAX, LATE_TIP_WITHIN, LateTip};
pub use wallet::{PaymentMethod, Wallet, WalletShop};
