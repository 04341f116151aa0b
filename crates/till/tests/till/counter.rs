//! A counter to test at: a shop with a register and its pedestal, people with palms, the strict
//! gateway behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use handfast_model::{
    AccountId, Clock, Currency, DeviceId, Duration, LinkId, ManualClock, Money, PairwiseToken,
    Random, SeededRandom, ShopId, Timestamp, TransferId, VenueId,
};
use handfast_store::Store;
use handfast_till::gateway::{Gateway, PaymentName};
use handfast_till::test_gateway::{Instrument, TestGateway, TestGatewayOptions};
use handfast_till::{
    ArmedPalm, Charge, ChargeRequest, ChargeState, CreditGrant, Description, Hover, Label,
    LedgerAccountKind, NewShop, Nonce, PayOutcome, PedestalSession, Promotion, Refund, RefundOrder,
    RefundState, SetupDone, SetupId, Till, TillError,
};

pub const CREDIT_MINOR: i64 = 1_000;
pub const FUNDS_MINOR: i64 = 1_000_000;
/// The session of every pedestal, where a test is not about them.
pub const SESSION: PedestalSession = PedestalSession::from_bytes([1; 16]);

pub struct Counter {
    pub till: Till,
    pub gateway: Arc<TestGateway>,
    pub clock: Arc<ManualClock>,
    pub random: Arc<SeededRandom>,
    pub currency: Currency,
    pub shop: ShopId,
    pub register: DeviceId,
    pub pedestal: DeviceId,
    nonces: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
pub struct Fan {
    pub account: AccountId,
    pub token: PairwiseToken,
    pub link: LinkId,
}

pub fn start() -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000)
}

pub fn promotion(currency: Currency) -> Promotion {
    Promotion {
        name: Label::parse("link a payment method").unwrap(),
        credit: Money::new(CREDIT_MINOR, currency),
        starts_at: start() - Duration::from_days(1),
        ends_at: start() + Duration::from_days(30),
        spend_until: start() + Duration::from_days(60),
    }
}

pub async fn open_gateway(clock: Arc<ManualClock>, random: Arc<SeededRandom>) -> TestGateway {
    gateway_on(Store::connect("sqlite::memory:").await.unwrap(), clock, random).await
}

pub async fn gateway_on(
    store: Store,
    clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
) -> TestGateway {
    let options = TestGatewayOptions {
        merchant: "Handfast test merchant".to_owned(),
        page_base: "http://127.0.0.1/test-gateway#/setup/".to_owned(),
        currencies: vec![Currency::Usd, Currency::Jpy, Currency::Kwd],
    };
    TestGateway::open(store, clock, random, options).await.unwrap()
}

impl Counter {
    pub async fn open(store: Store) -> Self {
        Self::open_with(store, Currency::Usd, 1, |gateway| gateway).await
    }

    pub async fn open_in(store: Store, currency: Currency) -> Self {
        Self::open_with(store, currency, 1, |gateway| gateway).await
    }

