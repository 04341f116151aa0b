//! The log's files as C2SP tlog-tiles has them: anybody copies and verifies them.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use handfast_tlog::{CHECKPOINT, COSIGNED_CHECKPOINT};

use crate::http::problem::{PathOf, Problem};
use crate::hub::{Hub, SharedHub};

/// Tiles never change: whoever has one may keep it.
const KEEP: &str = "public, max-age=31536000, immutable";
/// A new checkpoint comes every second.
const ASK_AGAIN: &str = "no-cache";
/// The longest path of a tile: `tile/entries/`, nine digits in groups, and a width.
const PATH_BYTES_MAX: usize = 64;

/// The newest checkpoint of the transparency log (a signed note).
#[utoipa::path(get, path = "/log/checkpoint", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = Problem)))]
pub(crate) async fn checkpoint(State(hub): State<SharedHub>) -> Result<Response, Problem> {
    file(&hub, CHECKPOINT.to_owned(), "text/plain; charset=utf-8", ASK_AGAIN).await
}

/// The newest checkpoint that enough witnesses have cosigned.
#[utoipa::path(get, path = "/log/checkpoint.cosigned", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = Problem)))]
pub(crate) async fn cosigned(State(hub): State<SharedHub>) -> Result<Response, Problem> {
    file(&hub, COSIGNED_CHECKPOINT.to_owned(), "text/plain; charset=utf-8", ASK_AGAIN).await
}

/// The log's public key, as verifiers take it. Compare it with one that came another way.
#[utoipa::path(get, path = "/log/key", tag = "log",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn key(State(hub): State<SharedHub>) -> String {
    format!("{}\n", hub.trust.verifier_key())
}

/// A tile of hashes, or a bundle of leaves.
#[utoipa::path(get, path = "/log/tile/{*path}", tag = "log", params(("path" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = Problem)))]
pub(crate) async fn tile(
    State(hub): State<SharedHub>,
    PathOf(path): PathOf<String>,
) -> Result<Response, Problem> {
    if !is_tile_path(&path) {
        return Err(no_such_file());
    }
    file(&hub, format!("tile/{path}"), "application/octet-stream", KEEP).await
}

/// Nothing but digits, `x`, `p` and `entries` in parts: no path leads out of the folder.
fn is_tile_path(path: &str) -> bool {
    let is_part = |part: &str| {
        let of_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let part = part.strip_suffix(".p").unwrap_or(part);
        part == "entries" || of_digits(part.strip_prefix('x').unwrap_or(part))
    };
    path.len() <= PATH_BYTES_MAX && path.split('/').all(is_part)
}

async fn file(
    hub: &Hub,
    path: String,
    media_type: &'static str,
    keep: &'static str,
) -> Result<Response, Problem> {
    let log = hub.trust.log().clone();
    let read = tokio::task::spawn_blocking(move || log.files().read(&path)).await;
    let bytes = read
        .map_err(|_| Problem::unavailable("The service is stopping."))?
        .map_err(|error| Problem::from_failure(&error))?
        .ok_or_else(no_such_file)?;
    Ok(([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, keep)], bytes).into_response())
}

fn no_such_file() -> Problem {
    Problem::not_found("The log has no such file; begin with /log/checkpoint.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_paths_and_nothing_else_has() {
        for path in ["0/000", "entries/000", "0/x001/234.p/12", "entries/x001/x234/067.p/5"] {
            assert!(is_tile_path(path), "{path}");
        }
        for path in ["", "..", "../checkpoint", "0//1", "0/000/", "entries/../../keys", "0/x", "e"]
        {
            assert!(!is_tile_path(path), "{path}");
        }
        assert!(!is_tile_path(&"0/".repeat(40)));
    }
}
