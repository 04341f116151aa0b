//! Random sessions.
//!
//! Goal: whatever happens in whatever order, a session does not panic, and asks for nothing
//! biometric without the right to.
//! Failures: a look at a frame, or a biometric request, that the rules written out here, apart from
//! the session's own, do not allow; a sample that outlives its session.
//! Not failures: any screen; any request that is not biometric.

use handfast_model::Duration;
use handfast_pedestal::{
    Answer, Biometrics, Direction, HandsChoice, Input, Language, Mode, Reason, Request, RequestId,
    Scope, Side, Situation, TicketCode, TicketProblem, Touch, View,
};
use proptest::prelude::*;

use crate::script::{Booth, REASONS, Scene, Script, charge, offer, situation};

#[derive(Clone, Debug)]
enum Act {
    Show(Scene, usize),
    Touch(Touch),
    /// Answers a request that was ever sent, from the latest backwards.
    Answer(usize, Reply),
    Wait(i64),
    Biometrics(bool),
    Event(bool),
    Charge(Option<u64>),
    Silence(bool),
}

#[derive(Clone, Debug)]
enum Reply {
    Fitting,
    Refused(Reason),
    Problem,
    Odd,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let scene = prop_oneof![
        4 => Just(Scene::Empty),
        1 => Just(Scene::Dark),
        1 => Just(Scene::Dazzled),
        2 => Just(Scene::Code("TICKET-1")),
        6 => (any::<bool>(), prop_oneof![9 => Just(0.5_f32), 1 => Just(0.7)]).prop_map(|(left, x)| {
            let side = if left { Side::Left } else { Side::Right };
            Scene::Palm { side, x, sharpness: 0.8 }
        }),
    ];
    let touch = prop_oneof![
        3 => Just(Touch::Begin),
        2 => Just(Touch::TicketCode { code: TicketCode::parse("TICKET-2") }),
        3 => Just(Touch::Accept { scope: Scope::Event }),
        1 => Just(Touch::Accept { scope: Scope::Company }),
        1 => Just(Touch::Decline),
        2 => Just(Touch::Hands { choice: HandsChoice::One }),
        2 => Just(Touch::Hands { choice: HandsChoice::Both }),
        2 => (0_u32..10).prop_map(|count| Touch::Count { count }),
        1 => Just(Touch::Cancel),
        1 => Just(Touch::Language { language: Language::Es }),
    ];
    let reply = prop_oneof![
        6 => Just(Reply::Fitting),
        2 => (0..REASONS.len()).prop_map(|at| Reply::Refused(REASONS[at])),
        1 => Just(Reply::Problem),
        1 => Just(Reply::Odd),
    ];
    let act = prop_oneof![
        10 => (scene, 1_usize..25).prop_map(|(scene, frames)| Act::Show(scene, frames)),
        6 => touch.prop_map(Act::Touch),
        6 => (prop_oneof![5 => Just(0_usize), 1 => 0_usize..9], reply)
            .prop_map(|(back, reply)| Act::Answer(back, reply)),
        2 => (0_i64..40_000).prop_map(Act::Wait),
        1 => prop::bool::weighted(0.7).prop_map(Act::Biometrics),
        1 => prop::bool::weighted(0.8).prop_map(Act::Event),
        2 => prop::option::weighted(0.7, 1_u64..4).prop_map(Act::Charge),
        1 => prop::bool::weighted(0.3).prop_map(Act::Silence),
    ];
    prop::collection::vec(act, 1..60)
}

/// The rules, kept beside the session.
struct Watcher {
    mode: Mode,
    /// A consent text was on the screen and accepted since the last welcome.
    accepted: bool,
    /// The question on the screen, and the first look that belongs to it.
    question: (String, usize),
    /// Every request that was sent, with its kind.
    requests: Vec<(RequestId, String)>,
}

/// What was so before an input, as far as the session could know.
struct Before {
    view: View,
    biometrics: Option<Biometrics>,
    looks: usize,
}

impl Before {
    fn of(booth: &Booth) -> Self {
        Self { view: booth.view(), biometrics: booth.situation_heard, looks: booth.looks() }
    }
}

impl Watcher {
    /// What a palm is shown for, as a text; a new text is a new question.
    fn question_of(view: &View) -> String {
        match view {
            View::Palm { purpose, palm, charge, .. } => format!("{purpose:?} {palm} {charge:?}"),
            // In the lane the welcome screen is the question already.
            View::Welcome { .. } => "Enter 1 None".into(),
            other => format!("{other:?}"),
        }
    }

    fn note(&mut self, before: &Before, touch: Option<&Touch>, booth: &mut Booth) {
        let view = booth.view();
        if let (View::Consent { scopes, .. }, Some(Touch::Accept { scope })) = (&before.view, touch)
        {
            self.accepted |= scopes.iter().any(|offered| offered.id == *scope);
        }
        for errand in booth.sent() {
            self.check(&errand.request, before, booth);
            self.requests.push((errand.id, format!("{:?}", errand.request)));
        }
        let nothing_agreed = matches!(view, View::Welcome { .. } | View::ShowTicket { .. })
            || matches!(view, View::Consent { .. });
        if nothing_agreed && self.mode != Mode::EntryLane {
            self.accepted = false;
        }
        let question = Self::question_of(&view);
        // Asking the hub continues a question: another attempt may follow.
        if question != self.question.0 && !matches!(view, View::Working {} | View::Paying { .. }) {
            // The lane sees a hand leave while an outcome is shown, and the next one may come at
            // its end: the outcome's start is where the next question's looks begin.
            let is_outcome = matches!(view, View::Admitted { .. } | View::TurnedAway { .. });
            let start = match self.mode {
                Mode::EntryLane if is_outcome => before.looks,
                Mode::EntryLane => self.question.1,
                _ => booth.looks(),
            };
            self.question = (question, start);
        }
    }

