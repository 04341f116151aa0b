//! A detector for card numbers: the till has no field that could take one, and free texts that
//! hold one are refused before they are stored.
//!
//! Source: ISO/IEC 7812-1 (13 to 19 digits, Luhn check digit, first digit names the industry).

/// The shortest and longest primary account numbers in use.
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// How many characters that are neither letter nor digit may stand between two groups of one
/// number: people write `4111 1111`, `4111 - 1111`, rarely more.
const SEPARATORS_MAX: usize = 3;

/// Whether `text` holds something that reads as a card number: consecutive groups of digits, 13 to
/// 19 in all, that begin with a payment industry digit and pass the Luhn check. About one random
/// number of that length in twenty does, which is the right side to err on for a free text.
#[must_use]
pub fn looks_like_card_number(text: &str) -> bool {
    runs(text).iter().any(|run| run_holds_card_number(run))
}

/// Digit groups, gathered into runs that only separators interrupt.
fn runs(text: &str) -> Vec<Vec<Vec<u8>>> {
    let mut runs: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
    let mut group: Vec<u8> = Vec::new();
    let mut separators = 0;
    for c in text.chars() {
        if let Some(digit) = digit(c) {
            group.push(digit);
            separators = 0;
            continue;
        }
        if !group.is_empty() {
            last_of(&mut runs).push(std::mem::take(&mut group));
        }
        separators += 1;
        if c.is_alphanumeric() || separators > SEPARATORS_MAX {
            runs.push(Vec::new());
        }
    }
    if !group.is_empty() {
        last_of(&mut runs).push(group);
    }
    runs
}

fn last_of(runs: &mut Vec<Vec<Vec<u8>>>) -> &mut Vec<Vec<u8>> {
    if runs.is_empty() {
        runs.push(Vec::new());
    }
    let last = runs.len() - 1;
    &mut runs[last]
}

/// ASCII digits and their full-width forms, which read the same to a person.
fn digit(c: char) -> Option<u8> {
    match c {
        '0'..='9' => Some(c as u8 - b'0'),
        '\u{ff10}'..='\u{ff19}' => u8::try_from(c as u32 - 0xff10).ok(),
        _ => None,
    }
}

/// Any sequence of whole groups may be the number: `order 12, 4111 1111 1111 1111` holds one.
fn run_holds_card_number(groups: &[Vec<u8>]) -> bool {
    (0..groups.len()).any(|first| {
        let mut digits: Vec<u8> = Vec::with_capacity(DIGITS_MAX);
        groups[first..].iter().any(|group| {
            digits.extend_from_slice(group);
            is_card_number(&digits)
        })
    })
}

fn is_card_number(digits: &[u8]) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
        && (2..=6).contains(&digits[0])
        && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let digit = u32::from(digit);
            let doubled = digit * 2;
            match place % 2 {
                0 => digit,
                _ if doubled > 9 => doubled - 9,
                _ => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_test_numbers_are_found_however_they_are_written() {
        for text in [
            "4111111111111111",
            "5555 5555 5555 4444",
            "3782-822463-10005",
            "card: 4111 - 1111 - 1111 - 1111, thanks",
            "table 12, 4111 1111 1111 1111 exp 12/26",
            "\u{ff14}111111111111111",
            "6011.1111.1111.1117",
        ] {
            assert!(looks_like_card_number(text), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_pass() {
        for text in [
            "",
            "2 lager, 1 pretzel",
            "order 2026-11-22 no. 4711",
            "4111111111111112",
            "call +1 303 555 0100",
            "0000 0000 0000 0000",
            "41111111x11111111",
            "4111    111111111111",
        ] {
            assert!(!looks_like_card_number(text), "{text}");
        }
    }

    #[test]
    fn a_wrong_check_digit_is_not_a_card_number() {
        let valid = b"4111111111111111";
        for wrong in b'0'..=b'9' {
            let mut text = valid.to_vec();
            text[15] = wrong;
            let text = String::from_utf8(text).unwrap();
            assert_eq!(looks_like_card_number(&text), wrong == b'1', "{text}");
        }
    }
}
