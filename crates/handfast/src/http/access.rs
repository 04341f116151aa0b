//! Who may call a route: the rule of each route, checked before its handler runs.

use std::fmt;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use handfast_boxoffice::{BoxOfficeError, Device, DeviceKind, DeviceMode, Role, Who};
use handfast_model::{AccountId, CompanyId, DeviceId, SecretText, StaffUserId};
use handfast_pedestal::Mode;

use super::lockout::Asked;
use super::problem::Problem;
use crate::hub::{Hub, SharedHub};

/// The cookie that holds a session's key.
pub(crate) const SESSION_COOKIE: &str = "handfast_session";
/// A header that no form and no foreign page can send without asking first: with it, a request
/// that changes something by cookie comes from our own pages (beside `SameSite=Strict`).
const OWN_PAGE_HEADER: &str = "x-handfast";

/// A route's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody: what the route answers is public, or the request carries its own key.
    Anyone,
    /// Whoever is signed in, fan or staff.
    SignedIn,
    /// A signed-in fan; handlers give them their own things alone.
    Fan,
    /// Staff of one of these roles; handlers give them their own company's things alone.
    Staff(&'static [Role]),
    /// A device of one of these kinds, by API key.
    Device(&'static [DeviceKind]),
    /// As [`Access::Device`], and revoked ones too: to hand over what they decided before.
    DeviceEvenRevoked(&'static [DeviceKind]),
    /// A pedestal, by the API key in its first message.
    PedestalInFirstMessage,
    /// Everybody, in demo mode alone; elsewhere the route does not exist.
    DemoOnly,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::SignedIn => f.write_str("signed in"),
            Self::Fan => f.write_str("fan, own things"),
            Self::Staff(roles) => {
                let roles = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>();
                write!(f, "staff of the company: {}", roles.join(", "))
            }
            Self::Device(kinds) => {
                let kinds = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
                write!(f, "device: {}", kinds.join(", "))
            }
            Self::DeviceEvenRevoked(kinds) => {
                let kinds = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>();
                write!(f, "device: {}, revoked ones too", kinds.join(", "))
            }
            Self::PedestalInFirstMessage => f.write_str("device: pedestal (in the first message)"),
            Self::DemoOnly => f.write_str("anyone, in demo mode alone"),
        }
    }
}

/// A signed-in fan.
#[derive(Clone, Debug)]
pub(crate) struct FanCaller {
    pub(crate) account: AccountId,
}

/// Signed-in staff.
#[derive(Clone, Debug)]
pub(crate) struct StaffCaller {
    pub(crate) user: StaffUserId,
    pub(crate) company: CompanyId,
    pub(crate) role: Role,
}

/// A device.
#[derive(Clone, Debug)]
pub(crate) struct DeviceCaller {
    pub(crate) id: DeviceId,
    pub(crate) device: Device,
}

impl DeviceCaller {
    pub(crate) fn of(device: Device) -> Self {
        Self { id: device.id, device }
    }

    /// What the pedestal is set up for, if the device is one.
    pub(crate) fn pedestal_mode(&self) -> Option<Mode> {
        if self.device.kind != DeviceKind::Pedestal {
            return None;
        }
        self.device.mode.map(|mode| match mode {
            DeviceMode::EnrolOutside => Mode::EnrolOutside,
            DeviceMode::EnrolInside => Mode::EnrolInside,
            DeviceMode::EntryLane => Mode::EntryLane,
            DeviceMode::Counter => Mode::Counter,
        })
    }
}

/// Whoever is signed in, with the key of the session.
#[derive(Clone, Debug)]
pub(crate) struct SessionCaller {
    pub(crate) who: Who,
    pub(crate) key: SecretText,
}

