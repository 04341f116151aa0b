//! Histories in every weather.

use std::sync::atomic::{AtomicU64, Ordering};

use handfast_model::Duration;
use handfast_mpc::Role;
use handfast_palm::Side;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::history::{EVENTS, History, Outcome};
use super::simulator::Weather;
use super::testing::{DIMENSION, POLICY, palm, probe, score};
use super::{Change, Sought};

const FAIR: Weather = Weather {
    cut: 0,
    double: 0,
    stop: 0,
    stop_at_write: 0,
    full: 0,
    lose_request: 0,
    delay: 2_000,
};

/// The weather of a seed: each kind of trouble is there or not.
fn weather(seed: u64) -> Weather {
    let bit = |at: u64| seed >> at & 1;
    Weather {
        cut: 3 * bit(0),
        double: 20 * bit(1),
        stop: 2 * bit(2),
        stop_at_write: 4 * bit(3),
        full: 2 * bit(4),
        lose_request: 20 * bit(5),
        delay: [500, 40_000][bit(6) as usize],
    }
}

fn play(seed: u64, weather: Weather, steps: usize) -> History {
    let mut history = History::new(seed, weather);
    for _ in 0..steps {
        history.random_step();
    }
    history.check_agreement();
    history
}

/// So many histories are a line of a soak's progress.
const PROGRESS: u64 = 500;

