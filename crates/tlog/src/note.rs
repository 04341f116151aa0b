//! Signed notes (C2SP signed-note): a text and the signatures of whoever vouches for it.
//!
//! The same bytes are read and checked by Go's `golang.org/x/mod/sumdb/note`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use handfast_model::{Random, SecretText};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Most signatures on a note: what Go's package allows; a checkpoint carries far fewer.
pub const SIGNATURES_MAX: usize = 100;
/// Most bytes of a note: what Go's package allows.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Before every signature line: an em dash and a space.
const SIGNATURE_START: &str = "\u{2014} ";
const SECRET_START: &str = "PRIVATE+KEY+";
const KEY_LEN: usize = 32;
const ID_LEN: usize = 4;

/// Why a text is not a signed note, or not a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The bytes are not a signed note.
    #[error("not a signed note: {0}; get the file again from where it came")]
    Malformed(&'static str),
    /// The text is not a key.
    #[error("not a key of a signed note: {0}; copy it again as a whole")]
    Key(&'static str),
    /// The wanted signer did not sign, or signed something else.
    #[error("no valid signature by {name}: the text was changed, or somebody else wrote it")]
    Unsigned {
        /// Whose signature is missing.
        name: String,
    },
}

/// What a key signs; one key never signs both, since the kind is part of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// Notes: a log's checkpoints and promises.
    Note,
    /// Timestamped cosignatures of checkpoints (C2SP tlog-cosignature, version 1).
    Cosignature,
}

impl KeyKind {
    const fn code(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x01 => Some(Self::Note),
            0x04 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

/// The first four bytes of a hash over name and public key: which key a signature line is by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; ID_LEN]);

impl KeyId {
    fn of(name: &str, kind: KeyKind, key: &[u8; KEY_LEN]) -> Self {
        let hash =
            Sha256::new().chain_update(name).chain_update([b'\n', kind.code()]).chain_update(key);
        let hash: [u8; 32] = hash.finalize().into();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether `name` may name a key: not empty, without spaces and plus signs.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A public key with its holder's name. As text: `name+id+base64`, the "vkey" of C2SP signed-note.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Reads a key from its text.
    ///
    /// # Errors
    /// Where the text is not one, its id is not that of name and key, or its kind is unknown.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, id, kind, key) = parse_key(text.trim_end())?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| NoteError::Key("no such point"))?;
        let own = Self::new(name, kind, key);
        if own.id.to_string() != id {
            return Err(NoteError::Key("the id is not that of this name and key"));
        }
        Ok(own)
    }

    fn new(name: &str, kind: KeyKind, key: VerifyingKey) -> Self {
        Self { name: name.to_owned(), id: KeyId::of(name, kind, key.as_bytes()), kind, key }
    }

    /// Whose key it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id in signature lines.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What it signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.code()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse_key(text: &str) -> Result<(&str, &str, KeyKind, [u8; KEY_LEN]), NoteError> {
    // The key's base64 may hold a plus, name and id may not.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::Key("it has not three parts with a plus between"));
    };
    if !is_key_name(name) {
        return Err(NoteError::Key("the name is empty or has a space or plus"));
    }
    let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| NoteError::Key("not base64"))?);
    let (&code, key) = key.split_first().ok_or(NoteError::Key("the key is empty"))?;
    let kind = KeyKind::from_code(code).ok_or(NoteError::Key("an unknown kind of signature"))?;
    let key = key.try_into().map_err(|_| NoteError::Key("the key has not 32 bytes"))?;
    Ok((name, id, kind, key))
}

/// A private key with its holder's name; destroyed on drop. Its `Debug` prints the public half.
#[derive(Clone)]
pub struct SecretKey {
    key: SigningKey,
    public: VerifierKey,
}