/// Checks a route's rule, and leaves the caller for the handler.
pub(super) async fn guard(access: Access, request: Request, next: Next) -> Response {
    let Some(hub) = request.extensions().get::<SharedHub>().cloned() else {
        return Problem::internal("The server was put together wrongly.").into_response();
    };
    let asked = Asked::of(&hub, access, &request);
    if let Some(refused) = asked.as_ref().and_then(|asked| asked.refused_before(&hub)) {
        return refused;
    }
    let (mut parts, body) = request.into_parts();
    let answer = match admit(access, &hub, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    match asked {
        Some(asked) => asked.after(&hub, answer),
        None => answer,
    }
}

async fn admit(access: Access, hub: &Hub, request: &mut Parts) -> Result<(), Problem> {
    match access {
        Access::Anyone | Access::PedestalInFirstMessage => Ok(()),
        Access::DemoOnly if hub.demo.is_some() => Ok(()),
        Access::DemoOnly => Err(Problem::not_found("There is no such route outside a demo.")),
        Access::SignedIn => {
            let caller = session_of(hub, request).await?;
            request.extensions.insert(caller);
            Ok(())
        }
        Access::Fan => match session_of(hub, request).await?.who {
            Who::Fan { account_id, .. } => {
                request.extensions.insert(FanCaller { account: account_id });
                Ok(())
            }
            Who::Staff { .. } => {
                Err(Problem::forbidden("Sign in to the portal with a fan's account."))
            }
        },
        Access::Staff(roles) => match session_of(hub, request).await?.who {
            Who::Staff { staff_user_id, role, company_id, .. } if roles.contains(&role) => {
                let caller = StaffCaller { user: staff_user_id, company: company_id, role };
                request.extensions.insert(caller);
                Ok(())
            }
            _ => Err(Problem::forbidden("Ask somebody whose role may do this.")),
        },
        Access::DeviceEvenRevoked(kinds) => {
            let key = api_key(&request.headers)?;
            let device = hub.boxoffice.authenticate_even_revoked(key.expose()).await?;
            if !kinds.contains(&device.kind) {
                return Err(Problem::forbidden("Use a device that is provisioned for this."));
            }
            request.extensions.insert(DeviceCaller::of(device));
            Ok(())
        }
        Access::Device(kinds) => {
            let device = device_of(hub, &request.headers).await?;
            if !kinds.contains(&device.device.kind) {
                return Err(Problem::forbidden("Use a device that is provisioned for this."));
            }
            request.extensions.insert(device);
            Ok(())
        }
    }
}

async fn session_of(hub: &Hub, request: &Parts) -> Result<SessionCaller, Problem> {
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    if !reads && !request.headers.contains_key(OWN_PAGE_HEADER) {
        return Err(Problem::forbidden(
            "Send the header `X-Handfast: 1` with requests that change something.",
        ));
    }
    let key = session_key(&request.headers)
        .ok_or_else(|| Problem::unauthenticated("Sign in by mail link first."))?;
    let who = hub.boxoffice.who(key.expose()).await?;
    let who =
        who.ok_or_else(|| Problem::unauthenticated("Your session has ended. Sign in again."))?;
    Ok(SessionCaller { who, key })
}

fn session_key(headers: &HeaderMap) -> Option<SecretText> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, key)| SecretText::new(key.to_owned()))
}

async fn device_of(hub: &Hub, headers: &HeaderMap) -> Result<DeviceCaller, Problem> {
    hub.authenticate_device(&api_key(headers)?).await
}

fn api_key(headers: &HeaderMap) -> Result<SecretText, Problem> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| {
            Problem::unauthenticated("Send the device's API key as `Authorization: Bearer KEY`.")
        })?;
    Ok(SecretText::new(key.to_owned()))
}

impl Hub {
    /// The device of an API key.
    pub(crate) async fn authenticate_device(
        &self,
        key: &SecretText,
    ) -> Result<DeviceCaller, Problem> {
        match self.boxoffice.authenticate_device(key.expose()).await {
            Ok(device) => Ok(DeviceCaller::of(device)),
            Err(BoxOfficeError::ApiKey) => Err(Problem::unauthenticated(
                "This API key is unknown or revoked. Provision the device again.",
            )),
            Err(error) => Err(error.into()),
        }
    }
}

macro_rules! callers {
    ($($caller:ty),*) => {$(
        impl<S: Sync> FromRequestParts<S> for $caller {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                // Missing only where a handler was registered under a rule that does not fit it.
                parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                    Problem::internal("This route's access rule does not fit its handler.")
                })
            }
        }
    )*};
}

callers!(FanCaller, StaffCaller, DeviceCaller, SessionCaller);

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; handfast_session=KEY; c=d"));
        assert_eq!(
            session_key(&headers).map(|key| key.expose().to_owned()).as_deref(),
            Some("KEY")
        );
        assert!(session_key(&HeaderMap::new()).is_none());
    }

    #[test]
    fn rules_are_written_for_people() {
        assert_eq!(Access::Device(&[DeviceKind::Scanner]).to_string(), "device: scanner");
        assert_eq!(Access::Staff(&[Role::Operator]).to_string(), "staff of the company: operator");
    }
}
