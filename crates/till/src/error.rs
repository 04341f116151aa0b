//! What the till answers instead of doing what it was asked.

use handfast_model::{Currency, MoneyError};
use handfast_store::StoreError;
use thiserror::Error;

use crate::gateway::{GatewayError, NoticeError};
use crate::state::{ChargeState, WrongState};
use crate::text::TextError;

/// A thing that is looked for by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A shop.
    Shop,
    /// A register of a shop.
    Register,
    /// A pedestal that is paired with a register.
    PairedPedestal,
    /// A wallet of an account.
    Wallet,
    /// A payment method of a wallet.
    PaymentMethod,
    /// A setup of a payment method.
    Setup,
    /// A charge at this shop.
    Charge,
    /// A receipt.
    Receipt,
    /// A payment that a mail was about.
    Alarm,
    /// A webhook endpoint.
    WebhookEndpoint,
    /// A message of a webhook endpoint that is not delivered.
    WebhookMessage,
    /// A promotion.
    Promotion,
    /// A transfer of the ledger.
    Transfer,
}

impl Thing {
    const fn words(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Register => "register",
            Self::PairedPedestal => "pedestal that is paired with a register",
            Self::Wallet => "wallet",
            Self::PaymentMethod => "payment method",
            Self::Setup => "payment method setup",
            Self::Charge => "charge",
            Self::Receipt => "receipt",
            Self::Alarm => "payment behind this link",
            Self::WebhookEndpoint => "webhook endpoint",
            Self::WebhookMessage => "webhook message that is not delivered",
            Self::Promotion => "promotion",
            Self::Transfer => "transfer",
        }
    }
}

