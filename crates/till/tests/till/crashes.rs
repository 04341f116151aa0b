//! Seeded histories at a counter where the till dies at every durable step.
//!
//! Goal: whatever people, registers and the gateway do, in whatever order, and wherever the process
//! dies, the money is right: every ledger sums to zero and equals its rows; no charge is authorised
//! or captured twice; the gateway's report and the till's charges say the same; the credit for
//! linking is given once a person; each person's credit is what their history makes it; and once
//! the gateway answers, every charge and refund comes to an end.
//!
//! The process dies where it matters: just before and just after each request to the gateway, which
//! is between any two transactions of a flow (its future is dropped there and a new till is opened
//! on the same database). What it sent may still arrive long after. `died_anywhere` drops it at any await instead, inside transactions too.
//!
//! Failures: any of the above, and a panic. Not failures: a charge declined, voided, expired or
//! refused; a request answered "unknown" while the gateway is silent.
//! Known nondeterminism: none with one thread and a database in memory; in `died_anywhere` the
//! number of awaits of a statement depends on the database's own threads.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use handfast_model::{AccountId, Currency, Duration, SecretText, Timestamp};
use handfast_store::testing::TestStore;
use handfast_store::{Store, test_on_both_engines};
use handfast_till::gateway::{
    Answer, Authorisation, AuthoriseRequest, CaptureRequest, Notice, NoticeError, Notices,
    PaymentName, PaymentStatus, Payments, RefundRequest, RefundStatus, Refunds, ReportLine,
    Reports, SetupRequest, SetupResult, SetupSession, Setups, Voided,
};
use handfast_till::test_gateway::{Fault, Instrument, Operation, TestGateway};
use handfast_till::{
    Charge, ChargeRequest, ChargeState, CreditGrant, HOLD_TIME, Hover, LateTip, Pin, RefundOrder,
    RefundState, SetupId, Till, TillError,
};
use tokio::sync::Notify;

use crate::counter::{CREDIT_MINOR, Counter, FUNDS_MINOR, Fan, SESSION, promotion};

/// Histories in memory, shared out over `SHARDS` tests so that they run beside each other. More by
/// `HANDFAST_CRASH_SEEDS`, for the long run that docs/payments.md tells the counts of.
const SEEDS: u64 = 400;
const SHARDS: u64 = 4;
/// Histories on disk in which the process dies at any await.
const SEEDS_ANYWHERE: u64 = 24;
/// What happens in one history.
const STEPS: u64 = 40;

/// The strict gateway, watched: counts authorises, and is where the process dies.
pub struct Watched {
    inner: Arc<TestGateway>,
    pub dies_in: Mutex<Option<u64>>,
    pub died: Notify,
    authorised: Mutex<BTreeMap<String, u64>>,
    /// Sent by a process that died since, and still on the way.
    on_the_way: Mutex<Vec<AuthoriseRequest>>,
}

impl Watched {
    pub fn new(inner: Arc<TestGateway>) -> Self {
        Self {
            inner,
            dies_in: Mutex::default(),
            died: Notify::new(),
            authorised: Mutex::default(),
            on_the_way: Mutex::default(),
        }
    }

    /// What dead processes sent arrives now, long after anybody expected it.
    async fn deliver(&self) {
        let late = std::mem::take(&mut *self.on_the_way.lock().unwrap());
        for request in late {
            let _ = self.inner.authorise(&request).await;
        }
    }

