//! Pictures of real hands, where a folder of them exists: the palms of `coep-hand`, found through
//! `HANDFAST_PALMS` or beside the repository. They stay where they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_model::{Duration, ManualClock, Timestamp};
use handfast_palm::Picture;
use handfast_palm_synth::letterbox;
use handfast_pedestal::{
    Answer, Biometrics, EventBrief, FrameSource, Input, Language, Mode, PalmEngine, PictureFiles,
    Request, Session, Situation,
};

/// How many people are taken, and how many of them may fail (failure to acquire is at most 10 %).
const PEOPLE: usize = 20;
const FAILURES_MAX: usize = 2;

fn palms() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/palms");
    let palms = std::env::var_os("HANDFAST_PALMS").map_or(beside, PathBuf::from);
    Some(palms.join("coep-hand")).filter(|folder| folder.is_dir())
}

#[test]
fn real_hands_are_searched_in_the_lane() {
    let Some(palms) = palms() else {
        println!("skipped: no pictures of real hands (set HANDFAST_PALMS)");
        return;
    };
    let mut people: Vec<PathBuf> = std::fs::read_dir(&palms)
        .expect("a folder")
        .map(|person| person.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    people.sort();
    people.truncate(PEOPLE);
    assert!(
        people.len() > FAILURES_MAX,
        "{} holds too few people to say anything",
        palms.display()
    );
    let failed: Vec<_> = people.iter().filter(|person| !is_searched(person)).collect();
    assert!(failed.len() <= FAILURES_MAX, "no search for {failed:?}");
}

/// Plays nothing, then the person's first picture as a hand that is held still.
fn is_searched(person: &Path) -> bool {
    let mut now = Timestamp::from_micros(1_700_000_000_000_000);
    let clock = Arc::new(ManualClock::at(now));
    let mut source = PictureFiles::open(person, clock).expect("pictures");
    let first = source.next(Duration::ZERO).expect("reads").expect("a picture").picture;
    let hand = letterbox(&first, 640, 480);
    let nothing = Picture::from_grey(640, 480, vec![12; 640 * 480]).expect("a picture");
    let event = EventBrief { name: "Nova".into(), starts_at: now };
    let situation = Situation {
        event: Some(event),
        biometrics: Biometrics::Allowed,
        shop_name: String::new(),
        charge: None,
    };
    let mut session = Session::new(Mode::EntryLane, Language::En, PalmEngine, now);
    let mut inputs: Vec<Input<Picture>> = vec![Input::Tick];
    inputs.extend((0..12).map(|_| Input::Frame(nothing.clone())));
    inputs.extend((0..12).map(|_| Input::Frame(hand.clone())));
    for input in inputs {
        now = now + Duration::from_millis(66);
        for errand in session.on(input, now) {
            match errand.request {
                Request::Situation => {
                    let answer = Answer::Situation(situation.clone());
                    session.on(Input::Answer(errand.id, answer), now);
                }
                Request::Identify { .. } => return true,
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    false
}
