//! A simulated person in front of a pedestal: shows a ticket's code, brings a hand, holds it,
//! takes it away, always as the session's cue asks.

use handfast_model::{Duration, Timestamp};
use handfast_palm::{Picture, Side};
use handfast_palm_synth::{Approach, Camera, Hand, Identity, QrModules, Scene};
use handfast_pedestal::{Cue, WantedSide};

/// The size of the simulated camera, as of the cheapest real ones.
pub(crate) const WIDTH: u32 = 640;
/// See [`WIDTH`].
pub(crate) const HEIGHT: u32 = 480;

/// A person looks at the screen before the hand moves; the pedestal sees an empty ground meanwhile.
const READING_TIME: Duration = Duration::from_millis(700);

/// Visits whose light and pose differ and are all ordinary. Of visits taken at random one pair in
/// twenty differs by more light than an enrolment of three frames bridges, and a demo should show
/// the ordinary case: any two of these score 11,000 and more for the same palm, and liveness takes each
/// for a living one of every palm of the demo.
const CALM_VISITS: [u64; 5] = [8, 9, 13, 20, 25];

/// Longer than any session waits: the hand leaves because it is told to, not because time is over.
const HOVER_MS: u64 = 600_000;

/// One simulated person with both hands and perhaps a ticket on a phone.
pub(crate) struct SimulatedPerson {
    left: Hand,
    right: Hand,
    ticket: Option<QrModules>,
    camera: Camera,
    visits: u64,
    frames: u64,
    doing: Doing,
}

enum Doing {
    Nothing,
    ShowingTicket { seed: u64 },
    AboutToReach { side: Side, since: Timestamp },
    Hovering { side: Side, visit: Approach, since: Timestamp },
    Leaving { visit: Approach, since: Timestamp },
}

impl SimulatedPerson {
    /// The person of that seed; `ticket` is the code on their phone.
    pub(crate) fn new(seed: u64, ticket: Option<QrModules>) -> Self {
        let identity = Identity::from_seed(seed);
        Self {
            left: identity.hand(Side::Left),
            right: identity.hand(Side::Right),
            ticket,
            camera: Camera::default(),
            visits: 0,
            frames: 0,
            doing: Doing::Nothing,
        }
    }

    /// What the camera sees at `now`, when the session last gave `cue`.
    pub(crate) fn frame(&mut self, cue: Cue, now: Timestamp) -> Picture {
        let doing = std::mem::replace(&mut self.doing, Doing::Nothing);
        self.doing = self.go_on(doing, cue, now);
        self.frames += 1;
        self.camera.render(&self.scene(now), self.frames, WIDTH, HEIGHT)
    }

    fn go_on(&mut self, doing: Doing, cue: Cue, now: Timestamp) -> Doing {
        match doing {
            Doing::Nothing => self.begin(cue, now),
            Doing::ShowingTicket { seed } if cue == Cue::Ticket => Doing::ShowingTicket { seed },
            Doing::ShowingTicket { .. } => self.begin(cue, now),
            Doing::AboutToReach { side, since } => match cue {
                Cue::Hand { side: wanted } if wants(wanted, side) => self.reach(side, since, now),
                _ => self.begin(cue, now),
            },
            Doing::Hovering { side, visit, since } => match cue {
                Cue::Hand { side: wanted } if wants(wanted, side) => {
                    Doing::Hovering { side, visit, since }
                }
                _ => leave(visit, since, now),
            },
            Doing::Leaving { visit, since } if millis(now - since) < visit.duration_ms() => {
                Doing::Leaving { visit, since }
            }
            Doing::Leaving { .. } => self.begin(cue, now),
        }
    }

    fn begin(&mut self, cue: Cue, now: Timestamp) -> Doing {
        match cue {
            Cue::Nothing => Doing::Nothing,
            Cue::Ticket => {
                self.visits += 1;
                Doing::ShowingTicket { seed: self.visits }
            }
            Cue::Hand { side: WantedSide::Left } => {
                Doing::AboutToReach { side: Side::Left, since: now }
            }
            Cue::Hand { .. } => Doing::AboutToReach { side: Side::Right, since: now },
        }
    }