    /// A point where the process may die: then nothing of it ever goes on.
    async fn point(&self) {
        let dies = {
            let mut dies_in = self.dies_in.lock().unwrap();
            match dies_in.as_mut() {
                None => false,
                Some(0) => {
                    *dies_in = None;
                    true
                }
                Some(left) => {
                    *left -= 1;
                    false
                }
            }
        };
        if dies {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn between<T>(
        &self,
        answer: Answer<'_, T>,
    ) -> Result<T, handfast_till::gateway::GatewayError> {
        self.point().await;
        let answer = answer.await;
        self.point().await;
        answer
    }
}

impl Setups for Watched {
    fn create_setup<'a>(&'a self, request: &'a SetupRequest) -> Answer<'a, SetupSession> {
        Box::pin(self.between(self.inner.create_setup(request)))
    }
    fn setup_result<'a>(&'a self, session: &'a str) -> Answer<'a, SetupResult> {
        Box::pin(self.between(self.inner.setup_result(session)))
    }
    fn detach<'a>(&'a self, method: &'a SecretText) -> Answer<'a, ()> {
        Box::pin(self.between(self.inner.detach(method)))
    }
}

impl Payments for Watched {
    fn authorise<'a>(&'a self, request: &'a AuthoriseRequest) -> Answer<'a, Authorisation> {
        Box::pin(async move {
            let reference = &request.payment.reference;
            *self.authorised.lock().unwrap().entry(reference.clone()).or_insert(0) += 1;
            self.on_the_way.lock().unwrap().push(request.clone());
            self.point().await;
            let arrived = |sent: &AuthoriseRequest| sent.payment.reference == *reference;
            self.on_the_way.lock().unwrap().retain(|sent| !arrived(sent));
            let answer = self.inner.authorise(request).await;
            self.point().await;
            answer
        })
    }
    fn capture<'a>(&'a self, request: &'a CaptureRequest) -> Answer<'a, ()> {
        Box::pin(self.between(self.inner.capture(request)))
    }
    fn void<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, Voided> {
        Box::pin(self.between(self.inner.void(payment)))
    }
    fn lookup<'a>(&'a self, payment: &'a PaymentName) -> Answer<'a, PaymentStatus> {
        Box::pin(self.between(self.inner.lookup(payment)))
    }
}

impl Refunds for Watched {
    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Answer<'a, ()> {
        Box::pin(self.between(self.inner.refund(request)))
    }
    fn lookup_refund<'a>(
        &'a self,
        reference: &'a str,
        payment: &'a PaymentName,
    ) -> Answer<'a, RefundStatus> {
        Box::pin(self.between(self.inner.lookup_refund(reference, payment)))
    }
}

impl Notices for Watched {
    fn read_notice(
        &self,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Notice, NoticeError> {
        self.inner.read_notice(signature, body, now)
    }
}

impl Reports for Watched {
    fn payments_made<'a>(
        &'a self,
        from: Timestamp,
        until: Timestamp,
    ) -> Answer<'a, Vec<ReportLine>> {
        self.inner.payments_made(from, until)
    }
}

/// How the process dies in a history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    AtTheGateway,
    Anywhere,
}

struct History {
    seed: u64,
    death: Death,
    at: Counter,
    store: Store,
    gateway: Arc<Watched>,
    fans: Vec<Fan>,
    /// Setups whose people are on the way back from the gateway's page.
    setups: Vec<(AccountId, SetupId)>,
    charges: Vec<Charge>,
    requests: Vec<ChargeRequest>,
    refunds: Vec<RefundOrder>,
    granted: BTreeMap<AccountId, u64>,
    deaths: u64,
}

impl History {
    async fn open(store: Store, seed: u64, death: Death) -> Self {
        let mut watched = None;
        let at = Counter::open_with(store.clone(), Currency::Usd, seed, |inner| {
            watched.insert(Arc::new(Watched::new(inner))).clone()
        })
        .await;
        let mut fans = Vec::new();
        for &instrument in Instrument::ALL {
            fans.push(at.fan(instrument).await);
        }
        fans.push(at.fan_without_credit(Instrument::AlwaysApproves).await);
        Self {
            seed,
            death,
            at,
            store,
            gateway: watched.unwrap(),
            fans,
            setups: Vec::new(),
            charges: Vec::new(),
            requests: Vec::new(),
            refunds: Vec::new(),
            granted: BTreeMap::new(),
            deaths: 0,
        }
    }

    /// Runs `work` on the till, in which the process may die: then `None`, and the next process is
    /// up and has recovered.
    async fn run<T>(&mut self, work: impl AsyncFnOnce(&Till) -> T) -> Option<T> {
        let till = self.at.till.clone();
        let dies = self.at.below(3) == 0;
        let done = match self.death {
            Death::AtTheGateway => {
                *self.gateway.dies_in.lock().unwrap() = dies.then(|| self.at.below(8));
                tokio::select! {
                    biased;
                    done = Box::pin(work(&till)) => Some(done),
                    () = self.gateway.died.notified() => None,
                }
            }
            Death::Anywhere if dies => until_poll(self.at.below(40), Box::pin(work(&till))).await,
            Death::Anywhere => Some(Box::pin(work(&till)).await),
        };
        if done.is_none() {
            self.restart().await;
        } else {
            *self.gateway.dies_in.lock().unwrap() = None;
        }
        done
    }

