//! The HTTP service: API routes with their access rules, and the pages.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Response, header};
use axum::response::IntoResponse as _;
use axum::{Extension, Router};
use handfast_boxoffice::{DeviceKind, Role};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

use self::access::Access;
use self::problem::Problem;
use self::routes::{Routes, Rule};
use crate::hub::SharedHub;

pub(crate) mod access;
pub(crate) mod boxoffice;
mod demo;
mod identity;
pub(crate) mod json;
pub(crate) mod lockout;
#[cfg(test)]
mod matrix;
mod pages;
mod pedestal;
pub(crate) mod problem;
mod routes;
pub(crate) mod till;
pub(crate) mod trust;
mod vault;

/// The largest body of any route: a few ids, a code, a line of text.
const BODY_BYTES_MAX: usize = 64 * 1024;

const REGISTER: Access = Access::Device(&[DeviceKind::Register]);
const SCANNER: Access = Access::Device(&[DeviceKind::Scanner]);
const ANY_DEVICE: Access =
    Access::Device(&[DeviceKind::Pedestal, DeviceKind::Scanner, DeviceKind::Register]);
/// Who sees figures of an event.
const WATCHES: Access = Access::Staff(&[Role::Operator, Role::Supervisor]);
/// Who works at the box office's window.
const WINDOW: Access = Access::Staff(&[Role::Operator, Role::Supervisor, Role::Clerk]);
/// Who changes an event.
const OPERATES: Access = Access::Staff(&[Role::Operator]);

/// Requests that panicked since the start.
static PANICS: AtomicU64 = AtomicU64::new(0);

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "Handfast",
    description = "Link a palm, enter, pay, delete. Errors are problem details (RFC 9457)."
))]
struct Document;

/// Every route with its rule. A new route goes here; it cannot be written without a rule.
fn all_routes() -> Routes {
    let routes = Routes::new(Document::openapi());
    let routes = identity_routes(routes);
    let routes = boxoffice_routes(routes);
    let routes = sales_routes(routes);
    let routes = till_routes(routes);
    let routes = trust_routes(routes);
    demo_routes(routes)
}

fn identity_routes(routes: Routes) -> Routes {
    routes
        .add(Access::Anyone, routes!(identity::sign_in::request))
        .add(Access::Anyone, routes!(identity::session::open))
        .add(Access::SignedIn, routes!(identity::session::current))
        .add(Access::SignedIn, routes!(identity::session::close))
}

fn boxoffice_routes(routes: Routes) -> Routes {
    routes
        .add(Access::Fan, routes!(boxoffice::tickets::mine))
        .add(Access::Fan, routes!(boxoffice::tickets::rotating_code))
        .add(Access::Fan, routes!(boxoffice::links::mine))
        .add(Access::Fan, routes!(boxoffice::links::confirm))
        .add(Access::Fan, routes!(boxoffice::links::change_scope))
        .add(Access::Fan, routes!(boxoffice::links::move_to))
        .add(Access::Fan, routes!(boxoffice::links::delete))
        .add(Access::Fan, routes!(boxoffice::uses::mine))
        // The key in the path is the proof: it came by mail to the account's holder.
        .add(Access::Anyone, routes!(boxoffice::link_decisions::question))
        .add(Access::Anyone, routes!(boxoffice::link_decisions::decide))
        .add(ANY_DEVICE, routes!(boxoffice::device::this))
        .add(SCANNER, routes!(boxoffice::admissions::redeem))
        .add(SCANNER, routes!(boxoffice::admissions::annul))
        .add(SCANNER, routes!(boxoffice::lane::copy))
        .add(Access::DeviceEvenRevoked(&[DeviceKind::Scanner]), routes!(boxoffice::lane::queue))
        .add(ANY_DEVICE, routes!(boxoffice::devices::roll))
        // The code in the body is the proof: it was shown once at the console.
        .add(Access::Anyone, routes!(boxoffice::devices::provision))
        .add(Access::PedestalInFirstMessage, routes!(pedestal::link::link))
        .add(WATCHES, routes!(boxoffice::console::events))
        .add(WATCHES, routes!(boxoffice::console::live))
        .add(OPERATES, routes!(boxoffice::console::switch))
        .add(WATCHES, routes!(boxoffice::figures::occupancy))
        .add(WATCHES, routes!(boxoffice::figures::doubles))
        .add(OPERATES, routes!(boxoffice::figures::settlement))
        .add(OPERATES, routes!(boxoffice::figures::settlement_csv))
        .add(OPERATES, routes!(boxoffice::figures::settlement_pdf))
        .add(WATCHES, routes!(boxoffice::figures::fallback_pdf))
        .add(WINDOW, routes!(boxoffice::supervision::search))
        .add(WATCHES, routes!(boxoffice::supervision::history))
        .add(WATCHES, routes!(boxoffice::supervision::set_state))
        .add(WATCHES, routes!(boxoffice::supervision::force))
        .add(WATCHES, routes!(boxoffice::supervision::correct))
        .add(WATCHES, routes!(boxoffice::supervision::actions))
        .add(WATCHES, routes!(boxoffice::devices::of_venue))
        .add(OPERATES, routes!(boxoffice::devices::invite))
        .add(OPERATES, routes!(boxoffice::devices::invite_again))
        .add(OPERATES, routes!(boxoffice::devices::revoke))
}

