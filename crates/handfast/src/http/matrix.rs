//! Every route asked as every kind of caller, and for every object as strangers.
//!
//! Who may call what is placed by hand in `matrix/placed.txt`, apart from the rules that the routes are
//! registered with: a new route fails these tests until somebody places it.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use self::world::{Caller, World};
use super::rules;

mod world;

const PLACED: &str = include_str!("matrix/placed.txt");

/// Routes that take away what their caller calls with: asked last, in this order.
const LAST: [&str; 2] = ["POST /api/v1/device/roll", "DELETE /api/v1/session"];

/// Objects that nobody owns, or whose key in the path is the right to them.
const NO_OWNER: [&str; 4] = [
    // Whoever reads the code on the pedestal's screen pays.
    "GET /api/v1/me/charges/{key}",
    "POST /api/v1/me/charges/{key}/pay",
    // The name of a programme, of which everybody has at most one number.
    "DELETE /api/v1/me/wallet/loyalty/{program}",
    "GET /log/tile/{*path}",
];

/// Routes whose object this test cannot make: strangers are refused, and the owner is not asked.
const NO_CONTROL: [&str; 8] = [
    // Whoever asked for an export takes it, after somebody else approved it.
    "POST /api/v1/console/approvals/{number}/orders.csv",
    // Orders that were sold, in the shop or at the window; this test's was placed by itself.
    "POST /api/v1/me/orders/{order_id}/pay",
    "POST /api/v1/window/orders/{order_id}/refund",
    "POST /api/v1/window/tickets/{ticket_id}/exchange",
    // A charge that waits for somebody to look at an age.
    "POST /api/v1/charges/{charge_id}/age",
    // A message that a shop's endpoint did not take.
    "POST /api/v1/console/shops/{shop_id}/deliveries/{message_id}/retry",
    // A leaf of the link; crates/trust tests it.
    "GET /api/v1/me/receipts/{link_id}/{position}",
    // The code of another ticket.
    "POST /api/v1/me/links/{link_id}/move",
];

/// What an owner's request may come to: it reached the object, and the object's state may refuse it.
const REACHED: [StatusCode; 5] = [
    StatusCode::OK,
    StatusCode::ACCEPTED,
    StatusCode::NO_CONTENT,
    StatusCode::CONFLICT,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// The placed routes, `METHOD PATH`, with who may call them.
fn placed() -> BTreeMap<&'static str, &'static str> {
    let mut who = "";
    let mut placed = BTreeMap::new();
    for line in PLACED.lines() {
        match line.strip_prefix("# ") {
            Some(word) if !word.contains(' ') => who = word,
            Some(_) => {}
            None => assert!(placed.insert(line, who).is_none(), "{line} is placed twice"),
        }
    }
    placed
}

async fn ask(
    service: &Router,
    caller: &Caller,
    (method, path): (&str, &str),
    body: Option<&str>,
) -> StatusCode {
    let request = Request::builder().method(method).uri(path).header("x-handfast", "1");
    let request =
        caller.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let request = match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    };
    service.clone().oneshot(request).await.unwrap().status()
}

