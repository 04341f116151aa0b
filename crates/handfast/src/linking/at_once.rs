//! What happens at the same time, or was cut short: one leaf each, and nothing lost.

use std::sync::Arc;

use axum::extract::State;
use handfast_boxoffice::{
    ApprovalState, Biometrics, BoxOfficeError, Language, NewOrder, NewTicket, OrderState, Role,
    WideAct,
};
use handfast_model::{Duration, StaffUserId};
use handfast_tlog::{DeletionCause, Kind, Leaf, Rule, Statement};
use serde_json::json;

use super::ten_years::World;
use crate::http::access::StaffCaller;
use crate::http::problem::{Body, PathOf};
use crate::http::trust::approvals;
use crate::hub::Hub;

async fn leaves(world: &World) -> Vec<Leaf> {
    leaves_of(&world.hub).await
}

async fn leaves_of(hub: &Hub) -> Vec<Leaf> {
    hub.trust.publish().await.unwrap();
    let read =
        hub.trust.read_from(0, Vec::new(), |all: &mut Vec<Leaf>, leaf| all.push(leaf.clone()));
    read.await.unwrap().1
}

async fn count(world: &World, kind: Kind) -> usize {
    leaves(world).await.iter().filter(|leaf| leaf.statement().kind() == kind).count()
}

#[tokio::test]
async fn two_deletions_at_once_have_one_receipt_and_one_leaf() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    world.link().await;
    let due = world.hub.boxoffice.end_link(world.account, world.palms[0].link).await.unwrap();
    let (person, round, staff) = tokio::join!(
        world.hub.carry_deletion(&due, DeletionCause::Person),
        world.hub.carry_due_deletions(),
        world.hub.carry_deletion(&due, DeletionCause::Staff),
    );
    round.unwrap();
    let receipts = [person.unwrap(), staff.unwrap()].into_iter().flatten().count();
    assert!(receipts <= 1, "nobody gets a second receipt");
    assert_eq!(count(&world, Kind::Delete).await, 1);
    assert!(world.hub.boxoffice.due_deletions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_link_that_a_crash_left_without_its_leaf_gets_one_and_no_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    world.link().await;
    world.link_without_leaf().await;
    assert_eq!(count(&world, Kind::Enrol).await, 1, "the control: a leaf is missing");
    world.hub.log_unlogged_links().await.unwrap();
    assert_eq!(count(&world, Kind::Enrol).await, 2);
    let receipts = world.hub.trust.receipts(world.palms[1].link).await.unwrap();
    assert!(receipts[0].record.contains("dpv:ConsentRecord"), "with the consent in it");
    // Whatever expects another one: what has its leaf gets no second.
    world.hub.unlogged.expect_one();
    world.hub.log_unlogged_links().await.unwrap();
    assert_eq!(count(&world, Kind::Enrol).await, 2);
}

async fn staff(world: &World, name: &str, role: Role) -> StaffUserId {
    let email = format!("{name}@example.com").parse().unwrap();
    let (company, language) = (world.company.id, Language::English);
    world.hub.boxoffice.create_staff_user(company, &email, name, role, language).await.unwrap().id
}

#[tokio::test]
async fn many_palms_go_by_two_of_the_staff_and_never_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    for _ in 0..3 {
        world.link().await;
    }
    let office = &world.hub.boxoffice;
    let (one, two) =
        (staff(&world, "one", Role::Operator).await, staff(&world, "two", Role::Operator).await);
    let steward = staff(&world, "steward", Role::Steward).await;
    let event = office.events(world.company.id).await.unwrap()[0].id;
    let act = WideAct::EndPalmsOfEvent { event_id: event };
    assert_eq!(world.hub.people_of(world.company.id, &act).await.unwrap(), 1);
    assert!(office.ask_approval(steward, &act, "why").await.is_err(), "no operator");
    let asked = office.ask_approval(one, &act, "the artist wants it").await.unwrap();
    for wrong in [one, steward] {
        let decided = office.decide_approval(wrong, asked.number, true).await;
        assert!(matches!(decided, Err(BoxOfficeError::Approval(_) | BoxOfficeError::Unknown(_))));
    }
    world.hub.carry_approved_acts().await.unwrap();
    assert_eq!(count(&world, Kind::Delete).await, 0, "nothing happens on one word");
    office.decide_approval(two, asked.number, true).await.unwrap();
    world.hub.carry_approved_acts().await.unwrap();
    world.hub.carry_approved_acts().await.unwrap();
    let causes: Vec<_> = leaves(&world)
        .await
        .iter()
        .filter_map(|leaf| match leaf.statement() {
            Statement::Delete { cause, .. } => Some(*cause),
            _ => None,
        })
        .collect();
    assert_eq!(causes, [DeletionCause::Staff]);
    let asked = office.approval(world.company.id, asked.number).await.unwrap();
    assert_eq!(asked.state, ApprovalState::Done);
    assert!(office.decide_approval(two, asked.number, false).await.is_err(), "it was decided");
}

