//! Where a service answers, as somebody types it.

use anyhow::{Result, bail};

/// Reads a service's address; without the slash that people put at its end.
///
/// # Errors
/// Where it does not begin as an address of the web does.
pub(super) fn parse(text: &str) -> Result<String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host {
        Some(host) if !host.trim_matches('/').is_empty() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => bail!("write it with its scheme, as http://127.0.0.1:8080"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        assert_eq!(parse("https://gate.example/").unwrap(), "https://gate.example");
        for bad in ["", "127.0.0.1:8080", "ftp://gate.example", "http://", "http:///"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
