//! Lockouts by network address: whoever guesses keys, or has mails sent, is asked to wait.
//!
//! A failure is a key that is wrong. Whoever fails too often within [`WINDOW`] is answered 429 with
//! the time to wait, in two degrees: where a request carries nothing but a key that could be guessed
//! (a mail's, a provisioning code, a receipt's), the address is refused before anything is looked up;
//! where it carries a device's API key, a right one passes all the same, so that one broken scanner
//! does not close a venue that has one address for all. Sessions are not counted: theirs run out by
//! themselves, a stadium's guests come back with old ones, and their keys are as long as any.
//!
//! Counts are kept in memory: a restart forgets them, and so does time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use handfast_model::{Duration, Timestamp};

use super::access::Access;
use super::problem::Problem;
use crate::hub::Hub;

/// For how long failures count, from the first one on.
const WINDOW: Duration = Duration::from_minutes(15);
/// Wrong keys of one address in that time. A stadium's guests share an address and follow old links;
/// keys have 256 bits, so that a guesser gains nothing by a hundred.
const FAILURES_MAX: u32 = 100;
/// Mails that one address may ask for in that time, by signing in or joining: more than a box
/// office's queue does. Each person has a limit of their own besides.
const MAILS_MAX: u32 = 300;
/// Addresses that are remembered, 32 bytes each; where more fail, those whose time is over go, and
/// then the one that failed longest ago.
const ADDRESSES_MAX: usize = 100_000;
/// The header of the proxy that ends TLS: it adds the address it saw at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// What a request does that has a limit by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Limited {
    /// It carries a key in its path or body and nothing else.
    BareKey,
    /// It carries a device's API key.
    ApiKey,
    /// It has a mail sent.
    Mail,
}

impl Limited {
    /// What a request to a route does; `None` where nothing of it can be guessed.
    fn of(access: Access, method: &Method, path: &str) -> Option<Self> {
        match (access, method.as_str(), path) {
            (Access::Anyone, "POST", "/api/v1/sign-in" | "/api/v1/sales/join") => Some(Self::Mail),
            (Access::Anyone, "POST", "/api/v1/session" | "/api/v1/device/provision") => {
                Some(Self::BareKey)
            }
            (Access::Anyone, _, path) => path.contains("{key}").then_some(Self::BareKey),
            (Access::Device(_) | Access::DeviceEvenRevoked(_), ..) => Some(Self::ApiKey),
            _ => None,
        }
    }

    /// Whether the answer tells that it failed. Mails are counted whatever the answer.
    fn failed(self, status: StatusCode) -> bool {
        match self {
            Self::Mail => true,
            Self::ApiKey => status == StatusCode::UNAUTHORIZED,
            Self::BareKey => matches!(
                status,
                StatusCode::UNAUTHORIZED
                    | StatusCode::FORBIDDEN
                    | StatusCode::NOT_FOUND
                    | StatusCode::GONE
            ),
        }
    }

    /// Mails are counted apart from keys.
    const fn max(self) -> u32 {
        match self {
            Self::Mail => MAILS_MAX,
            Self::BareKey | Self::ApiKey => FAILURES_MAX,
        }
    }
}

/// A network address, as far as one subscriber is one: IPv6 by its first 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(IpAddr);

impl Address {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Timestamp,
    failures: u32,
}

/// Who failed how often lately.
#[derive(Debug, Default)]
pub(crate) struct Lockouts(Mutex<HashMap<(Address, bool), Count>>);

impl Lockouts {
    /// How long an address has to wait; `None` where it may go on.
    fn wait(&self, address: Address, what: Limited, now: Timestamp) -> Option<Duration> {
        let counts = self.lock();
        let count = counts.get(&(address, what == Limited::Mail))?;
        let until = count.since + WINDOW;
        (count.failures >= what.max() && now < until).then(|| until - now)
    }

    fn note(&self, address: Address, what: Limited, now: Timestamp) {
        let mut counts = self.lock();
        let key = (address, what == Limited::Mail);
        if !counts.contains_key(&key) && counts.len() >= ADDRESSES_MAX {
            make_room(&mut counts, now);
        }
        let count = counts.entry(key).or_insert(Count { since: now, failures: 0 });
        if now >= count.since + WINDOW {
            *count = Count { since: now, failures: 0 };
        }
        count.failures = count.failures.saturating_add(1);
    }

    // A panic elsewhere leaves the counts whole: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<(Address, bool), Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(counts: &mut HashMap<(Address, bool), Count>, now: Timestamp) {
    counts.retain(|_, count| now < count.since + WINDOW);
    if counts.len() >= ADDRESSES_MAX
        && let Some(oldest) =
            counts.iter().min_by_key(|(_, count)| count.since).map(|(key, _)| *key)
    {
        counts.remove(&oldest);
    }
}

/// One request's place in the counts.
pub(super) struct Asked {
    address: Address,
    what: Limited,
}