/// The path with something in each place that names nothing.
fn unknown(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "unknown" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[test]
fn every_route_is_placed_and_every_place_has_its_route() {
    let placed: BTreeSet<String> = placed().keys().map(|&route| route.to_owned()).collect();
    let routes: BTreeSet<String> =
        rules().iter().map(|rule| format!("{} {}", rule.method, rule.path)).collect();
    let new: Vec<_> = routes.difference(&placed).collect();
    assert!(new.is_empty(), "place these in matrix/placed.txt: {new:#?}");
    let gone: Vec<_> = placed.difference(&routes).collect();
    assert!(gone.is_empty(), "these are no routes any more: {gone:#?}");
}

#[tokio::test]
async fn every_kind_of_caller_passes_where_it_is_placed_and_nowhere_else() {
    let world = World::new().await;
    let mut routes: Vec<(&str, &str)> = placed().into_iter().collect();
    routes.sort_by_key(|(route, _)| LAST.iter().position(|last| last == route));
    let mut wrong = Vec::new();
    for (route, who) in routes {
        let (method, path) = route.split_once(' ').unwrap();
        let body = (method != "GET" && method != "DELETE").then_some("{}");
        for caller in &world.callers {
            let status = ask(&world.service, caller, (method, &unknown(path)), body).await;
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let right = match who {
                "everybody" => !status.is_server_error(),
                "demo" => status == StatusCode::NOT_FOUND,
                who => refused != caller.may.contains(&who) && !status.is_server_error(),
            };
            if !right {
                wrong.push(format!("{route} as {}: {status}", caller.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn without_the_header_of_our_own_pages_no_cookie_changes_anything() {
    let world = World::new().await;
    for (route, who) in placed() {
        let (method, path) = route.split_once(' ').unwrap();
        if method == "GET" || ["everybody", "demo"].contains(&who) {
            continue;
        }
        for caller in world.callers.iter().filter(|caller| caller.by_cookie()) {
            let request = Request::builder().method(method).uri(unknown(path));
            let (name, value) = &caller.headers[0];
            let request = request.header(*name, value).body(Body::empty()).unwrap();
            let status = world.service.clone().oneshot(request).await.unwrap().status();
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            assert!(refused, "{route} as {}: {status}", caller.name);
        }
    }
}

#[tokio::test]
async fn nobody_reaches_the_objects_of_strangers() {
    let world = World::new().await;
    let mut routes: Vec<(&str, &str)> = placed()
        .into_iter()
        .filter(|(route, who)| {
            route.contains('{') && !["everybody", "demo"].contains(who) && !NO_OWNER.contains(route)
        })
        .collect();
    // What takes an object away comes after what needs it.
    routes.sort_by_key(|(route, _)| world.takes_away(route));
    let mut wrong = Vec::new();
    for (route, who) in routes {
        let (method, path) = route.split_once(' ').unwrap();
        let (path, body) = (world.path(path), world.body(route));
        assert!(
            body.is_some() || !["POST", "PUT", "PATCH"].contains(&method),
            "{route} needs a body in matrix/world.rs that its owner may send"
        );
        let body = body.as_deref().filter(|body| !body.is_empty());
        for stranger in world.strangers(who) {
            let status = ask(&world.service, stranger, (method, &path), body).await;
            if !matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
                wrong.push(format!("{route} as {}: {status}", stranger.name));
            }
        }
        if !NO_CONTROL.contains(&route) {
            let owner = world.owner(who);
            let status = ask(&world.service, owner, (method, &path), body).await;
            if !REACHED.contains(&status) {
                wrong.push(format!("{route} as its owner, {}: {status}", owner.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn nobody_names_the_objects_of_strangers_in_a_body_or_beside_their_own() {
    let world = World::new().await;
    for (caller, route, body) in world.crossed() {
        let (method, path) = route.split_once(' ').unwrap();
        let status = ask(&world.service, caller, (method, path), Some(&body)).await;
        let refused = status.is_client_error() && status != StatusCode::UNPROCESSABLE_ENTITY;
        assert!(refused, "{route} with {body} as {}: {status}", caller.name);
    }
    // A passage is taken back where it was let in, not at the next lane and not elsewhere.
    let annulment = format!(r#"{{"nonce":"{}","reason":"the gate stuck"}}"#, world.passage_nonce);
    let route = ("POST", "/api/v1/admissions/annul");
    for stranger in [&world.next_lane, world.strangers("scanners")[0]] {
        let status = ask(&world.service, stranger, route, Some(&annulment)).await;
        assert!(status.is_client_error(), "as {}: {status}", stranger.name);
    }
    let status = ask(&world.service, world.owner("scanners"), route, Some(&annulment)).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_guesses_keys_waits_and_whoever_has_one_does_not() {
    use axum::extract::ConnectInfo;
    use axum::http::header::RETRY_AFTER;

    let world = World::new().await;
    let from = |number: u8| std::net::SocketAddr::from(([203, 0, 113, number], 1));
    let ask = |route: (&'static str, &'static str), address, key: Option<String>| {
        let request = Request::builder().method(route.0).uri(route.1);
        let request = key
            .into_iter()
            .fold(request, |request, key| request.header("authorization", format!("Bearer {key}")));
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(address));
        world.service.clone().oneshot(request)
    };
    let guess = ("GET", "/api/v1/receipts/guessed");
    let device = ("GET", "/api/v1/device");
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(ask(guess, from(1), None).await.unwrap().status());
    }
    assert_eq!(answers[0], StatusCode::NOT_FOUND);
    let refused = ask(guess, from(1), None).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(RETRY_AFTER));
    // Devices behind the same address go on; one with a wrong key is told to wait.
    let key = world.owner("scanners").headers[0].1.replace("Bearer ", "");
    assert_eq!(ask(device, from(1), Some(key)).await.unwrap().status(), StatusCode::OK);
    let wrong = ask(device, from(1), Some("guessed".to_owned())).await.unwrap();
    assert_eq!(wrong.status(), StatusCode::TOO_MANY_REQUESTS);
    // Other addresses know nothing of it.
    assert_eq!(ask(guess, from(2), None).await.unwrap().status(), StatusCode::NOT_FOUND);
}