fn sales_routes(routes: Routes) -> Routes {
    routes
        .add(Access::Anyone, routes!(boxoffice::orders::on_sale))
        // It tells nobody whether an address is known, and mails as sparingly as signing in.
        .add(Access::Anyone, routes!(boxoffice::orders::join))
        .add(Access::Fan, routes!(boxoffice::orders::place))
        .add(Access::Fan, routes!(boxoffice::orders::one))
        .add(Access::Fan, routes!(boxoffice::orders::pay))
        .add(Access::Fan, routes!(boxoffice::orders::print))
        .add(Access::Fan, routes!(boxoffice::transfers::offer))
        .add(Access::Fan, routes!(boxoffice::transfers::withdraw))
        // The key in the path is the proof: it came by mail to whom the ticket was offered.
        .add(Access::Anyone, routes!(boxoffice::transfers::one))
        .add(Access::Anyone, routes!(boxoffice::transfers::take))
        .add(WINDOW, routes!(boxoffice::window::events))
        .add(WINDOW, routes!(boxoffice::window::sell))
        .add(WINDOW, routes!(boxoffice::window::one))
        .add(WINDOW, routes!(boxoffice::window::print))
        .add(WINDOW, routes!(boxoffice::window::refund))
        .add(WINDOW, routes!(boxoffice::window::paid))
        .add(WINDOW, routes!(boxoffice::window::exchange))
        .add(OPERATES, routes!(boxoffice::setup::venues))
        .add(OPERATES, routes!(boxoffice::setup::add_venue))
        .add(OPERATES, routes!(boxoffice::setup::add_area))
        .add(OPERATES, routes!(boxoffice::setup::add_gate))
        .add(OPERATES, routes!(boxoffice::setup::add_lane))
        .add(OPERATES, routes!(boxoffice::setup::add_event))
        .add(OPERATES, routes!(boxoffice::setup::set_product))
        .add(OPERATES, routes!(boxoffice::setup::lists))
        .add(OPERATES, routes!(boxoffice::setup::add_list))
        .add(OPERATES, routes!(boxoffice::setup::set_list))
        .add(OPERATES, routes!(boxoffice::setup::explain))
}