    /// `wrap` may put another gateway before the strict one.
    pub async fn open_with<G: Gateway + 'static>(
        store: Store,
        currency: Currency,
        seed: u64,
        wrap: impl FnOnce(Arc<TestGateway>) -> Arc<G>,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(start()));
        let random = Arc::new(SeededRandom::new(seed));
        let gateway = Arc::new(open_gateway(clock.clone(), random.clone()).await);
        let front = wrap(gateway.clone());
        let till = Till::open(store, front, clock.clone(), random.clone()).await.unwrap();
        let venue = VenueId::new(&*clock, &*random);
        let name = Label::parse("Pretzels & Lager").unwrap();
        let shop = NewShop { venue, name, currency, utc_offset_minutes: -360 };
        let shop = till.add_shop(&shop).await.unwrap();
        let device = || DeviceId::new(&*clock, &*random);
        let (register, pedestal) = (device(), device());
        till.add_register(register, shop).await.unwrap();
        till.pair(register, pedestal).await.unwrap();
        let promotion = promotion(currency);
        till.create_promotion(&promotion).await.unwrap();
        let funds = Money::new(FUNDS_MINOR, currency);
        let id = TransferId::new(&*clock, &*random);
        till.fund_promotion(&promotion.name, funds, id).await.unwrap();
        let nonces = AtomicU64::new(0);
        Self { till, gateway, clock, random, currency, shop, register, pedestal, nonces }
    }

    pub fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }

    pub fn till_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }

    pub fn account(&self) -> AccountId {
        AccountId::new(&*self.clock, &*self.random)
    }

    pub fn device(&self) -> DeviceId {
        DeviceId::new(&*self.clock, &*self.random)
    }

    pub fn new_shop(&self, name: &str) -> NewShop {
        NewShop {
            venue: VenueId::new(&*self.clock, &*self.random),
            name: Label::parse(name).unwrap(),
            currency: self.currency,
            utc_offset_minutes: -360,
        }
    }

    pub fn token(&self) -> PairwiseToken {
        let mut bytes = [0; PairwiseToken::LEN];
        self.random.fill(&mut bytes);
        PairwiseToken::from_bytes(bytes)
    }

    pub fn nonce(&self) -> Nonce {
        let number = self.nonces.fetch_add(1, Ordering::Relaxed);
        Nonce::parse(&format!("nonce-{number:06}")).unwrap()
    }

    /// Begins a setup and chooses on the gateway's page; the person is on the way back.
    pub async fn choose(&self, account: AccountId, instrument: Instrument) -> SetupId {
        let started = self.till.begin_setup(account, "/portal#/wallet/").await.unwrap();
        let session = started.url.rsplit('/').next().unwrap();
        let back = self.gateway.choose(session, instrument.as_str()).await.unwrap();
        let setup = back.strip_prefix("/portal#/wallet/").unwrap();
        assert_eq!(setup, started.setup.expose());
        SetupId::from_text(setup)
    }

    pub async fn link_method(&self, account: AccountId, instrument: Instrument) -> SetupDone {
        let setup = self.choose(account, instrument).await;
        self.till.complete_setup(account, &setup, None).await.unwrap()
    }

    /// Somebody with a payment method, palm pay on, and a palm the shop knows.
    pub async fn fan(&self, instrument: Instrument) -> Fan {
        let account = self.account();
        let done = self.link_method(account, instrument).await;
        assert_eq!(done.credit, CreditGrant::Granted(self.money(CREDIT_MINOR)));
        self.till.set_palm_pay(account, true).await.unwrap();
        let link = LinkId::new(&*self.clock, &*self.random);
        let fan = Fan { account, token: self.token(), link };
        let palm = ArmedPalm { shop: self.shop, token: fan.token, account, link };
        self.till.acknowledge(&palm).await.unwrap();
        fan
    }

    /// Somebody whose credit is gone, so that every charge is the gateway's.
    pub async fn fan_without_credit(&self, instrument: Instrument) -> Fan {
        let fan = self.fan(instrument).await;
        self.till.take_back_credit(fan.account).await.unwrap();
        fan
    }

    pub fn request(&self, minor: i64) -> ChargeRequest {
        let description = Description::parse("2 lager").unwrap();
        ChargeRequest::new(self.register, self.money(minor), description, self.nonce())
    }

    pub async fn charge(&self, minor: i64) -> Charge {
        self.till.request_charge(&self.request(minor)).await.unwrap()
    }

    pub fn hover(&self, charge: &Charge, fan: &Fan) -> Hover {
        Hover { pedestal: self.pedestal, charge: charge.id, token: fan.token, session: SESSION }
    }

    pub async fn pay(&self, charge: &Charge, fan: &Fan) -> PayOutcome {
        self.till.pay(&self.hover(charge, fan)).await.unwrap()
    }

    pub async fn paid(&self, minor: i64, fan: &Fan) -> Charge {
        let charge = self.charge(minor).await;
        match self.pay(&charge, fan).await {
            PayOutcome::Paid(charge) => charge,
            other => panic!("not paid: {other:?}"),
        }
    }

    pub async fn refund(&self, charge: &Charge) -> Result<Refund, TillError> {
        let (register, nonce) = (self.register, self.nonce());
        self.till.refund_charge(&RefundOrder::all(register, charge.id, nonce)).await
    }

    pub fn name_of(&self, charge: &Charge) -> PaymentName {
        PaymentName { reference: charge.id.to_string(), prepared: None }
    }

    pub async fn read(&self, charge: &Charge) -> Charge {
        self.till.charge(self.register, charge.id).await.unwrap()
    }

    pub async fn credit_left(&self, fan: &Fan) -> i64 {
        let wallet = self.till.wallet(fan.account).await.unwrap().unwrap();
        wallet.spendable_credit(self.clock.now()).map_or(0, |money| money.minor)
    }

    pub async fn balance(&self, kind: LedgerAccountKind, owner: &str) -> i64 {
        let balances = self.till.balances().await.unwrap();
        // What is owed to a shop, and the gateway's money, are kept register by register.
        let of = |b: &&handfast_till::Balance| {
            let rest = b.owner.strip_prefix(owner);
            b.kind == kind && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        balances.iter().filter(of).map(|balance| balance.balance.minor).sum()
    }

    /// The books add up, and say of every one of `charges` what the gateway says of it.
    pub async fn check_books(&self, charges: &[Charge], context: &str) {
        let audit = self.till.audit().await.unwrap();
        assert!(audit.is_clean(), "{context}: {audit:?}");
        let report = self.gateway.report().await.unwrap();
        let (mut taken, mut back) = (0, 0);
        for charge in charges {
            let charge = self.read(charge).await;
            let refunds = self.till.refunds(self.register, charge.id).await.unwrap();
            let card_back: i64 = refunds
                .iter()
                .filter(|refund| refund.state == RefundState::Done)
                .map(|refund| refund.card_part.minor)
                .sum();
            let line = report.iter().find(|line| line.reference == charge.id.to_string());
            let (held, captured, refunded) = line.map_or((0, 0, 0), |line| {
                (line.held.minor, line.captured.minor, line.refunded.minor)
            });
            let refund_open = refunds.iter().any(|refund| !refund.state.is_final());
            if charge.state.is_final() {
                let wanted = match charge.state {
                    ChargeState::Captured => charge.card_part.minor,
                    _ => 0,
                };
                // What was captured after we let go went back.
                let late = if charge.state == ChargeState::Captured { 0 } else { refunded };
                assert_eq!((held, captured - late), (0, wanted), "{context}: {charge:?}");
                if charge.state != ChargeState::Captured {
                    continue;
                }
                assert!(refund_open || refunded == card_back, "{context}: {refunds:?}");
            }
            if charge.state == ChargeState::Captured {
                taken += charge.amount.minor;
                back += charge.refunded.minor;
            }
        }
        let shop = self.balance(LedgerAccountKind::ShopPayable, &self.shop.to_string()).await;
        assert_eq!(shop, taken - back, "{context}: the shop gets what was paid and not refunded");
    }
}