#[tokio::test]
async fn a_request_that_nobody_approved_in_time_is_worth_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path(), None).await;
    let office = &world.hub.boxoffice;
    let (one, two) =
        (staff(&world, "one", Role::Operator).await, staff(&world, "two", Role::Operator).await);
    let (company, act) = (world.company.id, WideAct::Disclose { people: 3 });
    let late = office.ask_approval(one, &act, "a court").await.unwrap();
    world.clock.advance(Duration::from_hours(25));
    assert!(office.decide_approval(two, late.number, true).await.is_err());
    let asked = office.ask_approval(one, &act, "a court").await.unwrap();
    assert!(office.use_approval(company, asked.number, &act).await.is_err(), "not approved yet");
    office.decide_approval(two, asked.number, true).await.unwrap();
    let other = WideAct::Disclose { people: 4 };
    assert!(
        office.use_approval(company, asked.number, &other).await.is_err(),
        "for something else"
    );
    office.use_approval(company, asked.number, &act).await.unwrap();
    assert!(office.use_approval(company, asked.number, &act).await.is_err(), "it serves once");
}

#[tokio::test]
async fn a_minimum_age_is_followed_once_two_of_the_staff_set_it_and_leaves_old_and_new() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path(), None).await;
    let office = &world.hub.boxoffice;
    let (one, two) =
        (staff(&world, "one", Role::Operator).await, staff(&world, "two", Role::Operator).await);
    let venue = office.venues(world.company.id).await.unwrap()[0].id;
    for years in [16, 21] {
        let act = WideAct::SetMinimumAge { venue_id: venue, years };
        let asked = office.ask_approval(one, &act, "house rule").await.unwrap();
        office.decide_approval(two, asked.number, true).await.unwrap();
        world.hub.carry_approved_acts().await.unwrap();
        assert_eq!(office.minimum_age(venue).await.unwrap(), Some(years));
    }
    let label = world.hub.trust.label(&venue);
    let changes: Vec<_> = leaves(&world)
        .await
        .iter()
        .filter_map(|leaf| match leaf.statement() {
            Statement::PolicyChange { rule: Rule::MinimumAge, place, old, new }
                if *place == label =>
            {
                Some((*old, *new))
            }
            _ => None,
        })
        .collect();
    assert_eq!(changes, [(0, 16), (16, 21)]);
}

/// The states of a company's events, and every switch that the log tells of.
async fn switches(world: &World) -> (Vec<Biometrics>, Vec<handfast_tlog::Biometrics>) {
    let events = world.hub.boxoffice.events(world.company.id).await.unwrap();
    let told = leaves(world).await.into_iter().filter_map(|leaf| match leaf.statement() {
        Statement::BiometricsSwitched { to, .. } => Some(*to),
        _ => None,
    });
    (events.into_iter().map(|event| event.biometrics).collect(), told.collect())
}

#[tokio::test]
async fn palms_are_switched_off_everywhere_and_on_again_and_never_without_a_leaf() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    for _ in 0..2 {
        world.link().await;
    }
    let company = world.company.id;
    let (one, two) =
        (staff(&world, "one", Role::Operator).await, staff(&world, "two", Role::Operator).await);
    let switch = async |biometrics| {
        let (office, act) = (&world.hub.boxoffice, WideAct::SwitchAllEvents { biometrics });
        let asked = office.ask_approval(one, &act, "the artists").await.unwrap();
        office.decide_approval(two, asked.number, true).await.unwrap();
        world.hub.carry_approved_act(company, asked.number).await
    };
    use handfast_tlog::Biometrics as Told;
    switch(Biometrics::Forbidden).await.unwrap();
    let (off, told) = switches(&world).await;
    assert_eq!((off, told), (vec![Biometrics::Forbidden; 2], vec![Told::Forbidden; 2]));
    switch(Biometrics::Allowed).await.unwrap();
    let (on, told) = switches(&world).await;
    assert_eq!((on, &told[2..]), (vec![Biometrics::Allowed; 2], &[Told::Allowed; 2][..]));
    // Without its leaf nothing is switched: a repetition would pass over what is switched already.
    let journal = dir.path().join("log/journal");
    std::fs::remove_dir_all(&journal).unwrap();
    std::fs::write(&journal, b"in the way").unwrap();
    assert!(switch(Biometrics::Forbidden).await.is_err());
    let events = world.hub.boxoffice.events(company).await.unwrap();
    assert!(events.iter().all(|event| event.biometrics == Biometrics::Allowed));
    let waiting = world.hub.boxoffice.approved_acts().await.unwrap();
    assert_eq!(waiting.len(), 1, "it is tried again");
}

