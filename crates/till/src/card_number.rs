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

/// Looks for card numbers in what a program left behind: logs, database files, test output. Bytes
/// come in pieces of any size.
///
/// Such places are full of other long numbers (times, ids, random bytes), so it is stricter than
/// [`looks_like_card_number`]: a number stands alone, whole or in groups of four, has a length and a
/// beginning that a card scheme uses, and passes the Luhn check. What that still lets through is
/// about one in two hundred random numbers of sixteen digits.
#[derive(Clone, Debug, Default)]
pub struct CardNumberFinder {
    digits: Vec<u8>,
    /// The length of the group being read, and whether all before it had four digits.
    group: usize,
    /// Something touches the number that makes it part of a longer word.
    spoiled: bool,
    separator: Option<u8>,
    at: u64,
    found: Vec<u64>,
}

impl CardNumberFinder {
    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.next(byte);
            self.at += 1;
        }
    }

    /// Where numbers ended, in bytes from the start; empty where there are none.
    #[must_use]
    pub fn finish(mut self) -> Vec<u64> {
        self.end();
        self.found
    }

    fn next(&mut self, byte: u8) {
        match byte {
            b'0'..=b'9' if self.separator.is_some() && self.group != 4 => {
                // Groups of another size are dates, amounts, ids.
                self.end();
                self.push(byte);
            }
            b'0'..=b'9' => {
                if self.separator.take().is_some() {
                    self.group = 0;
                }
                self.push(byte);
            }
            b' ' | b'-' if !self.digits.is_empty() && self.separator.is_none() => {
                self.separator = Some(byte);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => {
                // A word, an id or a decimal fraction goes on here.
                self.spoiled |= self.separator.is_none() && byte != b'.';
                self.end();
                self.spoiled = true;
            }
            _ => self.end(),
        }
    }

    fn push(&mut self, byte: u8) {
        if self.digits.len() <= DIGITS_MAX {
            self.digits.push(byte - b'0');
        }
        self.group += 1;
    }

    fn end(&mut self) {
        if !self.spoiled && is_of_a_scheme(&self.digits) && luhn(&self.digits) {
            self.found.push(self.at);
        }
        self.digits.clear();
        (self.group, self.spoiled, self.separator) = (0, false, None);
    }
}

/// Lengths and beginnings in use (Visa, Mastercard, American Express, Discover, JCB, Diners).
fn is_of_a_scheme(digits: &[u8]) -> bool {
    if digits.len() < DIGITS_MIN {
        return false;
    }
    let first = |count: usize| digits[..count].iter().fold(0_u32, |n, &d| n * 10 + u32::from(d));
    match digits.len() {
        13 | 19 => digits[0] == 4,
        14 => matches!(first(2), 36 | 38) || matches!(first(3), 300..=305),
        15 => matches!(first(2), 34 | 37),
        16 => {
            digits[0] == 4
                || matches!(first(2), 51..=55 | 65)
                || matches!(first(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(first(3), 644..=649)
        }
        _ => false,
    }
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

    fn found(text: &str) -> usize {
        let mut whole = CardNumberFinder::default();
        whole.feed(text.as_bytes());
        let mut in_pieces = CardNumberFinder::default();
        text.as_bytes().chunks(3).for_each(|piece| in_pieces.feed(piece));
        let found = whole.finish();
        assert_eq!(found, in_pieces.finish(), "{text}");
        found.len()
    }

    #[test]
    fn what_a_program_leaves_behind_is_searched() {
        for (text, numbers) in [
            ("pan=4111111111111111 ok", 1),
            ("5555 5555 5555 4444", 1),
            ("\u{1}4111-1111-1111-1111\u{0}378282246310005", 2),
            ("2223003122003222", 1),
            ("at 1790000000000000 and 1795310755000000", 0),
            ("chg_4111111111111111 x4111111111111111", 0),
            ("4111111111111111a", 0),
            ("0.4111111111111111", 0),
            ("41 11 11 11 11 11 11 11", 0),
            ("4111111111111112", 0),
            ("24111111111111111112", 0),
            ("", 0),
        ] {
            assert_eq!(found(text), numbers, "{text}");
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
