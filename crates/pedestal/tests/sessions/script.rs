//! The scripted engine, and the booth that plays a session with it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use handfast_model::{ChargeId, Currency, Duration, ManualClock, Money, SeededRandom, Timestamp};
use handfast_pedestal::{
    AgeTerms, Answer, Attention, Biometrics, ChargeBrief, Clearance, ConsentOffer, ConsentPurpose,
    ConsentText, Cue, Engine, Errand, EventBrief, GuidanceState, HandsChoice, Input, Language,
    LivenessCue, Mode, NotPacked, Observation, OpenCharge, Placement, Purpose, Reason, Request,
    RequestId, Scope, ScopeOffer, SeenPalm, Session, Side, Situation, TicketBrief, TicketCode,
    Touch, Unfit, View, WayOn,
};

/// The camera's pace.
pub const FRAME_EVERY: Duration = Duration::from_millis(66);

/// What a scripted frame shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scene {
    Empty,
    Dark,
    Dazzled,
    Awkward(GuidanceState),
    Code(&'static str),
    Palm { side: Side, x: f32, sharpness: f32 },
}

/// A palm held still.
pub const fn palm(side: Side) -> Scene {
    Scene::Palm { side, x: 0.5, sharpness: 0.8 }
}
pub const LEFT: Scene = palm(Side::Left);
pub const RIGHT: Scene = palm(Side::Right);

/// Counts what is alive, to see that everything is dropped.
pub struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

pub struct Frame {
    pub scene: Scene,
    number: usize,
    _alive: Alive,
}

/// What was taken of a frame: the frame's number and side.
pub struct Taken {
    pub frame: usize,
    pub side: Side,
    _alive: Alive,
}

/// One look at one frame.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub frame: usize,
    pub scene: Scene,
    pub purpose: Purpose,
}

#[derive(Default)]
pub struct Log {
    pub looks: RefCell<Vec<Look>>,
    pub code_reads: Cell<usize>,
    /// How many packings shall fail from now on.
    pub unfit_palms: Cell<usize>,
    pub unfit_enrolments: Cell<usize>,
    pub unfit_presentations: Cell<usize>,
    /// How many captures shall be taken for an artefact's from now on.
    pub suspects: Cell<usize>,
    frames_alive: Rc<Cell<usize>>,
    samples_alive: Rc<Cell<usize>>,
}

#[derive(Clone)]
pub struct Script(Rc<Log>);

fn fails(left: &Cell<usize>) -> bool {
    let fail = left.get() > 0;
    left.set(left.get().saturating_sub(1));
    fail
}

impl Engine for Script {
    type Frame = Frame;
    type Sample = Taken;
    type Palm = Vec<Taken>;
    type Enrolment = Vec<Vec<Taken>>;
    type Presentation = Vec<Taken>;

    fn read_code(&mut self, frame: &Frame) -> Option<TicketCode> {
        self.0.code_reads.set(self.0.code_reads.get() + 1);
        match frame.scene {
            Scene::Code(text) => TicketCode::parse(text),
            _ => None,
        }
    }

    fn look(&mut self, frame: &Frame, clearance: &Clearance) -> Observation<Taken> {
        let (scene, purpose) = (frame.scene, clearance.purpose());
        self.0.looks.borrow_mut().push(Look { frame: frame.number, scene, purpose });
        let place = |x| Placement { centre: (x, 0.5), radius: 0.2, angle: 0.0 };
        match scene {
            Scene::Empty | Scene::Code(_) => Observation::Empty(GuidanceState::NoHand),
            Scene::Dark => Observation::Empty(GuidanceState::TooDark),
            Scene::Dazzled => Observation::Unclear(GuidanceState::Glare),
            Scene::Awkward(advice) => Observation::Awkward { advice, placement: Some(place(0.5)) },
            Scene::Palm { side, x, sharpness } => {
                let alive = Alive::new(&self.0.samples_alive);
                let sample = Taken { frame: frame.number, side, _alive: alive };
                Observation::Palm(SeenPalm { side, placement: place(x), sharpness, sample })
            }
        }
    }

    fn pack_palm(&mut self, samples: Vec<Taken>) -> Result<Vec<Taken>, NotPacked> {
        self.pack(&self.0.unfit_palms, samples)
    }

    fn pack_enrolment(&mut self, palms: Vec<Vec<Taken>>) -> Result<Vec<Vec<Taken>>, Unfit> {
        if fails(&self.0.unfit_enrolments) { Err(Unfit) } else { Ok(palms) }
    }