/// Why the till did not do what it was asked. Where money is concerned, an error means that nothing
/// moved, or that what may have moved is recorded and is found out by asking the gateway.
#[derive(Debug, Error)]
pub enum TillError {
    /// The database could not do it.
    #[error("the till's database failed; nothing was changed, try again")]
    Store(#[from] StoreError),
    /// The gateway gave no result for something that moves no money (a setup).
    #[error("the payment gateway could not do it")]
    Gateway(#[from] GatewayError),
    /// Nothing of that id here.
    #[error("there is no such {}; check the id", .0.words())]
    NotFound(Thing),
    /// Zero or less.
    #[error("an amount must be above zero")]
    AmountNotPositive,
    /// Above what a counter takes.
    #[error("the amount is above {limit_minor} minor units, the most for one charge; split it")]
    AmountTooLarge {
        /// The limit in minor units.
        limit_minor: i64,
    },
    /// Cash pays all of it, or more.
    #[error("cash covers the whole amount; nothing is left for the palm")]
    CashCoversAll,
    /// The lines add up to another amount.
    #[error(
        "the lines add up to {lines_minor} minor units, the amount says {amount_minor}; send the sum of the lines"
    )]
    LinesDiffer {
        /// What the lines say.
        lines_minor: i64,
        /// What the request says.
        amount_minor: i64,
    },
    /// A line's numbers are out of range.
    #[error(
        "a line needs 1 to {quantity_max} pieces, a price of zero or more, and a tax rate of 0 to 100 percent"
    )]
    LineOutOfRange {
        /// The most pieces of one line.
        quantity_max: i64,
    },
    /// More lines than a receipt shows.
    #[error("a charge takes at most {limit} lines; sum them up by product")]
    TooManyLines {
        /// The limit.
        limit: usize,
    },
    /// Not the currency of the shop, promotion or account.
    #[error("the currency is {got}, expected {expected}; ask in {expected}")]
    WrongCurrency {
        /// The currency it must be.
        expected: Currency,
        /// The currency that came.
        got: Currency,
    },
    /// Amounts could not be combined.
    #[error("these amounts cannot be combined")]
    Money(#[from] MoneyError),
    /// A text is not fit to be stored.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The register's nonce came before with another request.
    #[error("this nonce was used for another request; use a new nonce for a new request")]
    NonceReused,
    /// The register has a charge that waits for a hand.
    #[error("the register's charge number {number} still waits for a hand; cancel it first")]
    RegisterBusy {
        /// The waiting charge's number.
        number: i64,
    },
    /// A pedestal or register is paired with another device.
    #[error("this pedestal or register is paired already; end that pairing first")]
    PairedAlready,
    /// A device is registered for another shop.
    #[error("this register belongs to another shop already; use a device of its own for each shop")]
    RegisterTaken,
    /// It is paid or declined: too late to cancel.
    #[error("the charge is {state}; refund what was paid, a declined one took nothing")]
    TooLateToCancel {
        /// Where the charge stands.
        state: ChargeState,
    },
    /// Only what was captured can be refunded.
    #[error("the charge is {state}; only a captured charge can be refunded")]
    NotRefundable {
        /// Where the charge stands.
        state: ChargeState,
    },
    /// All of it was given back, or is being given back.
    #[error("the charge is refunded already, or its refund is under way; read the charge")]
    RefundedAlready,
    /// More than is left to give back.
    #[error("at most {left_minor} minor units can still be given back")]
    OverRefund {
        /// What is left.
        left_minor: i64,
    },
    /// The charge holds no money to capture.
    #[error("the charge is {state}; only one that holds money for this register can be captured")]
    NotHeld {
        /// Where the charge stands.
        state: ChargeState,
    },
    /// More than is held.
    #[error("at most the {held_minor} minor units that are held can be captured")]
    OverCapture {
        /// What is held.
        held_minor: i64,
    },
    /// A late tip that is too late, too large, or the second.
    #[error("no late tip on this charge: {0}")]
    TipRefused(&'static str),
    /// A PIN that is not one, or that everybody guesses first.
    #[error("a PIN has 4 to 8 digits, not all the same and not in a row; choose another")]
    PinUnfit,
    /// The earlier PIN was wrong, or there is none to enter.
    #[error("this PIN is not the wallet's; {left} tries are left")]
    PinWrong {
        /// How many tries are left before the wallet is frozen.
        left: i64,
    },
    /// The wallet is frozen.
    #[error("the wallet is frozen; its owner sets a new PIN in the portal, or asks staff")]
    WalletFrozen,
    /// A discount's terms contradict each other, or an earlier one of that name has others.
    #[error("the discount's terms do not fit: {0}")]
    DiscountTerms(&'static str),
    /// A loyalty number belongs to another wallet.
    #[error("this loyalty number belongs to another wallet; check the number")]
    LoyaltyTaken,
    /// An address that webhooks may not be sent to.
    #[error("a webhook address needs https (http on this machine alone); check the address")]
    WebhookAddress,
    /// A limit below zero or above what a counter takes.
    #[error(
        "a limit must be from 0 to {max_minor} minor units, day and week not below the charge's"
    )]
    LimitOutOfRange {
        /// The most.
        max_minor: i64,
    },
    /// A webhook of the gateway that is not believed.
    #[error(transparent)]
    Notice(#[from] NoticeError),
    /// The person has not finished the gateway's page.
    #[error("the gateway's page is not finished; choose a payment method there first")]
    SetupNotFinished,
    /// A token stands for another wallet.
    #[error("this palm stands for another wallet at this shop; unlink it there first")]
    TokenTaken,
    /// An event that does not fit the charge's state.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The promotion's terms contradict each other or an earlier promotion of that name.
    #[error("the promotion's terms do not fit: {0}")]
    PromotionTerms(&'static str),
    /// The gateway reports another amount than was asked for.
    #[error("the gateway reports another amount than the till asked for; reconcile by hand")]
    GatewayDiffers,
    /// A row holds what no version of this program writes.
    #[error("`{column}` holds what this program never writes; the database was changed by others")]
    Corrupt {
        /// Table and column.
        column: &'static str,
    },
}

/// Why the ledger refuses a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The debit account would fall below zero, or an account's counter would leave its range.
    #[error("the ledger account does not hold enough for this transfer")]
    InsufficientFunds,
    /// The same transfer id came with other content.
    #[error("this transfer id was used for another transfer; use a new id")]
    IdReused,
    /// Not above zero.
    #[error("a transfer's amount must be above zero")]
    NotPositive,
    /// Above what one transfer may move.
    #[error("a transfer moves at most {limit_minor} minor units; split it")]
    TooLarge {
        /// The limit in minor units.
        limit_minor: i64,
    },
    /// Debit and credit account are the same.
    #[error("a transfer needs two different ledger accounts")]
    SameAccount,
    /// No ledger account of that id and currency.
    #[error("there is no such ledger account in this currency")]
    UnknownAccount,
    /// Posting more than was reserved.
    #[error("at most the reserved amount can be posted")]
    OverPost,
    /// The transfer was closed in another way before.
    #[error("the transfer is closed already; correct it with another transfer")]
    Closed,
}