    /// A new process on the same database; it may die while it recovers, again and again.
    async fn restart(&mut self) {
        loop {
            self.deaths += 1;
            let (clock, random) = (self.at.clock.clone(), self.at.random.clone());
            let gateway = self.gateway.clone();
            self.at.till = Till::open(self.store.clone(), gateway, clock, random).await.unwrap();
            let dies = self.at.below(4) == 0 && self.death == Death::AtTheGateway;
            *self.gateway.dies_in.lock().unwrap() = dies.then(|| self.at.below(6));
            let recovered = tokio::select! {
                biased;
                done = Box::pin(self.at.till.recover()) => Some(done),
                () = self.gateway.died.notified() => None,
            };
            *self.gateway.dies_in.lock().unwrap() = None;
            let Some(recovered) = recovered else { continue };
            recovered.unwrap();
            let audit = self.at.till.audit().await.unwrap();
            assert!(audit.is_clean(), "seed {}: after a recovery: {audit:?}", self.seed);
            return;
        }
    }

    fn fan(&self) -> Fan {
        self.fans[usize::try_from(self.at.below(self.fans.len() as u64)).unwrap()]
    }

    fn any<T: Clone>(&self, list: &[T]) -> Option<T> {
        let at = self.at.below(list.len().max(1) as u64);
        list.get(usize::try_from(at).unwrap()).cloned()
    }

    async fn step(&mut self) {
        match self.at.below(16) {
            0..=3 => self.request_and_pay().await,
            4 => self.request().await,
            5 => self.pay_again().await,
            6 => self.cancel().await,
            7 => self.refund().await,
            8 => self.link().await,
            9 => self.disturb_the_gateway(),
            10 => self.switch_a_wallet().await,
            11 => self.capture().await,
            12 => self.tip().await,
            13 => self.hear_the_gateway().await,
            14 => self.enter_a_pin().await,
            _ => self.let_time_pass().await,
        }
    }

    async fn request(&mut self) {
        let mut request = self.at.request(1 + i64::try_from(self.at.below(2_500)).unwrap());
        request.hold = self.at.below(5) == 0;
        request.tip_minor = i64::try_from(self.at.below(3) * 50).unwrap();
        if self.at.below(4) == 0
            && let Some(earlier) = self.any(&self.requests)
        {
            request = earlier;
        }
        let asked = &request;
        let asked = self.run(async |till| till.request_charge(asked).await).await;
        match asked {
            Some(Ok(charge)) => {
                if self.charges.iter().all(|earlier| earlier.id != charge.id) {
                    self.charges.push(charge);
                }
                self.requests.push(request);
            }
            // The register sends it again after a death; it is known or busy then.
            None => self.requests.push(request),
            Some(Err(TillError::RegisterBusy { .. })) => {}
            Some(Err(other)) => panic!("seed {}: {other}", self.seed),
        }
    }

    async fn request_and_pay(&mut self) {
        self.request().await;
        let open = self.at.till.open_charge_for_pedestal(self.at.pedestal).await.unwrap();
        let Some(open) = open else { return };
        let hover = Hover {
            pedestal: self.at.pedestal,
            charge: open.id,
            token: self.fan().token,
            session: SESSION,
        };
        self.pay(hover).await;
    }

    async fn pay(&mut self, hover: Hover) {
        let hover = &hover;
        if self.at.below(3) == 0 {
            // A double tap, with the loop that resolves running beside it.
            let _ = self
                .run(async |till| {
                    let (first, second, resolved) =
                        tokio::join!(till.pay(hover), till.pay(hover), till.resolve_due());
                    (first.unwrap(), second.unwrap(), resolved.unwrap())
                })
                .await;
        } else {
            let _ = self.run(async |till| till.pay(hover).await.unwrap()).await;
        }
    }

    async fn pay_again(&mut self) {
        let Some(charge) = self.any(&self.charges) else { return };
        let stranger = self.at.below(4) == 0;
        let token = if stranger { self.at.token() } else { self.fan().token };
        let (pedestal, charge) = (self.at.pedestal, charge.id);
        self.pay(Hover { pedestal, charge, token, session: SESSION }).await;
    }