fn till_routes(routes: Routes) -> Routes {
    routes
        .add(REGISTER, routes!(till::charges::create))
        .add(REGISTER, routes!(till::charges::latest))
        .add(REGISTER, routes!(till::charges::one))
        .add(REGISTER, routes!(till::charges::cancel))
        .add(REGISTER, routes!(till::charges::refund))
        .add(REGISTER, routes!(till::charges::capture))
        .add(REGISTER, routes!(till::charges::tip))
        .add(REGISTER, routes!(till::charges::see_age))
        .add(REGISTER, routes!(till::charges::evidence))
        .add(REGISTER, routes!(till::day::report))
        .add(REGISTER, routes!(till::day::csv))
        .add(REGISTER, routes!(till::day::pdf))
        .add(REGISTER, routes!(till::day::statement))
        .add(OPERATES, routes!(till::shops::all))
        .add(OPERATES, routes!(till::shops::add_webhook))
        .add(OPERATES, routes!(till::shops::remove_webhook))
        .add_large(OPERATES, till::shops::REPORT_BYTES_MAX, routes!(till::shops::reconcile))
        .add(OPERATES, routes!(till::deliveries::all))
        .add(OPERATES, routes!(till::deliveries::again))
        .add(OPERATES, routes!(till::deliveries::roll_secret))
        .add(OPERATES, routes!(till::offline::one))
        .add(OPERATES, routes!(till::offline::set))
        // The signature over the body is the proof.
        .add(Access::Anyone, routes!(till::gateway::receive))
        // The key in the path is unguessable and the receipt names no person.
        .add(Access::Anyone, routes!(till::receipts::one))
        // So is the key in a payment's mail; all it does is freeze a wallet.
        .add(Access::Anyone, routes!(till::alarms::one))
        .add(Access::Anyone, routes!(till::alarms::raise))
        .add(Access::Fan, routes!(till::wallet::one))
        .add(Access::Fan, routes!(till::wallet::begin_setup))
        .add(Access::Fan, routes!(till::wallet::complete_setup))
        .add(Access::Fan, routes!(till::wallet::remove_payment_method))
        .add(Access::Fan, routes!(till::wallet::set_palm_pay))
        .add(Access::Fan, routes!(till::wallet::payments))
        // A released text, the same for everybody.
        .add(Access::Anyone, routes!(till::wallet::consent))
        .add(Access::Fan, routes!(till::wallet::choose_default))
        .add(Access::Fan, routes!(till::wallet::set_pin))
        .add(Access::Fan, routes!(till::wallet::clear_pin))
        .add(Access::Fan, routes!(till::wallet::set_limits))
        .add(Access::Fan, routes!(till::wallet::set_loyalty))
        .add(Access::Fan, routes!(till::wallet::forget_loyalty))
        .add(Access::Fan, routes!(till::wallet::statement))
        .add(Access::Fan, routes!(till::phone::one))
        .add(Access::Fan, routes!(till::phone::pay))
        // As at a real gateway, the session's name in the path is the proof.
        .add(Access::Anyone, routes!(till::test_gateway::page))
        .add(Access::Anyone, routes!(till::test_gateway::choose))
}

fn trust_routes(routes: Routes) -> Routes {
    routes
        // The log is for everybody to copy: its leaves name nobody.
        .add(Access::Anyone, routes!(trust::log_files::checkpoint))
        .add(Access::Anyone, routes!(trust::log_files::cosigned))
        .add(Access::Anyone, routes!(trust::log_files::key))
        .add(Access::Anyone, routes!(trust::log_files::tile))
        // Who compares palms here is what everybody may know; it names nobody.
        .add(Access::Anyone, routes!(vault::form))
        .add(Access::Anyone, routes!(trust::report::report))
        .add(Access::Anyone, routes!(trust::audit::nodes))
        .add(Access::Fan, routes!(trust::audit::ask))
        // A released text, the same for everybody.
        .add(Access::Anyone, routes!(trust::guardians::text))
        .add(Access::Fan, routes!(trust::guardians::mine))
        .add(Access::Fan, routes!(trust::guardians::give))
        .add(Access::Fan, routes!(trust::guardians::withdraw))
        .add(WINDOW, routes!(trust::guardians::give_at_window))
        .add(OPERATES, routes!(trust::approvals::all))
        .add(OPERATES, routes!(trust::approvals::ask))
        .add(OPERATES, routes!(trust::approvals::decide))
        .add(OPERATES, routes!(trust::approvals::orders_csv))
        .add(Access::Fan, routes!(trust::receipts::mine))
        .add(Access::Fan, routes!(trust::receipts::one))
}

fn demo_routes(routes: Routes) -> Routes {
    routes
        .add(Access::DemoOnly, routes!(demo::evening::evening))
        .add(Access::DemoOnly, routes!(demo::evening::station_key))
        .add(Access::DemoOnly, routes!(demo::mailbox::newest))
        .add(Access::DemoOnly, routes!(demo::nodes::stop))
        .add(Access::DemoOnly, routes!(demo::nodes::start))
}