    fn check(&self, request: &Request<Script>, before: &Before, booth: &Booth) {
        let taken = match request {
            Request::Enrol { palms, .. } => palms.last().expect("a palm"),
            Request::Identify { presentation } | Request::Pay { presentation, .. } => presentation,
            _ => return,
        };
        assert!(self.accepted || !matches!(request, Request::Enrol { .. }), "no consent");
        assert_eq!(before.biometrics, Some(Biometrics::Allowed), "forbidden");
        let side = taken.first().expect("a frame").side;
        assert!(taken.iter().all(|other| other.side == side), "frames of two hands");
        if let Request::Pay { charge, .. } = request {
            assert!(booth.now < charge.expires_at, "the charge had expired");
            assert!(self.question.0.contains(&format!("{:?}", Some(&charge.brief))), "not shown");
        }
        let looks = booth.log.looks.borrow();
        let start = self.question.1;
        let first = looks
            .iter()
            .position(|look| look.frame == taken[0].frame)
            .expect("a sample comes from a look");
        let since_question = &looks[start.min(first)..first];
        let cleared = since_question.windows(3).any(|three| {
            three
                .iter()
                .all(|look| matches!(look.scene, Scene::Empty | Scene::Dark | Scene::Code(_)))
        });
        assert!(cleared, "no hand was seen to arrive");
    }
}

fn fitting(kind: &str) -> Answer {
    match kind {
        "LookUpTicket" | "Enrol" => Answer::ConsentOffer(offer(Language::En)),
        "Identify" => Answer::Identified { available: 2, max: 8 },
        "Admit" => Answer::Admitted { count: 1, direction: Direction::Right },
        _ => Answer::Refused(Reason::Internal),
    }
}

fn play(mode: Mode, acts: Vec<Act>) {
    let mut booth = Booth::new(mode);
    let question = (String::new(), 0);
    let mut watcher = Watcher { mode, accepted: false, question, requests: Vec::new() };
    for act in acts {
        match act {
            Act::Show(scene, frames) => {
                for _ in 0..frames {
                    let before = Before::of(&booth);
                    booth.show(scene, 1);
                    if booth.looks() > before.looks {
                        assert!(watcher.accepted || mode != Mode::EnrolOutside, "no consent");
                        assert_eq!(before.biometrics, Some(Biometrics::Allowed), "forbidden");
                    }
                    watcher.note(&before, None, &mut booth);
                }
            }
            Act::Touch(touch) => {
                let before = Before::of(&booth);
                booth.touch(touch.clone());
                watcher.note(&before, Some(&touch), &mut booth);
            }
            Act::Answer(back, reply) => {
                let Some(at) = watcher.requests.len().checked_sub(back + 1) else { continue };
                let (id, kind) = watcher.requests[at].clone();
                let answer = match reply {
                    Reply::Fitting => fitting(&kind),
                    Reply::Refused(reason) => Answer::Refused(reason),
                    Reply::Problem => Answer::TicketProblem(TicketProblem::NotValid),
                    Reply::Odd => Answer::Identified { available: 1, max: 0 },
                };
                let before = Before::of(&booth);
                booth.give(Input::Answer(id, answer));
                watcher.note(&before, None, &mut booth);
            }
            Act::Wait(millis) => {
                let before = Before::of(&booth);
                booth.wait(Duration::from_millis(millis));
                watcher.note(&before, None, &mut booth);
            }
            Act::Silence(is_silent) => booth.hub_is_silent = is_silent,
            change => {
                let before = Before::of(&booth);
                let changed = changed(&booth.situation, &change, &booth);
                booth.change(changed);
                watcher.note(&before, None, &mut booth);
            }
        }
    }
    booth.disconnect();
    assert_eq!((booth.samples_alive(), booth.frames_alive()), (0, 0));
}

fn changed(now: &Situation, change: &Act, booth: &Booth) -> Situation {
    let mut next = now.clone();
    match change {
        Act::Biometrics(true) => next.biometrics = Biometrics::Allowed,
        Act::Biometrics(false) => next.biometrics = Biometrics::Forbidden,
        Act::Event(true) => next.event = situation().event,
        Act::Event(false) => next.event = None,
        Act::Charge(number) => {
            next.charge = number.map(|number| charge(number, 100, booth.now));
        }
        _ => {}
    }
    next
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn enrolment_keeps_the_rules(acts in acts()) {
        play(Mode::EnrolOutside, acts);
    }

    #[test]
    fn the_lane_keeps_the_rules(acts in acts()) {
        play(Mode::EntryLane, acts);
    }

    #[test]
    fn the_counter_keeps_the_rules(acts in acts()) {
        play(Mode::Counter, acts);
    }
}
