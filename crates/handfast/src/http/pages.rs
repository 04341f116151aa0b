//! The built pages, embedded in the binary.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// First path segments that a page of that name answers; the page routes the rest by itself.
const PAGES: [&str; 12] = [
    "pedestal",
    "scan",
    "register",
    "portal",
    "console",
    "receipt",
    "test-gateway",
    "mailbox",
    "order",
    "window",
    "privacy",
    "transparency",
];

/// What a browser shows where no page is.
const NO_SUCH_PAGE: &str = "not-found.html";

/// Vite writes a hash of the content into names under this folder, so they may be kept for good.
const HASHED_FOLDER: &str = "assets/";

/// Answers every path that no API route took.
pub(crate) async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::not_found("There is no such route; see docs/openapi.json.")
            .into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if path.starts_with("api/") {
        return Problem::not_found("There is no such route; see docs/openapi.json.")
            .into_response();
    }
    match Dist::get(path).map(|file| (path.to_owned(), file)).or_else(|| page_for(path)) {
        Some((name, file)) => answer(&name, file),
        None if Dist::iter().next().is_none() => not_built(),
        None => no_such_page(request.headers()),
    }
}

/// A person gets a page that says so, a program a problem.
fn no_such_page(headers: &HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let page = Dist::get(NO_SUCH_PAGE).filter(|_| accepts.unwrap_or("").contains("text/html"));
    match page {
        Some(page) => (StatusCode::NOT_FOUND, answer(NO_SUCH_PAGE, page)).into_response(),
        None => Problem::not_found("There is no such page. Begin at the start page, `/`.")
            .into_response(),
    }
}

/// Answers a route that is asked by a method which it does not have.
pub(super) async fn other_method() -> Problem {
    Problem::method_not_allowed("This route has other methods; see docs/openapi.json.")
}

fn page_for(path: &str) -> Option<(String, EmbeddedFile)> {
    let first = path.split('/').next().unwrap_or_default();
    let name = match first {
        "" => "index.html".to_owned(),
        page if PAGES.contains(&page) => format!("{page}.html"),
        _ => return None,
    };
    Dist::get(&name).map(|file| (name, file))
}

fn answer(name: &str, file: EmbeddedFile) -> Response {
    let keep = if name.starts_with(HASHED_FOLDER) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    (
        [
            (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
            (header::CACHE_CONTROL, keep.to_owned()),
        ],
        Body::from(file.data),
    )
        .into_response()
}

/// A binary built without its pages still serves the API; it says what is missing.
fn not_built() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "This binary was built without its pages. Run `make demo`, or `make pages` and build again.\n",
    )
        .into_response()
}