    fn pack_presentation(&mut self, samples: Vec<Taken>) -> Result<Vec<Taken>, NotPacked> {
        self.pack(&self.0.unfit_presentations, samples)
    }
}

impl Script {
    fn pack(&self, unfit: &Cell<usize>, samples: Vec<Taken>) -> Result<Vec<Taken>, NotPacked> {
        match () {
            () if fails(&self.0.suspects) => Err(NotPacked::Suspect(LivenessCue::TintGrid)),
            () if fails(unfit) => Err(Unfit.into()),
            () => Ok(samples),
        }
    }
}

/// A session, its engine's log, and a hub that answers nothing by itself but the situation.
pub struct Booth {
    session: Option<Session<Script>>,
    pub log: Rc<Log>,
    pub now: Timestamp,
    pub situation: Situation,
    pub hub_is_silent: bool,
    /// Questions about the situation that a silent hub has not answered.
    pub unanswered: Vec<RequestId>,
    /// What the session was last told of biometrics.
    pub situation_heard: Option<Biometrics>,
    sent: Vec<Errand<Script>>,
    frames: usize,
}

impl Booth {
    pub fn new(mode: Mode) -> Self {
        let log = Rc::new(Log::default());
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let session = Session::new(mode, Language::En, Script(Rc::clone(&log)), now);
        let mut booth = Self {
            session: Some(session),
            log,
            now,
            situation: situation(),
            hub_is_silent: false,
            unanswered: Vec::new(),
            situation_heard: None,
            sent: Vec::new(),
            frames: 0,
        };
        booth.give(Input::Tick);
        booth
    }

    /// Gives an input; the hub answers what applies here, and nothing else.
    pub fn give(&mut self, input: Input<Frame>) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let session = self.session.as_mut().expect("the session is on");
            for errand in session.on(input, self.now) {
                match errand.request {
                    Request::Situation if self.hub_is_silent => self.unanswered.push(errand.id),
                    Request::Situation => {
                        self.situation_heard = Some(self.situation.biometrics);
                        let answer = Answer::Situation(self.situation.clone());
                        next = Some(Input::Answer(errand.id, answer));
                    }
                    _ => self.sent.push(errand),
                }
            }
        }
    }

    /// Shows a scene for so many frames.
    pub fn show(&mut self, scene: Scene, frames: usize) {
        for _ in 0..frames {
            self.now = self.now + FRAME_EVERY;
            self.frames += 1;
            let alive = Alive::new(&self.log.frames_alive);
            self.give(Input::Frame(Frame { scene, number: self.frames, _alive: alive }));
        }
    }

    /// Takes everything away for half a second.
    pub fn clear(&mut self) {
        self.show(Scene::Empty, 8);
    }

    /// Lets time pass, with ticks.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now = (self.now + Duration::from_millis(100)).min(end);
            self.give(Input::Tick);
        }
    }

    pub fn touch(&mut self, touch: Touch) {
        self.give(Input::Touch(touch));
    }

    /// The situation changes and the session hears of it.
    pub fn change(&mut self, situation: Situation) {
        self.situation = situation;
        self.give(Input::Changed);
    }

    pub fn answer(&mut self, id: RequestId, answer: Answer) {
        self.give(Input::Answer(id, answer));
    }

    /// What was sent since, without what needs no answer.
    pub fn sent(&mut self) -> Vec<Errand<Script>> {
        std::mem::take(&mut self.sent)
    }

    /// The kinds of what was sent since.
    pub fn sent_kinds(&mut self) -> Vec<String> {
        self.sent().iter().map(|errand| format!("{:?}", errand.request)).collect()
    }

    /// The one request that was sent since.
    #[track_caller]
    pub fn only_sent(&mut self) -> Errand<Script> {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    pub fn view(&self) -> View {
        self.session.as_ref().expect("the session is on").view()
    }

    /// The name of the screen, as the page knows it.
    pub fn screen(&self) -> String {
        let view = serde_json::to_value(self.view()).expect("serialises");
        view["screen"].as_str().expect("has a name").to_owned()
    }

    pub fn advice(&self) -> Option<GuidanceState> {
        self.session.as_ref().and_then(Session::guidance).map(|guidance| guidance.state)
    }

    pub fn hold(&self) -> f32 {
        self.session.as_ref().and_then(Session::guidance).map_or(0.0, |guidance| guidance.hold)
    }

    pub fn cue(&self) -> Cue {
        self.session.as_ref().expect("the session is on").cue()
    }

    pub fn attention(&self) -> Attention {
        self.session.as_ref().expect("the session is on").attention()
    }

    pub fn looks(&self) -> usize {
        self.log.looks.borrow().len()
    }

    pub fn frames_seen(&self) -> usize {
        self.frames
    }

    /// Samples and whatever was made of them, that somebody still holds.
    pub fn samples_alive(&self) -> usize {
        self.log.samples_alive.get()
    }

    pub fn frames_alive(&self) -> usize {
        self.log.frames_alive.get()
    }

    /// The connection is lost.
    pub fn disconnect(&mut self) {
        self.session = None;
    }

    #[track_caller]
    pub fn assert_turned_away(&self, reason: Reason, way_on: WayOn) {
        assert_eq!(self.view(), View::TurnedAway { reason, way_on });
    }

    /// Enrolment, up to the consent screen.
    pub fn reach_consent(&mut self) {
        self.reach_consent_with(offer(Language::En).age);
        assert_eq!(self.screen(), "consent");
    }

    /// Enrolment, up to the consent's text, where these ages hold.
    pub fn reach_consent_with(&mut self, age: AgeTerms) {
        self.touch(Touch::Begin);
        self.clear();
        self.show(Scene::Code("TICKET-1"), 1);
        let lookup = self.only_sent();
        let offer = ConsentOffer { age, ..offer(Language::En) };
        self.answer(lookup.id, Answer::ConsentOffer(offer));
    }

    /// Enrolment, up to the first palm.
    pub fn reach_palm(&mut self, choice: HandsChoice) {
        self.reach_consent();
        self.touch(Touch::Accept { scope: Scope::Venue });
        self.touch(Touch::Hands { choice });
        assert_eq!(self.screen(), "palm");
    }

    /// Enrolment of one palm, up to its request.
    pub fn reach_enrolling(&mut self) -> Errand<Script> {
        self.reach_palm(HandsChoice::One);
        self.clear();
        self.show(LEFT, 20);
        assert_eq!(self.screen(), "working");
        self.only_sent()
    }
}