impl Asked {
    /// `None` where the route has no limit, or nobody knows where the request came from.
    pub(super) fn of(hub: &Hub, access: Access, request: &Request) -> Option<Self> {
        let path = request.extensions().get::<MatchedPath>()?;
        let what = Limited::of(access, request.method(), path.as_str())?;
        Some(Self { address: address_of(hub, request)?, what })
    }

    /// The answer to an address that has to wait, before anything is looked up. Whoever shows an API
    /// key is looked at first.
    pub(super) fn refused_before(&self, hub: &Hub) -> Option<Response> {
        match self.what {
            Limited::ApiKey => None,
            Limited::BareKey | Limited::Mail => self.refused(hub),
        }
    }

    /// Counts what came of it; the answer is another one where the address has to wait by now.
    pub(super) fn after(&self, hub: &Hub, answer: Response) -> Response {
        if !self.what.failed(answer.status()) {
            return answer;
        }
        let refused = match self.what {
            Limited::ApiKey => self.refused(hub),
            Limited::BareKey | Limited::Mail => None,
        };
        hub.lockouts.note(self.address, self.what, hub.clock.now());
        refused.unwrap_or(answer)
    }

    fn refused(&self, hub: &Hub) -> Option<Response> {
        let wait = hub.lockouts.wait(self.address, self.what, hub.clock.now())?;
        let seconds = wait.as_micros().div_euclid(1_000_000) + 1;
        let minutes = seconds.div_euclid(60) + 1;
        let detail = match self.what {
            Limited::Mail => format!(
                "Too many mails were asked for from this network. Try again in {minutes} minutes, \
                 or from another network."
            ),
            Limited::BareKey | Limited::ApiKey => format!(
                "Too many wrong keys came from this network. Try again in {minutes} minutes, or \
                 from another network; ask the operator where a device does it."
            ),
        };
        let mut answer = Problem::too_many(detail).into_response();
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        Some(answer)
    }
}

/// Where a request came from: the connection's other end, or behind a proxy that ends TLS what that
/// one saw. `None` where the proxy says nothing: all would share its own address.
fn address_of(hub: &Hub, request: &Request) -> Option<Address> {
    if hub.https {
        let forwarded = request.headers().get_all(FORWARDED_FOR).iter().next_back()?;
        let last = forwarded.to_str().ok()?.rsplit(',').next()?.trim();
        return last.parse().ok().map(Address::of);
    }
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(Address::of(connection.0.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn address(text: &str) -> Address {
        Address::of(text.parse().unwrap())
    }

    #[test]
    fn an_address_waits_after_too_many_failures_and_no_longer_than_the_window() {
        let lockouts = Lockouts::default();
        let (guesser, guest) = (address("203.0.113.7"), address("203.0.113.8"));
        let key = Limited::BareKey;
        for _ in 0..FAILURES_MAX {
            assert_eq!(lockouts.wait(guesser, key, NOW), None);
            lockouts.note(guesser, key, NOW);
        }
        let later = NOW + Duration::from_minutes(5);
        assert_eq!(lockouts.wait(guesser, key, later), Some(Duration::from_minutes(10)));
        assert!(lockouts.wait(guesser, Limited::ApiKey, later).is_some());
        assert_eq!(lockouts.wait(guesser, Limited::Mail, later), None, "mails are counted apart");
        assert_eq!(lockouts.wait(guest, key, later), None);
        assert_eq!(lockouts.wait(guesser, key, NOW + WINDOW), None);
        lockouts.note(guesser, key, NOW + WINDOW);
        assert_eq!(lockouts.wait(guesser, key, NOW + WINDOW), None, "the count begins anew");
    }

    #[test]
    fn a_subscriber_is_one_address() {
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:203.0.113.7"), address("203.0.113.7"));
    }

    #[test]
    fn so_many_addresses_are_remembered_and_no_more() {
        let lockouts = Lockouts::default();
        for number in 0..ADDRESSES_MAX as u32 + 10 {
            let from = Address(IpAddr::from(number.to_be_bytes()));
            let at = NOW + Duration::from_millis(i64::from(number == 0) - 1);
            lockouts.note(from, Limited::BareKey, at);
        }
        assert!(lockouts.lock().len() <= ADDRESSES_MAX);
        lockouts.note(address("203.0.113.7"), Limited::BareKey, NOW + WINDOW);
        assert_eq!(
            lockouts.lock().len(),
            1,
            "whose time is over is forgotten where room is needed"
        );
    }

    #[test]
    fn what_can_be_guessed_has_a_limit() {
        let of = |access, method: Method, path| Limited::of(access, &method, path);
        let mail = of(Access::Anyone, Method::POST, "/api/v1/sign-in");
        assert_eq!(mail, Some(Limited::Mail));
        let key = of(Access::Anyone, Method::GET, "/api/v1/receipts/{key}");
        assert_eq!(key, Some(Limited::BareKey));
        let device = of(Access::Device(&[]), Method::GET, "/api/v1/device");
        assert_eq!(device, Some(Limited::ApiKey));
        assert_eq!(of(Access::Fan, Method::GET, "/api/v1/me/uses"), None);
        assert_eq!(of(Access::Anyone, Method::GET, "/log/checkpoint"), None);
    }
}
