//! Crockford's base 32: upper-case letters and digits without I, L, O, U. Upper case because a QR
//! code stores it in its dense alphanumeric mode.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The digits of `bytes`, five bits each from the front; the last one is filled up with zero bits.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() * 8).div_ceil(5));
    let (mut held, mut bits) = (0_u32, 0);
    for &byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(digit(held << (5 - bits)));
    }
    text
}

/// The digit that a person or a scanner may have meant: lower case is accepted, and O, I, L are
/// read as the digits they look like. `None` for anything else.
pub(crate) fn canonical(character: char) -> Option<char> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    u8::try_from(upper).is_ok_and(|byte| ALPHABET.contains(&byte)).then_some(upper)
}

/// The bytes that digits stand for, lower case and lookalikes included; `None` where there are other
/// characters, or bits are left over that are not zero.
pub(crate) fn decode(digits: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for character in digits.chars() {
        held = (held << 5) | value(character)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
        held &= (1 << bits) - 1;
    }
    (bits < 5 && held == 0).then_some(bytes)
}

/// The five bits of a digit.
pub(crate) fn value(character: char) -> Option<u32> {
    let canonical = u8::try_from(canonical(character)?).ok()?;
    let place = ALPHABET.iter().position(|digit| *digit == canonical)?;
    u32::try_from(place).ok()
}

/// The digit of five bits.
pub(crate) fn digit(five_bits: u32) -> char {
    char::from(ALPHABET[(five_bits & 31) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(&[0xff]), "ZW");
        assert_eq!(encode(&[0, 0, 0, 0, 1]), "00000001");
        assert_eq!(encode(b"foobar"), "CSQPYRK1E8");
    }

    #[test]
    fn what_was_encoded_is_decoded_and_nothing_else() {
        for len in 0..40_u8 {
            let bytes: Vec<u8> = (0..len).map(|place| place.wrapping_mul(37)).collect();
            assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
        for text in ["U", "0", "ZZ", "é", "00 0"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("zw"), Some(vec![0xff]));
    }

    #[test]
    fn lookalikes_are_read_as_digits() {
        let read: Option<String> = "oOiIlLzZ9".chars().map(canonical).collect();
        assert_eq!(read.as_deref(), Some("001111ZZ9"));
        assert_eq!(canonical('U'), None);
        assert_eq!(canonical('-'), None);
        assert_eq!(canonical('é'), None);
    }
}