#[tokio::test]
async fn what_is_refused_leaves_no_leaf_and_an_export_is_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path(), None).await;
    world.link().await;
    let company = world.company.id;
    let (one, two) =
        (staff(&world, "one", Role::Operator).await, staff(&world, "two", Role::Operator).await);
    let event = world.hub.boxoffice.events(company).await.unwrap()[0].id;
    let given_back = NewOrder {
        company_id: company,
        account_id: world.account,
        state: OrderState::Cancelled,
        tickets: &[NewTicket { event_id: event, product: "Floor", account_id: None }],
    };
    world.hub.boxoffice.place_order(&given_back).await.unwrap();
    let hub = Arc::new(world.hub);
    let caller = |user| StaffCaller { user, company, role: Role::Operator };
    let told = async |kind: Kind| {
        leaves_of(&hub).await.iter().filter(|leaf| leaf.statement().kind() == kind).count()
    };
    let ask = async |reason: &str| {
        let wanted =
            json!({ "act": { "act": "export_orders", "event_id": event }, "reason": reason });
        let wanted = Body(serde_json::from_value(wanted).unwrap());
        approvals::ask(State(hub.clone()), caller(one), wanted).await
    };
    assert!(ask("").await.is_err());
    assert_eq!(told(Kind::FourEyes).await, 0, "nothing was asked for");
    drop(ask("the promoter's accounts").await.unwrap());
    assert_eq!(told(Kind::FourEyes).await, 1);
    let export = async || approvals::orders_csv(State(hub.clone()), caller(one), PathOf(1)).await;
    assert!(export().await.is_err(), "nobody approved it yet");
    assert_eq!(told(Kind::StaffAccess).await, 0, "nobody read anything");
    hub.boxoffice.decide_approval(two, 1, true).await.unwrap();
    let (first, second) = tokio::join!(export(), export());
    assert_ne!(first.is_ok(), second.is_ok(), "one of two is given it");
    assert_eq!(told(Kind::StaffAccess).await, 1);
    let taken = first.or(second).unwrap();
    let csv = axum::body::to_bytes(taken.into_body(), 100_000).await.unwrap();
    let csv = String::from_utf8(csv.to_vec()).unwrap();
    assert!(csv.lines().count() == 3 && csv.contains("ana@example.org"), "{csv}");
    let leaves = leaves_of(&hub).await;
    let counted = leaves.iter().filter_map(|leaf| match leaf.statement() {
        Statement::FourEyes { people, .. } | Statement::StaffAccess { people, .. } => Some(*people),
        _ => None,
    });
    assert_eq!(counted.collect::<Vec<_>>(), [2, 2], "what is handed out, in any state");
}

#[tokio::test]
async fn whoever_approves_waits_for_nobody_elses_acts() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path(), None).await;
    let company = world.company.id;
    let (one, two) =
        (staff(&world, "one", Role::Operator).await, staff(&world, "two", Role::Operator).await);
    let act = WideAct::SwitchAllEvents { biometrics: Biometrics::Forbidden };
    let number = world.hub.boxoffice.ask_approval(one, &act, "why").await.unwrap().number;
    let hub = Arc::new(world.hub);
    // Another company's thousands of palms are being deleted.
    let others = hub.acting.lock().await;
    let staff = StaffCaller { user: two, company, role: Role::Operator };
    let yes = Body(serde_json::from_value(json!({ "approve": true })).unwrap());
    let answered = approvals::decide(State(hub.clone()), staff, PathOf(number), yes).await.unwrap();
    assert_eq!(serde_json::to_value(&answered.0).unwrap()["state"], "approved");
    drop(others);
    hub.carry_approved_acts().await.unwrap();
    let asked = hub.boxoffice.approval(company, number).await.unwrap();
    assert_eq!(asked.state, ApprovalState::Done);
}