    async fn cancel(&mut self) {
        let Some(charge) = self.any(&self.charges) else { return };
        let register = self.at.register;
        let done = self.run(async |till| till.cancel_charge(register, charge.id).await).await;
        match done {
            None | Some(Ok(_) | Err(TillError::TooLateToCancel { .. })) => {}
            Some(Err(other)) => panic!("seed {}: {other}", self.seed),
        }
    }

    async fn refund(&mut self) {
        let Some(charge) = self.any(&self.charges) else { return };
        let mut fresh = RefundOrder::all(self.at.register, charge.id, self.at.nonce());
        if self.at.below(2) == 0 {
            fresh.minor = Some(1 + i64::try_from(self.at.below(900)).unwrap());
        }
        let repeat = self.any(&self.refunds).filter(|_| self.at.below(3) == 0);
        let order = repeat.unwrap_or(fresh);
        let asked = &order;
        let done = self.run(async |till| till.refund_charge(asked).await).await;
        match done {
            None | Some(Ok(_)) => self.refunds.push(order),
            Some(Err(
                TillError::NotRefundable { .. }
                | TillError::RefundedAlready
                | TillError::OverRefund { .. },
            )) => {}
            Some(Err(other)) => panic!("seed {}: {other}", self.seed),
        }
    }

    async fn capture(&mut self) {
        let Some(charge) = self.any(&self.charges) else { return };
        let minor = Some(1 + i64::try_from(self.at.below(2_500)).unwrap());
        let (register, part) = (self.at.register, minor.filter(|_| self.at.below(2) == 0));
        let done =
            self.run(async |till| till.capture_charge(register, charge.id, part).await).await;
        match done {
            None | Some(Ok(_)) => {}
            Some(Err(TillError::NotHeld { .. } | TillError::OverCapture { .. })) => {}
            Some(Err(other)) => panic!("seed {}: {other}", self.seed),
        }
    }

    async fn tip(&mut self) {
        let Some(charge) = self.any(&self.charges) else { return };
        let minor = 1 + i64::try_from(self.at.below(200)).unwrap();
        let nonce = self.at.nonce();
        let tip = &LateTip { register: self.at.register, charge: charge.id, minor, nonce };
        match self.run(async |till| till.add_late_tip(tip).await).await {
            None | Some(Ok(_) | Err(TillError::TipRefused(_))) => {}
            Some(Err(other)) => panic!("seed {}: {other}", self.seed),
        }
        for charge in self.at.till.latest_charges(self.at.register).await.unwrap() {
            if self.charges.iter().all(|earlier| earlier.id != charge.id) {
                self.charges.push(charge);
            }
        }
    }

    /// Webhooks arrive, some of them twice.
    async fn hear_the_gateway(&mut self) {
        for notice in self.at.gateway.notices_due().await.unwrap() {
            let notice = &notice;
            loop {
                let heard = self
                    .run(async |till| {
                        till.receive_notice(&notice.signature, notice.body.as_bytes()).await
                    })
                    .await;
                match heard {
                    Some(Ok(_) | Err(TillError::GatewayDiffers)) => break,
                    // Nobody said 2xx: a gateway sends it again.
                    None | Some(Err(TillError::Gateway(_))) => {}
                    Some(Err(other)) => panic!("seed {}: {other}", self.seed),
                }
            }
        }
    }

    async fn enter_a_pin(&mut self) {
        let Some(charge) = self.any(&self.charges) else { return };
        let fan = self.fan();
        let pin = Pin::parse(["2580", "1379"][usize::from(self.at.below(2) == 0)]).unwrap();
        if self.at.below(20) == 0 {
            self.at.till.set_pin(fan.account, &pin, self.at.below(2) == 0).await.unwrap();
            return;
        }
        let (pedestal, pin) = (self.at.pedestal, &pin);
        match self.run(async |till| till.enter_pin(pedestal, charge.id, pin).await).await {
            None | Some(Ok(_) | Err(TillError::PinWrong { .. })) => {}
            Some(Err(other)) => panic!("seed {}: {other}", self.seed),
        }
    }

    /// Somebody new, or one of the fans, links a payment method; perhaps the same one twice.
    async fn link(&mut self) {
        let newcomer = self.at.below(2) == 0;
        let account = if newcomer { self.at.account() } else { self.fan().account };
        let setup = self.at.choose(account, Instrument::AlwaysApproves).await;
        self.setups.push((account, setup));
        if let Some((account, setup)) = self.any(&self.setups) {
            self.complete(account, &setup).await;
        }
    }

