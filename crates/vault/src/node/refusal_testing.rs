//! What tests of refusals share: a vault with a palm in it, and what a refusal looks like.

use handfast_model::Duration;
use handfast_palm::Side;

use super::history::{EVENTS, History, Kind, Outcome, SMALL};
use super::simulator::Weather;
use super::{Change, Policy, Reason, Reply, Request, Search, Sought};

pub(super) const FAIR: Weather =
    Weather { cut: 0, double: 0, stop: 0, stop_at_write: 0, full: 0, lose_request: 0, delay: 500 };

/// A vault in which palm 0 is armed in the first gallery, in slot 1.
pub(super) fn vault() -> History {
    vault_of(3)
}

/// The same of another seed; of 1, 5 and 9 node A, B or C is strict.
pub(super) fn vault_of(seed: u64) -> History {
    with_palm(History::new(seed, FAIR))
}

/// The same with other thresholds and budgets.
pub(super) fn vault_with(policy: Policy) -> History {
    with_palm(History::of(Kind { policy, ..SMALL }, 3, FAIR))
}

fn with_palm(mut history: History) -> History {
    let until = history.simulator.now + Duration::from_days(1);
    let enrolled = history.enrol(&[(Side::Left, 0)], until);
    assert!(matches!(enrolled, Outcome::Committed(_)), "{enrolled:?}");
    let consent = [2; 16];
    history.must(Change::Arm { gallery: EVENTS[0], slot: 1, until, consent });
    history
}

pub(super) fn ask_search(history: &mut History, searches: &[Search; 3]) -> [Option<Reply>; 3] {
    history.ask(searches.clone().map(Request::Search))
}

pub(super) fn prepared(history: &mut History, shown: &[i16]) -> [Search; 3] {
    prepared_for(history, shown, Sought::Anyone)
}

pub(super) fn prepared_for(history: &mut History, shown: &[i16], sought: Sought) -> [Search; 3] {
    let now = history.challenges().unwrap();
    history.searches((EVENTS[0], Side::Left, sought), now, shown)
}

pub(super) fn refusals(replies: &[Option<Reply>; 3]) -> Vec<Reason> {
    replies
        .iter()
        .map(|reply| match reply {
            Some(Reply::Refused(refusal) | Reply::GivenUp(refusal)) => refusal.reason,
            other => panic!("{other:?} is no refusal"),
        })
        .collect()
}

/// Every node refused: for this reason, or because another one did before it was asked itself.
#[track_caller]
pub(super) fn all_refused(replies: &[Option<Reply>; 3], reason: Reason) {
    let reasons = refusals(replies);
    let known = |found: &Reason| [reason, Reason::PeerRefused].contains(found);
    assert!(reasons.contains(&reason) && reasons.iter().all(known), "{reason:?}: {reasons:?}");
}

pub(super) fn refused_for(outcome: &Outcome, reason: Reason) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.reason == reason)
}