/// Plays seeds, and says which one failed.
fn play_all(seeds: std::ops::Range<u64>, steps: usize) -> (u64, u64) {
    let (count, ended) = (seeds.end - seeds.start, AtomicU64::new(0));
    let played = seeds.into_par_iter().map(|seed| {
        let played = std::panic::catch_unwind(|| play(seed, weather(seed), steps));
        let ended = ended.fetch_add(1, Ordering::Relaxed) + 1;
        if ended.is_multiple_of(PROGRESS) {
            println!("{ended} of {count} histories");
        }
        match played {
            Ok(history) => (history.answers, history.matches),
            Err(panic) => {
                println!("seed {seed} failed: replay with HANDFAST_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    });
    played.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

#[test]
fn fair_weather_answers_everything() {
    let mut history = play(1, FAIR, 60);
    let answers = history.answers;
    for _ in 0..20 {
        history.look(EVENTS[0], Side::Left, Sought::Anyone, 0).expect("nothing goes wrong");
    }
    assert_eq!(history.answers, answers + 20);
    assert!(history.matches > 0);
}

#[test]
fn histories_in_bad_weather_are_right() {
    if let Ok(seed) = std::env::var("HANDFAST_SEED") {
        let seed = seed.parse().unwrap();
        play(seed, weather(seed), 25);
        return;
    }
    let (answers, matches) = play_all(0..600, 12);
    assert!(answers > 1_000 && matches > 200, "{answers} answers, {matches} matches");
}

#[test]
#[ignore = "long: make soak"]
fn ten_thousand_histories_are_right() {
    // Others by HANDFAST_SEEDS=FIRST..END, so that a soak can be done in parts.
    let seeds = std::env::var("HANDFAST_SEEDS").unwrap_or_else(|_| "1000..11000".to_owned());
    let (first, end) = seeds.split_once("..").expect("FIRST..END");
    let (answers, matches) = play_all(first.parse().unwrap()..end.parse().unwrap(), 25);
    println!("seeds {seeds}: all histories right, {answers} answers, {matches} matches");
}

/// A history in which every kind of operation and search happens once.
fn full_history(stop_at: Option<u64>) -> u64 {
    let mut history = History::new(7, FAIR);
    let first = history.simulator.frames;
    history.simulator.stop_at_frame = stop_at.map(|at| first + at);
    let later = history.simulator.now + Duration::from_days(1);
    let until_committed = |history: &mut History, change: Change| {
        for _ in 0..4 {
            match history.operate(change.clone(), None) {
                Outcome::Committed(_) => return,
                _ => history.simulator.pass(Duration::from_secs(15)),
            }
        }
    };
    for person in [0, 1] {
        for _ in 0..3 {
            if let Outcome::Committed(_) =
                history.enrol(&[(Side::Left, 2 * person), (Side::Right, 2 * person + 1)], later)
            {
                break;
            }
        }
    }
    let slots: Vec<u64> = history.stored(u64::MAX).into_keys().collect();
    for &slot in &slots {
        let (gallery, consent) = (EVENTS[0], [1; 16]);
        until_committed(&mut history, Change::Arm { gallery, slot, until: later, consent });
    }
    history.look(EVENTS[0], Side::Left, Sought::Anyone, 0);
    until_committed(&mut history, Change::Refresh);
    history.look(EVENTS[0], Side::Right, Sought::Anyone, 3);
    if let Some(&slot) = slots.first() {
        until_committed(&mut history, Change::Delete { slots: vec![slot] });
    }
    history.look(EVENTS[0], Side::Left, Sought::Anyone, 0);
    let frames = history.simulator.frames - first;
    history.check_agreement();
    frames
}

#[test]
fn a_node_may_stop_at_any_message() {
    let frames = full_history(None);
    assert!(frames > 200, "{frames} messages");
    (1..=frames).into_par_iter().for_each(|at| {
        if std::panic::catch_unwind(|| full_history(Some(at))).is_err() {
            panic!("a node that stopped at message {at} of {frames} broke something");
        }
    });
}

#[test]
fn a_lost_node_gets_its_rows_back() {
    let mut history = play(11, FAIR, 60);
    let before = history.simulator.disks.each_ref().map(|disk| disk.slots());
    assert!(!before[0].is_empty());
    for role in Role::ALL {
        history.simulator.disks[role.index()].lose_everything();
        history.simulator.stop(role);
        history.simulator.pass(Duration::from_secs(30));
        let status = history.simulator.node(role).unwrap().status();
        assert_eq!(status.lacking, before[0].len() as u64, "it knows what it lacks");
        assert!(history.search_refused(), "nobody is searched with zeros");
        history.rebuild(role);
        assert_eq!(history.simulator.disks[role.index()].slots(), before[0]);
        history.check_agreement();
    }
}

#[test]
fn a_restored_node_follows_deletions_before_it_serves() {
    let mut history = play(12, FAIR, 60);
    let backup = history.simulator.disks[2].backup();
    let slots = backup.slots();
    let slot = slots[0];
    history.must(Change::Delete { slots: vec![slot] });
    history.must(Change::Refresh);
    history.simulator.disks[2] = backup;
    history.simulator.stop(Role::C);
    history.simulator.pass(Duration::from_secs(30));
    assert!(!history.simulator.disks[2].slots().contains(&slot), "the deletion was replayed");
    let status = history.simulator.node(Role::C).unwrap().status();
    assert_eq!(status.lacking, slots.len() as u64 - 1, "rows of an older epoch are worth nothing");
    history.rebuild(Role::C);
    history.check_agreement();
}

/// Searches of more chunks than some windows, at nodes of which each has a window of its own, several at
/// once: of 1 and 5 a node is strict, and what was dealt is checked in many chunks as well.
#[test]
fn many_chunks_are_one_search_in_every_window() {
    let people = 5_000..5_000 + 3 * 512 + 77;
    let (first, last) = (people.start, people.end - 1);
    for seed in [1, 5, 6] {
        let weather = Weather { double: 20, delay: 3_000, ..FAIR };
        let mut history = History::new(seed, weather);
        let gallery = history.fill(people.clone());
        let shown = [first, last, 1, first + 511, first + 512, first + 1_100, 2];
        let there = shown.map(|seed| {
            let probe = probe(seed, 3);
            let like = |row: u64| {
                let row = palm(row);
                probe.chunks(DIMENSION).any(|q| score(&row, q) >= i32::from(POLICY.identify))
            };
            people.clone().any(like)
        });
        assert!(there[0] && there[1] && there[3..6] == [true; 3]);
        let found = history.search_together((gallery, Side::Left, Sought::Duplicate), &shown);
        assert_eq!(found, there, "seed {seed}");
        assert!(!history.search_together((gallery, Side::Right, Sought::Duplicate), &[first])[0]);
    }
}
