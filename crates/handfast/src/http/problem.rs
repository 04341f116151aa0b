//! Errors as RFC 9457 problem details: a stable type, a title, and a sentence that says what to do.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use handfast_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

/// Where the problem types are described; the last part of the address is the stable slug.
const TYPE_BASE: &str = "https://handfast.example/problems/";

/// When a part that did not answer, or that was too busy, may be asked again: a rush is over by then.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// What every refused request is answered with (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The stable type: an address whose last part is the slug that pages translate by.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of a type.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and what to do next.
    detail: String,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        impl Problem {$(
            $(#[$doc])*
            pub(crate) fn $name(detail: impl Into<String>) -> Self {
                Self::new(StatusCode::$status, $slug, $title, detail.into())
            }
        )*}
    };
}

problems! {
    /// The request does not fit the documented shape.
    malformed = BAD_REQUEST, "malformed", "The request does not fit";
    /// Nobody is signed in, or the key is not known.
    unauthenticated = UNAUTHORIZED, "unauthenticated", "Sign in first";
    /// Signed in, but not for this.
    forbidden = FORBIDDEN, "forbidden", "Not allowed with this role";
    /// There is no such thing, or it belongs to somebody else.
    not_found = NOT_FOUND, "not-found", "Not found";
    /// The route is there, for other methods.
    method_not_allowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Another method is needed";
    /// What is asked does not fit the present state.
    conflict = CONFLICT, "conflict", "Does not fit the present state";
    /// A link or key that had an end is past it.
    expired = GONE, "expired", "This link has ended";
    /// The body is larger than the route takes.
    too_large = PAYLOAD_TOO_LARGE, "too-large", "Too large";
    /// The body is of another media type.
    media_type = UNSUPPORTED_MEDIA_TYPE, "media-type", "Another media type is needed";
    /// Wait, and ask less often.
    too_many = TOO_MANY_REQUESTS, "too-many", "Too many requests";
    /// Something on our side failed.
    internal = INTERNAL_SERVER_ERROR, "internal", "Something failed on our side";
    /// A part that is needed does not answer.
    unavailable = SERVICE_UNAVAILABLE, "unavailable", "A part is not available";
}

impl Problem {
    fn new(status: StatusCode, slug: &str, title: &'static str, detail: String) -> Self {
        Self { kind: format!("{TYPE_BASE}{slug}"), title, status: status.as_u16(), detail }
    }

    /// A failure on our side: the cause goes to the log, the caller gets no inner detail. What a request
    /// had done before it failed is done, so no sentence here says that nothing was; where others kept
    /// getting in the way the same request may come again.
    pub(crate) fn from_failure(failure: &(dyn std::error::Error + 'static)) -> Self {
        let chain = || std::iter::successors(Some(failure), |error| error.source());
        let contended = |error: &(dyn std::error::Error + 'static)| {
            matches!(error.downcast_ref(), Some(StoreError::Conflict { .. }))
        };
        if chain().any(contended) {
            return Self::unavailable(
                "Too many requests changed the same thing at once, and this one was given up. Look again; \
                 what is missing, send again.",
            );
        }
        let causes = causes_of(failure);
        tracing::error!(causes, "a request failed on our side");
        Self::internal(
            "It may have been done or not: look again before you repeat it. If it stays, look at the server's log.",
        )
    }

    /// The last part of the type, by which pages choose their words.
    pub(crate) fn slug(&self) -> &str {
        self.kind.strip_prefix(TYPE_BASE).unwrap_or(&self.kind)
    }

    /// The sentence that says what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

/// An error with everything that caused it, for the service's log.
pub(crate) fn causes_of(failure: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(failure), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error's message as a sentence: capital letter, full stop.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    sentence_of(&error.to_string())
}

/// The same of words.
pub(crate) fn sentence_of(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        response
    }
}

/// A JSON body of at most the router's limit; anything else is a [`Problem`].
#[derive(axum::extract::FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// Path parameters; anything malformed is a [`Problem`].
#[derive(axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct PathOf<T>(pub(crate) T);

/// Query parameters; anything malformed is a [`Problem`].
#[derive(axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct QueryOf<T>(pub(crate) T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::BytesRejection(BytesRejection::FailedToBufferBody(_)) => {
                Self::too_large("Send a smaller body.")
            }
            JsonRejection::MissingJsonContentType(_) => {
                Self::media_type("Send JSON with the header `Content-Type: application/json`.")
            }
            other => Self::malformed(format!("{}. See docs/openapi.json.", other.body_text())),
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::malformed(format!("{}. Copy the id as it was given.", rejection.body_text()))
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::malformed(format!("{}. See docs/openapi.json.", rejection.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_its_type_and_what_to_do() {
        let response = Problem::conflict("The ticket was used; look at its uses.").into_response();
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn the_slug_is_the_last_part_of_the_type() {
        assert_eq!(Problem::not_found("").slug(), "not-found");
    }

    #[test]
    fn nobody_is_told_that_nothing_was_done() {
        let conflict = StoreError::Conflict { transaction: "link.create", attempts: 9 };
        let given_up = Problem::from_failure(&conflict);
        assert_eq!(given_up.slug(), "unavailable");
        let failed = Problem::from_failure(&std::io::Error::other("a disk"));
        for problem in [given_up, failed] {
            assert!(!problem.detail().contains("nothing was done"), "{}", problem.detail());
        }
    }

    #[test]
    fn an_inner_failure_is_not_told_to_the_caller() {
        let problem = Problem::from_failure(&std::io::Error::other("disk /secret/place broke"));
        assert!(!problem.detail().contains("secret"));
    }
}
