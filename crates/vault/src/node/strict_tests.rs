//! Strict nodes against dealers that deal vectors longer than any palm's.

use handfast_model::Duration;
use handfast_mpc::Role;
use handfast_palm::Side;

use super::history::{EVENTS, HOME, History, Outcome};
use super::refusal_testing::{
    all_refused, ask_search, prepared, prepared_for, refused_for, vault, vault_of,
};
use super::testing::{DIMENSION, POLICY, probe};
use super::{Reason, Sought};

/// Vectors that a dealer might deal to be taken for somebody, or for nobody who is there.
fn too_long() -> Vec<Vec<i16>> {
    let palm = super::testing::palm(0);
    let of = |change: fn(i16) -> i16| palm.iter().map(|number| change(*number)).collect();
    let with = |at: usize, number| {
        let mut vector = palm.clone();
        vector[at] = number;
        vector
    };
    vec![
        vec![i16::MAX; DIMENSION],
        // Twice as long as the palm: its score is twice as high.
        of(|number| 2 * number),
        of(|number| number.wrapping_add(256)),
        of(|number| number.wrapping_add(i16::MIN)),
        // Its square is 0 modulo 2^16, alone or with others.
        with(0, 256),
        with(63, i16::MIN),
        with(9, 129),
    ]
}

#[test]
fn one_strict_node_is_enough_to_refuse_a_malicious_probe() {
    for seed in [1, 5, 9] {
        let mut history = vault_of(seed);
        for long in too_long() {
            // In front, behind, and between vectors that are as they should be.
            for at in 0..3 {
                let mut shown = probe(0, 3);
                shown[at * DIMENSION..(at + 1) * DIMENSION].copy_from_slice(&long);
                let search = prepared(&mut history, &shown);
                all_refused(&ask_search(&mut history, &search), Reason::VectorTooLong);
            }
        }
        let compared = prepared_for(&mut history, &too_long()[1], Sought::Slot(1));
        all_refused(&ask_search(&mut history, &compared), Reason::VectorTooLong);
        let counted = Role::ALL.map(|role| {
            let status = history.simulator.node(role).unwrap().status();
            assert_eq!(status.searching, 0, "a refused search never ends");
            status.refusals.of(Reason::VectorTooLong)
        });
        assert!(counted.iter().sum::<u64>() > 0);
        // Whoever deals as they should is served: also nobody, and the palm itself.
        let opened = history.look(EVENTS[0], Side::Left, Sought::Anyone, 0).unwrap();
        assert_ne!(opened.value, [0; 16]);
        let zeros = vec![0; 3 * DIMENSION];
        assert!(history.search(EVENTS[0], Side::Left, Sought::Anyone, &zeros).is_some());
    }
}

#[test]
fn strict_nodes_enrol_no_vector_that_is_too_long() {
    let mut history = vault_of(5);
    let until = history.simulator.now + Duration::from_days(1);
    for long in too_long() {
        // The probes in front are honest, the reference that is stored is not.
        let shown = [probe(8, 3), long].concat();
        let now = history.challenges().unwrap();
        let search = (HOME, Side::Left, Sought::Duplicate);
        let at = now.1.number;
        let searches = history.searches(search, now, &shown);
        let query = searches[0].query;
        all_refused(&ask_search(&mut history, &searches), Reason::VectorTooLong);
        let enrolled = history.enrol_unchecked(&[(Side::Left, 8)], until, vec![query], at);
        assert!(refused_for(&enrolled, Reason::CheckOutdated), "{enrolled:?}");
    }
    assert_eq!(history.stored(u64::MAX).len(), 1);
    let enrolled = history.enrol(&[(Side::Left, 8)], until);
    assert!(matches!(enrolled, Outcome::Committed(_)), "{enrolled:?}");
    history.check_agreement();
}

/// Why strictness is there: nodes that are not strict store the vector, and it is taken for others.
#[test]
fn nodes_that_are_not_strict_can_be_deceived() {
    let mut history = vault();
    let scaled: Vec<i16> = super::testing::palm(0).iter().map(|number| 2 * number).collect();
    // Less than the threshold by itself, and more than it when it is dealt twice as long.
    let like: Vec<i16> = super::testing::palm(0).iter().map(|number| number * 2 / 5).collect();
    let stretched: Vec<i16> = like.iter().map(|number| number * 2).collect();
    assert!(super::testing::score(&super::testing::palm(0), &scaled) > i32::from(POLICY.identify));
    let found = |history: &mut History, shown: &[i16]| {
        history.search(EVENTS[0], Side::Left, Sought::Anyone, shown).unwrap().value != [0; 16]
    };
    assert!(!found(&mut history, &like));
    assert!(found(&mut history, &stretched));
}
