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
//! | `wallet`, `setup`, `credit` | payment methods, linking one, the credit for it |
//! | `state`, `charge`, `hover`, `settle` | a charge from the register to its end |
//! | `refund`, `receipt` | money back, and what people see |
//! | `gateway`, `test_gateway` | what is asked of a gateway, and a strict one to try things out |

mod audit;
mod card_number;
mod charge;
mod credit;
mod error;
pub mod gateway;
mod hover;
mod ledger;
#[cfg(test)]
mod ledger_oracle;
mod palm_owner;
mod receipt;
mod refund;
mod schema;
mod settle;
mod setup;
mod shop;
mod shop_token;
mod state;
pub mod test_gateway;
mod text;
mod till;
mod wallet;

pub use audit::{Audit, Balance, Counters, Difference};
pub use card_number::looks_like_card_number;
pub use charge::{
    ANSWER_TIME, CHARGE_MINOR_MAX, Charge, ChargeRequest, ChargeStatus, LATEST_MAX, OpenCharge,
};
pub use credit::{Credit, CreditGrant, Promotion};
pub use error::{LedgerError, Thing, TillError};
pub use hover::{Hover, PayOutcome, TurnedAway};
pub use ledger::{LedgerAccountKind, Purpose, TRANSFER_MINOR_MAX, Transfer, TransferState};
pub use receipt::{MoneyUse, MoneyUseKind, Receipt};
pub use refund::{Refund, RefundOrder, RefundState};
pub use settle::{ARRIVES_WITHIN, CAPTURE_WITHIN, IN_FLIGHT_MAX, Resolved};
pub use setup::{SetupDone, SetupStarted};
pub use shop::{NewShop, Register, Shop};
pub use shop_token::ArmedPalm;
pub use state::{ChargeEvent, ChargeState, WrongState};
pub use text::{Description, Label, Nonce, PersonKey, ReceiptKey, SetupId, TextError};
pub use till::Till;
pub use wallet::{PaymentMethod, Wallet, WalletShop};