impl SecretKey {
    /// A new key.
    ///
    /// # Errors
    /// Where the name cannot name a key.
    pub fn generate(name: &str, kind: KeyKind, random: &dyn Random) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::Key("the name is empty or has a space or plus"));
        }
        let mut seed = Zeroizing::new([0; KEY_LEN]);
        random.fill(seed.as_mut_slice());
        Ok(Self::from_seed(name, kind, &seed))
    }

    /// Reads a key from the text that [`Self::to_secret_text`] gave.
    ///
    /// # Errors
    /// Where the text is not one.
    pub fn parse(text: &SecretText) -> Result<Self, NoteError> {
        let text = text.expose().trim_end();
        let text = text.strip_prefix(SECRET_START).ok_or(NoteError::Key("not a private key"))?;
        let (name, id, kind, seed) = parse_key(text)?;
        let own = Self::from_seed(name, kind, &Zeroizing::new(seed));
        if own.public.id.to_string() != id {
            return Err(NoteError::Key("the id is not that of this name and key"));
        }
        Ok(own)
    }

    fn from_seed(name: &str, kind: KeyKind, seed: &[u8; KEY_LEN]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, kind, key.verifying_key());
        Self { key, public }
    }

    /// The key as text, for a file that only its holder may read.
    #[must_use]
    pub fn to_secret_text(&self) -> SecretText {
        let mut bytes = Zeroizing::new(vec![self.public.kind.code()]);
        bytes.extend_from_slice(self.key.as_bytes());
        let key = Zeroizing::new(STANDARD.encode(&bytes));
        let (name, id) = (&self.public.name, self.public.id);
        SecretText::new(format!("{SECRET_START}{name}+{id}+{}", key.as_str()))
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// A signature line's parts for `message`, with `before` in front of the signature.
    pub(crate) fn sign(&self, message: &[u8], before: &[u8]) -> NoteSignature {
        let signature = self.key.sign(message).to_bytes();
        let (name, id) = (self.public.name.clone(), self.public.id);
        NoteSignature { name, id, bytes: [before, signature.as_slice()].concat() }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public)
    }
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// Reads a line, without its newline.
    ///
    /// # Errors
    /// Where the line is not one.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line is broken");
        let (name, rest) = line
            .strip_prefix(SIGNATURE_START)
            .and_then(|line| line.split_once(' '))
            .ok_or_else(|| malformed.clone())?;
        let mut id = STANDARD.decode(rest).map_err(|_| malformed.clone())?;
        if !is_key_name(name) || id.len() <= ID_LEN {
            return Err(malformed);
        }
        let bytes = id.split_off(ID_LEN);
        let id = KeyId(id.try_into().map_err(|_| malformed)?);
        Ok(Self { name: name.to_owned(), id, bytes })
    }

    /// Whose it claims to be.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it claims to be by `key`.
    #[must_use]
    pub fn claims(&self, key: &VerifierKey) -> bool {
        self.id == key.id && self.name == key.name
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for NoteSignature {
    /// The line, without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.0, self.bytes.as_slice()].concat();
        write!(f, "{SIGNATURE_START}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text with signatures, not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note that `key` signs. `text` ends with a newline and has no empty line.
    pub(crate) fn signed(text: String, key: &SecretKey) -> Self {
        debug_assert!(text.ends_with('\n') && !text.contains("\n\n"), "a note's text has lines");
        debug_assert_eq!(key.public.kind, KeyKind::Note, "cosignatures are made elsewhere");
        let signature = key.sign(text.as_bytes(), &[]);
        Self { text, signatures: vec![signature] }
    }

    /// Reads a note, checking its form and no signature.
    ///
    /// # Errors
    /// Where the bytes are not a signed note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("it is longer than a million bytes"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        if note.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::Malformed("it has control characters"));
        }
        let cut = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line"))?;
        let (text, lines) = (&note[..=cut], &note[cut + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("its end is missing"))?;
        let signatures: Vec<NoteSignature> =
            lines.split('\n').map(NoteSignature::parse).collect::<Result<_, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("more than 100 signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// What is signed, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks that `key` signed the text.
    ///
    /// # Errors
    /// Where it did not.
    pub fn check_signed_by(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let signed = key.kind == KeyKind::Note
            && self.signatures.iter().any(|signature| {
                signature.claims(key) && key.has_signed(self.text.as_bytes(), &signature.bytes)
            });
        if signed { Ok(()) } else { Err(NoteError::Unsigned { name: key.name.clone() }) }
    }

    /// Adds a signature line in place of an older one by the same key.
    pub(crate) fn set_signature(&mut self, signature: NoteSignature) {
        self.signatures.retain(|old| old.id != signature.id || old.name != signature.name);
        self.signatures.push(signature);
    }
}

impl fmt::Display for Note {
    /// The note as it is written to files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u64) -> SecretKey {
        SecretKey::generate("example.com/log", KeyKind::Note, &SeededRandom::new(seed)).unwrap()
    }

    #[test]
    fn the_vector_of_gos_documentation_verifies() {
        // The example of golang.org/x/mod/sumdb/note, made by others.
        let key = VerifierKey::parse(
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        )
        .unwrap();
        let text = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let note = Note::parse(text.as_bytes()).unwrap();
        assert_eq!(note.check_signed_by(&key), Ok(()));
        assert_eq!(note.to_string(), text);
        let changed = Note::parse(text.replace("problem", "Problem").as_bytes()).unwrap();
        assert!(matches!(changed.check_signed_by(&key), Err(NoteError::Unsigned { .. })));
    }

    #[test]
    fn keys_round_trip_as_text_and_hide_their_secret() {
        let secret = key(1);
        let again = SecretKey::parse(&secret.to_secret_text()).unwrap();
        assert_eq!(again.public(), secret.public());
        assert_eq!(VerifierKey::parse(&secret.public().to_string()).as_ref(), Ok(secret.public()));
        let shown = format!("{secret:?}");
        let hidden = secret.to_secret_text();
        assert!(!shown.contains(hidden.expose().rsplit('+').next().unwrap()));
        let renamed = secret.public().to_string().replace("example.com", "example.org");
        assert!(matches!(VerifierKey::parse(&renamed), Err(NoteError::Key(_))));
        assert!(SecretKey::generate("a b", KeyKind::Note, &SeededRandom::new(1)).is_err());
    }

    #[test]
    fn another_key_of_the_same_name_does_not_pass() {
        let note = Note::signed("a\nb\n".to_owned(), &key(1));
        assert!(note.check_signed_by(key(1).public()).is_ok());
        assert!(note.check_signed_by(key(2).public()).is_err());
    }

    #[test]
    fn broken_notes_are_refused_with_a_reason() {
        let note = Note::signed("a\nb\n".to_owned(), &key(1)).to_string();
        for broken in ["", "a\n", "a\n\n", &note[..note.len() - 1], &note.replace('\n', "\r\n")] {
            assert!(matches!(Note::parse(broken.as_bytes()), Err(NoteError::Malformed(_))));
        }
        let many = format!("{note}{}", "\u{2014} x AAAAAAA=\n".repeat(SIGNATURES_MAX));
        assert!(Note::parse(many.as_bytes()).is_err());
        assert!(Note::parse(&vec![b'a'; NOTE_BYTES_MAX + 1]).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Note::parse(&bytes);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let _ = VerifierKey::parse(text);
                let _ = NoteSignature::parse(text);
            }
        }

        #[test]
        fn what_parses_is_written_back_the_same(text in "[a-z]{1,9}\n[a-z\n]{0,9}", cut in 0usize..200) {
            let mut note = Note::signed("a\n".to_owned(), &key(3)).to_string();
            note.insert_str(0, text.trim_matches('\n'));
            let bytes = &note.as_bytes()[..note.len().saturating_sub(cut % 3)];
            if let Ok(parsed) = Note::parse(bytes) {
                prop_assert_eq!(parsed.to_string().into_bytes(), bytes);
            }
        }
    }
}
