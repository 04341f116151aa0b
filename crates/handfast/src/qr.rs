//! Writing codes: for the portal's tickets and for simulated phones.

use fast_qr::convert::Builder;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::qr::{QRBuilder, QRCodeError};
use fast_qr::{ECL, QRCode};
use handfast_palm_synth::QrModules;

/// Modules of quiet zone around a code (ISO/IEC 18004 wants four).
const QUIET_ZONE: usize = 4;

/// A code as an SVG picture with its quiet zone, dark on white whatever the page's colours are:
/// readers want it so.
pub(crate) fn svg(text: &str) -> Result<String, QRCodeError> {
    let code = encode(text)?;
    Ok(SvgBuilder::default().margin(QUIET_ZONE).to_str(&code))
}

/// A code as modules, for a simulated phone.
pub(crate) fn modules(text: &str) -> Result<QrModules, QRCodeError> {
    let code = encode(text)?;
    let dark =
        (0..code.size).flat_map(|row| code[row].iter().map(|module| module.value())).collect();
    // What the encoder makes is square and of a size that the standard has.
    QrModules::new(code.size, dark).map_err(|_| QRCodeError::EncodedData)
}

/// Level M: a phone's screen is scratched and reflects, and the code stays small.
fn encode(text: &str) -> Result<QRCode, QRCodeError> {
    QRBuilder::new(text).ecl(ECL::M).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_and_has_modules() {
        let svg = svg("HF1.EXAMPLE").unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("<path"));
        assert_eq!(modules("HF1.EXAMPLE").unwrap().side(), 21);
    }

    #[test]
    fn a_text_that_no_code_holds_is_refused() {
        assert!(svg(&"x".repeat(4_000)).is_err());
    }
}