    fn reach(&mut self, side: Side, since: Timestamp, now: Timestamp) -> Doing {
        if now - since < READING_TIME {
            return Doing::AboutToReach { side, since };
        }
        self.visits += 1;
        let hand = match side {
            Side::Left => self.left.clone(),
            Side::Right => self.right.clone(),
        };
        // The time of day makes the light and the pose of each visit another, as with people.
        let seed = CALM_VISITS[now.as_micros().unsigned_abs() as usize % CALM_VISITS.len()];
        Doing::Hovering {
            side,
            visit: Approach::new(hand, seed).with_hover_ms(HOVER_MS),
            since: now,
        }
    }

    fn scene(&self, now: Timestamp) -> Scene {
        match (&self.doing, &self.ticket) {
            (Doing::ShowingTicket { seed }, Some(code)) => {
                Scene::Ticket { code: code.clone(), sample_seed: *seed }
            }
            (Doing::Hovering { visit, since, .. } | Doing::Leaving { visit, since }, _) => {
                visit.scene_at(millis(now - *since))
            }
            _ => Scene::Empty,
        }
    }
}

/// The same visit, whose hover ends now.
fn leave(visit: Approach, since: Timestamp, now: Timestamp) -> Doing {
    let hovered_ms = millis(now - since).saturating_sub(handfast_palm_synth::ARRIVE_MS);
    Doing::Leaving { visit: visit.with_hover_ms(hovered_ms), since }
}

fn wants(wanted: WantedSide, side: Side) -> bool {
    match wanted {
        WantedSide::Either => true,
        WantedSide::Left => side == Side::Left,
        WantedSide::Right => side == Side::Right,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_micros() / 1_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: Cue = Cue::Hand { side: WantedSide::Right };
    const LEFT: Cue = Cue::Hand { side: WantedSide::Left };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000) + Duration::from_millis(ms)
    }

    fn shows_hand(person: &SimulatedPerson, now: Timestamp) -> bool {
        matches!(person.scene(now), Scene::Hand { .. })
    }

    #[test]
    fn the_ground_is_empty_before_a_hand_comes() {
        let mut person = SimulatedPerson::new(1, None);
        person.frame(RIGHT, at(0));
        assert!(!shows_hand(&person, at(0)));
        person.frame(RIGHT, at(700));
        assert!(shows_hand(&person, at(1_600)));
    }

    #[test]
    fn the_hand_leaves_when_the_cue_goes_and_the_other_follows() {
        let mut person = SimulatedPerson::new(1, None);
        for ms in [0, 700, 2_000] {
            person.frame(RIGHT, at(ms));
        }
        person.frame(LEFT, at(2_100));
        assert!(matches!(person.doing, Doing::Leaving { .. }));
        person.frame(LEFT, at(4_000));
        assert!(matches!(person.doing, Doing::AboutToReach { side: Side::Left, .. }));
    }

    /// The frames of a capture, well into the hover.
    fn captured(fan: u64, side: Side, visit: u64) -> Vec<handfast_palm::Glimpse> {
        let hand = Identity::from_seed(fan).hand(side);
        let approach = Approach::new(hand, visit).with_hover_ms(HOVER_MS);
        let frame = |k: u64| {
            let scene = approach.scene_at(handfast_palm_synth::ARRIVE_MS + 600 + 66 * k);
            Camera::default().render(&scene, k, WIDTH, HEIGHT)
        };
        (0..3)
            .filter_map(|k| {
                let picture = frame(k);
                let found = handfast_palm::find(&picture).ok()?;
                Some(handfast_palm::glimpse(&picture, &found))
            })
            .collect()
    }

    #[test]
    fn the_demos_hands_are_taken_for_living_ones() {
        let mut suspects = Vec::new();
        for fan in 1..=6 {
            for side in [Side::Left, Side::Right] {
                for visit in CALM_VISITS {
                    let judged = handfast_palm::liveness(&captured(fan, side, visit));
                    if judged != handfast_palm::Liveness::Live {
                        suspects.push(format!("fan {fan} {side:?} visit {visit}: {judged:?}"));
                    }
                }
            }
        }
        assert!(suspects.is_empty(), "{suspects:#?}");
    }

    #[test]
    fn without_a_ticket_nothing_is_shown() {
        let mut person = SimulatedPerson::new(1, None);
        person.frame(Cue::Ticket, at(0));
        assert!(matches!(person.scene(at(0)), Scene::Empty));
    }
}