/// The OpenAPI 3.1 document of every route.
pub(crate) fn openapi() -> OpenApi {
    let mut document = all_routes().into_parts().1;
    // The router writes a rest of a path as `{*name}`, OpenAPI as any other parameter.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths =
        paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    document
}

/// Who may call what: docs/routes.md.
pub(crate) fn rules_as_markdown() -> String {
    let mut table = String::from(
        "# Who may call what\n\nPrinted by `handfast routes`.\n\n| route | who |\n|---|---|\n",
    );
    for rule in rules() {
        table.push_str(&format!("| {} {} | {} |\n", rule.method, rule.path, rule.access));
    }
    table
}

fn rules() -> Vec<Rule> {
    all_routes().into_parts().2
}

/// The whole service.
pub(crate) fn service(hub: SharedHub) -> Router {
    let (router, _, _) = all_routes().into_parts();
    let router = router
        .fallback(pages::serve)
        .method_not_allowed_fallback(pages::other_method)
        .with_state(hub.clone())
        .layer(Extension(hub))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let trace = TraceLayer::new_for_http().make_span_with(span_of).on_request(());
    let router = router.layer(CatchPanicLayer::custom(answer_panic)).layer(trace);
    secure_headers().into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    })
}

/// A fault that nobody foresaw ends one request, not the connection and not the service. What it says
/// goes nowhere: it may hold anything that the request held.
fn answer_panic(_payload: Box<dyn std::any::Any + Send>) -> Response<Body> {
    let panics = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::error!(panics, "a request panicked: this is a defect of the program");
    Problem::internal(
        "It may have been done or not: look again before you repeat it. If it stays, look at the server's log.",
    )
    .into_response()
}

/// What the log says of a request, at any level: the route's pattern, never the path itself, which
/// may carry a receipt's or a mail's key.
fn span_of(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    tracing::debug_span!("request", method = %request.method(), route)
}

/// What browsers are told about every answer.
fn secure_headers() -> [(HeaderName, &'static str); 6] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
             connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), microphone=(), geolocation=(), payment=()",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_operation_has_exactly_one_rule() {
        let (_, document, rules) = all_routes().into_parts();
        let documented: usize = document
            .paths
            .paths
            .values()
            .map(|item| {
                [&item.get, &item.post, &item.put, &item.patch, &item.delete]
                    .into_iter()
                    .filter(|operation| operation.is_some())
                    .count()
            })
            .sum();
        assert_eq!(documented, rules.len());
    }

    #[test]
    fn the_committed_documents_are_those_of_these_routes() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
        let committed = |name: &str| std::fs::read_to_string(format!("{docs}{name}")).unwrap();
        let again = "the routes changed: run `make docs` and commit docs/";
        assert_eq!(
            committed("openapi.json").trim(),
            openapi().to_pretty_json().unwrap(),
            "{again}"
        );
        assert_eq!(committed("routes.md"), rules_as_markdown(), "{again}");
    }

    #[tokio::test]
    async fn a_panic_answers_as_a_problem_is_counted_and_tells_nothing() {
        use tower::ServiceExt as _;

        async fn broken() -> &'static str {
            panic!("ana@example.org was here")
        }
        let before = PANICS.load(Ordering::Relaxed);
        let service = Router::new().fallback(broken).layer(CatchPanicLayer::custom(answer_panic));
        let request = Request::builder().uri("/broken").body(Body::empty()).unwrap();
        let answer = service.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), axum::http::StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("problems/internal") && !body.contains("ana"), "{body}");
        assert_eq!(PANICS.load(Ordering::Relaxed), before + 1);
    }

    #[test]
    fn nothing_of_a_person_is_open_to_anyone() {
        for rule in rules() {
            let personal = rule.path.contains("/me/") || rule.path.contains("/console/");
            let guarded = matches!(rule.access, Access::Fan | Access::Staff(_));
            assert!(!personal || guarded, "{} {} is open", rule.method, rule.path);
        }
    }
}
