//! The PIN beside the palm: kept as an Argon2id hash, asked for above a limit and by those who
//! always want it. A try is counted before it is looked at, so that tries side by side gain none.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use handfast_model::{AccountId, Random, SecretText};
use handfast_store::params;
use zeroize::Zeroizing;

use crate::Till;
use crate::error::{Thing, TillError};
use crate::wallet::{found, wallet_of};

/// Misses in a row before the wallet is frozen: enough for a slip, hopeless for a guess.
pub const PIN_MISSES_MAX: i64 = 5;
const PIN_DIGITS_MIN: usize = 4;
const PIN_DIGITS_MAX: usize = 8;
const SALT_BYTES: usize = 16;
/// OWASP's Argon2id choice for interactive sign-in: 19 MiB, two passes, one lane. A PIN of four
/// digits falls to whoever has the hash and an hour; the misses above are what protects it.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A PIN as it was entered: 4 to 8 digits. `Debug` prints nothing of it; zeroed when dropped.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(hidden)")
    }
}

impl Pin {
    /// Reads what was entered.
    ///
    /// # Errors
    /// [`TillError::PinUnfit`] where it is not 4 to 8 digits.
    pub fn parse(text: &str) -> Result<Self, TillError> {
        let fits = (PIN_DIGITS_MIN..=PIN_DIGITS_MAX).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_digit());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(TillError::PinUnfit) }
    }

    /// All the same, or in a row up or down: what a thief tries first.
    fn is_obvious(&self) -> bool {
        let digits = self.0.as_bytes();
        let all_steps =
            |step: i16| digits.windows(2).all(|two| i16::from(two[1]) - i16::from(two[0]) == step);
        all_steps(0) || all_steps(1) || all_steps(-1)
    }
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or(Params::DEFAULT);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(pin: &Pin, random: &dyn Random) -> Result<SecretText, TillError> {
    let mut salt = [0_u8; SALT_BYTES];
    random.fill(&mut salt);
    let hash = hasher()
        .hash_password_with_salt(pin.0.as_bytes(), &salt)
        .map_err(|_| TillError::PinUnfit)?;
    Ok(SecretText::new(hash.to_string()))
}

fn fits(pin: &Pin, hash: &SecretText) -> bool {
    hasher().verify_password(pin.0.as_bytes(), hash.expose()).is_ok()
}

/// Compares off the threads that answer requests: it takes tens of milliseconds by design.
pub(crate) async fn compare(pin: Pin, hash: SecretText) -> bool {
    tokio::task::spawn_blocking(move || fits(&pin, &hash)).await.unwrap_or(false)
}

impl Till {
    /// Sets the account's PIN and whether it is asked for at every payment by palm. The caller has
    /// just made sure who it is (a fresh sign-in): a wallet that misses had frozen thaws.
    ///
    /// # Errors
    /// [`TillError::PinUnfit`] where everybody guesses it first, [`TillError::NotFound`] without a
    /// wallet.
    pub async fn set_pin(
        &self,
        account: AccountId,
        pin: &Pin,
        always: bool,
    ) -> Result<(), TillError> {
        if pin.is_obvious() {
            return Err(TillError::PinUnfit);
        }
        let (pin, random) = (pin.clone(), self.random.clone());
        let hashed = tokio::task::spawn_blocking(move || hash(&pin, &*random)).await;
        let hash = &hashed.map_err(|_| TillError::PinUnfit)??;
        self.store
            .transaction("pin.set", |tx| {
                Box::pin(async move {
                    let wallet = wallet_of(tx, account).await?;
                    let thaws = wallet.frozen && wallet.pin_misses >= PIN_MISSES_MAX;
                    tx.execute(
                        "UPDATE till_wallets SET pin_hash = $1, pin_always = $2, pin_misses = 0, \
                         frozen = $3 WHERE wallet_id = $4",
                        params![hash.expose(), always, wallet.frozen && !thaws, wallet.id],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Forgets the PIN: above a limit the phone is asked for instead.
    ///
    /// # Errors
    /// [`TillError::NotFound`] without a wallet.
    pub async fn clear_pin(&self, account: AccountId) -> Result<(), TillError> {
        self.store
            .transaction("pin.clear", |tx| {
                Box::pin(async move {
                    let changed = tx
                        .execute(
                            "UPDATE till_wallets SET pin_hash = NULL, pin_always = FALSE \
                             WHERE account_id = $1",
                            params![account],
                        )
                        .await?;
                    found(changed, Thing::Wallet)
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn pins_are_digits_and_not_obvious() {
        for text in ["", "123", "123456789", "12a4", "１２３４", "-123"] {
            assert!(Pin::parse(text).is_err(), "{text}");
        }
        for text in ["0000", "1234", "98765"] {
            assert!(Pin::parse(text).unwrap().is_obvious(), "{text}");
        }
        assert!(!Pin::parse("2580").unwrap().is_obvious());
        assert_eq!(format!("{:?}", Pin::parse("2580").unwrap()), "Pin(hidden)");
    }

    #[test]
    fn a_hash_fits_its_pin_alone_and_no_two_are_alike() {
        let (random, pin) = (SeededRandom::new(1), Pin::parse("2580").unwrap());
        let (first, second) = (hash(&pin, &random).unwrap(), hash(&pin, &random).unwrap());
        assert!(first.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(first.expose(), second.expose());
        assert!(fits(&pin, &first) && fits(&pin, &second));
        assert!(!fits(&Pin::parse("2581").unwrap(), &first));
        assert!(!fits(&pin, &SecretText::new("nonsense".to_owned())));
    }
}