    async fn complete(&mut self, account: AccountId, setup: &SetupId) {
        let done = self
            .run(async |till| {
                let (first, second) = tokio::join!(
                    till.complete_setup(account, setup, None),
                    till.complete_setup(account, setup, None),
                );
                [first, second]
            })
            .await;
        for done in done.into_iter().flatten() {
            match done {
                Ok(done) => {
                    let granted = matches!(done.credit, CreditGrant::Granted(_));
                    *self.granted.entry(account).or_insert(0) += u64::from(granted);
                }
                // A fault that was meant for it; the person tries again.
                Err(TillError::Gateway(_)) => {}
                Err(other) => panic!("seed {}: {other}", self.seed),
            }
        }
    }

    fn disturb_the_gateway(&self) {
        let operations = [
            Operation::Authorise,
            Operation::Capture,
            Operation::Void,
            Operation::Refund,
            Operation::Lookup,
        ];
        let fault = [Fault::RequestLost, Fault::AnswerLost][usize::from(self.at.below(2) == 0)];
        self.at.gateway.inject(self.any(&operations).unwrap(), fault);
    }

    async fn switch_a_wallet(&mut self) {
        let (account, on) = (self.fan().account, self.at.below(3) != 0);
        let freeze = self.at.below(2) == 0;
        let _ = self
            .run(async |till| {
                if freeze {
                    till.set_frozen(account, !on).await.unwrap();
                } else {
                    till.set_palm_pay(account, on).await.unwrap();
                }
            })
            .await;
    }

    async fn let_time_pass(&mut self) {
        let seconds = [1, 20, 45, 70, 400][usize::try_from(self.at.below(5)).unwrap()];
        self.at.clock.advance(Duration::from_secs(seconds));
        if self.at.below(2) == 0 {
            self.gateway.deliver().await;
        }
        let _ = self.run(async |till| till.resolve_due().await.unwrap()).await;
    }

    /// The gateway answers again and time passes: everything comes to an end.
    async fn settle(&mut self) {
        self.at.clock.advance(HOLD_TIME);
        for _ in 0..60 {
            self.at.clock.advance(Duration::from_secs(61));
            let resolved = self.at.till.resolve_due().await.unwrap();
            // Also what the gateway captures late has to go back.
            let heard = self.at.gateway.notices_due().await.unwrap();
            for notice in &heard {
                let body = notice.body.as_bytes();
                if self.at.till.receive_notice(&notice.signature, body).await.is_err() {
                    self.at.gateway.not_taken(notice).await.unwrap();
                }
            }
            let open = resolved.late_captures_open + heard.len();
            if resolved.charges + resolved.refunds + resolved.expired + open == 0 {
                return;
            }
        }
        panic!("seed {}: something never comes to an end", self.seed);
    }

