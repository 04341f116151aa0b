//! The signature on a gateway's webhooks: `t=SECONDS,v1=HEX`, HMAC-SHA256 over `t.body`, as Stripe
//! documents it and others took over. Several `v1` may stand beside each other while a secret is
//! being changed.

use handfast_model::{Duration, SecretText, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::gateway::NoticeError;

/// How far the signing time may lie from ours: clocks differ, and a gateway's queue takes a moment;
/// older ones may be replays.
pub const NOTICE_TOLERANCE: Duration = Duration::from_minutes(5);

const MICROS: i64 = 1_000_000;

/// Checks a signature header over a body.
pub(crate) fn verify(
    header: &str,
    body: &[u8],
    secret: &SecretText,
    now: Timestamp,
) -> Result<(), NoticeError> {
    let field = |name: &'static str| {
        header
            .split(',')
            .filter_map(move |part| part.trim().split_once('='))
            .filter_map(move |(key, value)| (key == name).then_some(value))
    };
    let seconds = field("t").next().ok_or(NoticeError::NoSignature)?;
    let signed_at: i64 = seconds.parse().map_err(|_| NoticeError::NoSignature)?;
    let mut signatures = field("v1").peekable();
    if signatures.peek().is_none() {
        return Err(NoticeError::NoSignature);
    }
    let fits = |hex: &str| {
        from_hex(hex).is_some_and(|bytes| mac(seconds, body, secret).verify_slice(&bytes).is_ok())
    };
    if !signatures.any(fits) {
        return Err(NoticeError::WrongSignature);
    }
    let off = signed_at.saturating_mul(MICROS).saturating_sub(now.as_micros()).saturating_abs();
    if off > NOTICE_TOLERANCE.as_micros() { Err(NoticeError::Stale) } else { Ok(()) }
}

/// Signs a body, as the test gateway does.
pub(crate) fn sign(body: &[u8], secret: &SecretText, now: Timestamp) -> String {
    let seconds = now.as_micros().div_euclid(MICROS).to_string();
    let signature = mac(&seconds, body, secret).finalize().into_bytes();
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
fn mac(seconds: &str, body: &[u8], secret: &SecretText) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any length");
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretText {
        SecretText::new("whsec_test".to_owned())
    }

    /// A signature that localstripe 1.15.10 sent could not be kept without its body; this one was
    /// computed with Python's hmac module over the same definition.
    #[test]
    fn a_golden_signature_is_accepted_and_made() {
        let now = Timestamp::from_micros(1_795_310_755 * MICROS);
        let header = sign(b"{\"id\":\"evt_1\"}", &secret(), now);
        assert_eq!(
            header,
            "t=1795310755,v1=8c6f6fbf0e1a5028af355eb1d70c205143d7fbcecc00dd795666179c82ca8a73"
        );
        assert_eq!(verify(&header, b"{\"id\":\"evt_1\"}", &secret(), now), Ok(()));
    }

    #[test]
    fn forged_changed_old_and_malformed_ones_are_refused() {
        let now = Timestamp::from_micros(1_790_000_000 * MICROS);
        let header = sign(b"body", &secret(), now);
        assert_eq!(verify(&header, b"Body", &secret(), now), Err(NoticeError::WrongSignature));
        let other = SecretText::new("whsec_other".to_owned());
        assert_eq!(verify(&header, b"body", &other, now), Err(NoticeError::WrongSignature));
        let edge = now + NOTICE_TOLERANCE;
        assert_eq!(verify(&header, b"body", &secret(), edge), Ok(()));
        let late = edge + Duration::from_secs(1);
        assert_eq!(verify(&header, b"body", &secret(), late), Err(NoticeError::Stale));
        let early = now - NOTICE_TOLERANCE - Duration::from_secs(1);
        assert_eq!(verify(&header, b"body", &secret(), early), Err(NoticeError::Stale));
        for malformed in
            ["", "t=,v1=00", "t=1", "v1=00", "t=x,v1=00", "t=99999999999999999999,v1=0"]
        {
            let refused = verify(malformed, b"body", &secret(), now);
            assert_eq!(refused, Err(NoticeError::NoSignature), "{malformed}");
        }
        let seconds = now.as_micros() / MICROS;
        for wrong in ["zz", "0", "00", "\u{e9}\u{e9}"] {
            let header = format!("t={seconds},v1={wrong}");
            let refused = verify(&header, b"body", &secret(), now);
            assert_eq!(refused, Err(NoticeError::WrongSignature), "{wrong}");
        }
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let now = Timestamp::from_micros(1_790_000_000 * MICROS);
        let good = sign(b"body", &secret(), now);
        let (time, signature) = good.split_once(',').unwrap();
        let header = format!("{time},v1=00ff,{signature}");
        assert_eq!(verify(&header, b"body", &secret(), now), Ok(()));
    }
}