pub fn situation() -> Situation {
    Situation {
        event: Some(EventBrief { name: "Nova".into(), starts_at: Timestamp::from_micros(0) }),
        biometrics: Biometrics::Allowed,
        shop_name: "Bar East".into(),
        charge: None,
    }
}

pub fn forbidden() -> Situation {
    Situation { biometrics: Biometrics::Forbidden, ..situation() }
}

/// A charge that is open for a minute from `now`.
pub fn charge(number: u64, minor: i64, now: Timestamp) -> OpenCharge {
    let (clock, random) = (ManualClock::at(now), SeededRandom::new(number));
    OpenCharge {
        charge_id: ChargeId::new(&clock, &random),
        brief: ChargeBrief {
            shop_name: "Bar East".into(),
            number,
            amount: Money::new(minor, Currency::Usd),
            pay_qr: None,
        },
        expires_at: now + Duration::from_secs(60),
    }
}

pub fn offer(language: Language) -> ConsentOffer {
    let until = Timestamp::from_micros(1_800_000_000_000_000);
    ConsentOffer {
        ticket: TicketBrief {
            event_name: "Nova".into(),
            venue_name: "Red Rocks".into(),
            starts_at: Timestamp::from_micros(0),
            product: "General admission".into(),
        },
        text: ConsentText {
            version: "1".into(),
            language,
            title: "Your palm".into(),
            paragraphs: vec!["What happens.".into()],
            purposes: vec![ConsentPurpose { id: "entry".into(), text: "To let you in.".into() }],
        },
        scopes: vec![
            ScopeOffer { id: Scope::Event, until },
            ScopeOffer { id: Scope::Venue, until },
        ],
        age: AgeTerms { minimum: 13, own_consent_from: 18, guardian: false },
    }
}

pub const REASONS: [Reason; 21] = [
    Reason::NotRecognised,
    Reason::Ambiguous,
    Reason::NoTicket,
    Reason::AlreadyRedeemed,
    Reason::NoBiometrics,
    Reason::AlreadyLinked,
    Reason::DeclinedConsent,
    Reason::TooYoung,
    Reason::GuardianWanted,
    Reason::CaptureTimeout,
    Reason::CaptureRefused,
    Reason::VaultUnavailable,
    Reason::PaymentDeclined,
    Reason::PaymentUnknown,
    Reason::NoWallet,
    Reason::WalletFrozen,
    Reason::AgeNotKnown,
    Reason::ChargeExpired,
    Reason::ChargeCancelled,
    Reason::EventClosed,
    Reason::Internal,
];