    /// Charges that a dying process made and nobody was told of are found by their nonce.
    async fn find_all_charges(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            match self.at.till.request_charge(&request).await {
                Ok(charge) => {
                    if self.charges.iter().all(|earlier| earlier.id != charge.id) {
                        self.charges.push(charge);
                    }
                }
                Err(TillError::RegisterBusy { .. }) => {}
                Err(other) => panic!("seed {}: {other}", self.seed),
            }
        }
    }

    async fn check(&mut self) {
        self.find_all_charges().await;
        self.settle().await;
        self.gateway.deliver().await;
        let context = format!("seed {}", self.seed);
        self.at.check_books(&self.charges, &context).await;
        for (reference, times) in self.gateway.authorised.lock().unwrap().iter() {
            assert_eq!(*times, 1, "{context}: {reference} was authorised again");
        }
        for charge in &self.charges {
            let charge = self.at.read(charge).await;
            assert!(charge.state.is_final(), "{context}: {charge:?}");
            let steps = self.at.till.charge_history(charge.id).await.unwrap();
            let captured =
                steps.iter().filter(|(state, _)| *state == ChargeState::Captured).count();
            assert!(captured <= 1, "{context}: {steps:?}");
        }
        for fan in &self.fans[..Instrument::ALL.len()] {
            self.check_credit(fan, &context).await;
        }
        self.check_promotion(&context).await;
    }

    /// A person's credit is what was given, less what was paid with it, plus what came back.
    async fn check_credit(&self, fan: &Fan, context: &str) {
        let mut wanted = CREDIT_MINOR;
        for charge in self.at.till.payments(fan.account).await.unwrap() {
            if charge.state != ChargeState::Captured {
                continue;
            }
            wanted -= charge.credit_part.minor;
            let refunds = self.at.till.refunds(self.at.register, charge.id).await.unwrap();
            let done = refunds.iter().filter(|refund| refund.state == RefundState::Done);
            wanted += done.map(|refund| refund.credit_part.minor).sum::<i64>();
        }
        assert_eq!(self.at.credit_left(fan).await, wanted, "{context}");
    }

    /// Every person had the credit once: those at the start, and newcomers who completed a setup.
    async fn check_promotion(&self, context: &str) {
        let mut given = 0;
        for fan in &self.fans {
            assert!(self.granted.get(&fan.account).is_none_or(|&times| times == 0), "{context}");
            given += 1;
        }
        let newcomers: std::collections::BTreeSet<AccountId> = self
            .setups
            .iter()
            .map(|(account, _)| *account)
            .filter(|account| self.fans.iter().all(|fan| fan.account != *account))
            .collect();
        for account in newcomers {
            let wallet = self.at.till.wallet(account).await.unwrap().unwrap();
            assert!(self.granted.get(&account).is_none_or(|&times| times <= 1), "{context}");
            given += i64::from(wallet.credit.is_some());
        }
        // One of those at the start had it taken back.
        let wanted = FUNDS_MINOR - CREDIT_MINOR * (given - 1);
        let left = self.at.till.promotion_balance(&promotion(Currency::Usd).name).await.unwrap();
        assert_eq!(left.minor, wanted, "{context}: the promotion gave to {given}");
    }
}

/// Polls `work` at most `polls` times, then drops it.
async fn until_poll<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn history(store: Store, seed: u64, death: Death) -> u64 {
    let mut history = History::open(store, seed, death).await;
    for _ in 0..STEPS {
        history.step().await;
    }
    history.check().await;
    history.deaths
}

fn seeds() -> u64 {
    let asked = std::env::var("HANDFAST_CRASH_SEEDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(SEEDS)
}

/// The first seed, to look at one history again.
fn first_seed() -> u64 {
    let asked = std::env::var("HANDFAST_CRASH_FIRST").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(0)
}

fn shard(number: u64) {
    let (first, seeds) = (first_seed(), seeds());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deaths = runtime.block_on(async {
        let mut deaths = 0;
        for seed in (first + number..first + seeds).step_by(usize::try_from(SHARDS).unwrap()) {
            let store = Store::connect("sqlite::memory:").await.unwrap();
            deaths += Box::pin(history(store, seed, Death::AtTheGateway)).await;
        }
        deaths
    });
    // A suite of crashes in which nothing crashes proves nothing.
    assert!(deaths > seeds / SHARDS, "only {deaths} deaths");
    println!("{} histories, {deaths} deaths", seeds / SHARDS);
}

#[test]
fn the_money_is_right_after_any_death_shard_0() {
    shard(0);
}

#[test]
fn the_money_is_right_after_any_death_shard_1() {
    shard(1);
}

#[test]
fn the_money_is_right_after_any_death_shard_2() {
    shard(2);
}

#[test]
fn the_money_is_right_after_any_death_shard_3() {
    shard(3);
}

#[test]
fn the_money_is_right_where_the_process_died_anywhere() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let deaths = runtime.block_on(async {
        let mut deaths = 0;
        for seed in 0..SEEDS_ANYWHERE {
            let home = TestStore::sqlite().await;
            let store = home.store.clone();
            deaths += Box::pin(history(store, 50_000 + seed, Death::Anywhere)).await;
            home.remove().await;
        }
        deaths
    });
    assert!(deaths > SEEDS_ANYWHERE, "only {deaths} deaths");
    println!("{SEEDS_ANYWHERE} histories, {deaths} deaths");
}

test_on_both_engines! {
    async fn a_history_on_disk(store: Store) {
        Box::pin(history(store, 90_001, Death::AtTheGateway)).await;
    }

    async fn died_anywhere(store: Store) {
        let deaths = Box::pin(history(store, 90_002, Death::Anywhere)).await;
        assert!(deaths > 0);
    }
}
