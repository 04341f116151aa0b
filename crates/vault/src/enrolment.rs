//! Enrolling: a palm is stored if nobody of the company has it already.

use std::sync::Arc;

use handfast_model::{CompanyId, PairwiseToken, Timestamp};
use handfast_palm::Side;

use crate::dealer::Enrolments;
use crate::gallery::{Gallery, GalleryState, NewGallery};
use crate::storing::{NewPalm, NewPalms};
use crate::vault::{Inner, PlainVault};
use crate::{Query, VaultError, gallery_records};

/// How an enrolment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolOutcome {
    /// Stored, every palm of it.
    Enrolled(Vec<EnrolledPalm>),
    /// A palm of the company is like one of these. Nothing was stored, and whose palm it is
    /// nobody learns: that person signs in to move the link.
    AlreadyEnrolled,
}

/// A palm that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrolledPalm {
    /// Which hand.
    pub side: Side,
    /// What the company knows it by from now on: the handle for arming and deleting.
    pub token: PairwiseToken,
}

impl PlainVault {
    /// Enrols one or both palms of a person with a company, unless one of them is like a palm that
    /// the company has. All palms are stored or none; of two enrolments of one palm at the same
    /// time exactly one succeeds. `until` is when the consent ends: till then later enrolments are
    /// checked against these palms.
    ///
    /// # Errors
    /// [`VaultError::UntilPassed`], [`VaultError::GalleryFull`], failures of disk and database.
    pub async fn enrol(
        &self,
        company: CompanyId,
        palms: Enrolments,
        until: Timestamp,
    ) -> Result<EnrolOutcome, VaultError> {
        self.to_the_end(move |inner| inner.enrol(company, palms, until)).await
    }
}

impl Inner {
    async fn enrol(
        self: Arc<Self>,
        company: CompanyId,
        palms: Enrolments,
        until: Timestamp,
    ) -> Result<EnrolOutcome, VaultError> {
        // Held from the check to the end: nobody enrols the same palm in between.
        let mut numbers = self.changes.lock().await;
        let now = self.clock.now();
        if until <= now {
            return Err(VaultError::UntilPassed);
        }
        let gallery = self.ensure_enrolment_gallery(company).await?;
        let (palms, known, armed) = self.check(gallery, palms, now).await?;
        if known {
            return Ok(EnrolOutcome::AlreadyEnrolled);
        }
        let sides: Vec<Side> = palms.palms().iter().map(|palm| palm.side()).collect();
        let palms_max = gallery.spec.policy.palms_max;
        let gallery = gallery.spec.gallery;
        if armed + sides.len() > palms_max as usize {
            return Err(VaultError::GalleryFull { gallery, palms_max });
        }
        let palms = palms
            .into_palms()
            .into_iter()
            .map(|palm| NewPalm { side: palm.side(), reference: palm.into_reference() })
            .collect();
        let new = NewPalms { company, palms, galleries: vec![gallery], until };
        let tokens = self.store_palms(&mut numbers, new).await?;
        let enrolled = sides.into_iter().zip(tokens);
        let enrolled = enrolled.map(|(side, token)| EnrolledPalm { side, token }).collect();
        Ok(EnrolOutcome::Enrolled(enrolled))
    }

    /// Whether any of the palms is like one of the gallery, and how many those are.
    async fn check(
        &self,
        gallery: Gallery,
        palms: Enrolments,
        now: Timestamp,
    ) -> Result<(Enrolments, bool, usize), VaultError> {
        let gallery = gallery.spec.gallery;
        self.with_matcher(move |matcher| {
            let known = palms.palms().iter().any(|palm| {
                matcher.contains(Query { gallery, side: palm.side(), probes: palm.probes(), now })
            });
            let armed = matcher.armed(gallery, now);
            (palms, known, armed)
        })
        .await
    }

    /// The company's gallery for duplicate checks, made at its first enrolment.
    pub(crate) async fn ensure_enrolment_gallery(
        &self,
        company: CompanyId,
    ) -> Result<Gallery, VaultError> {
        let found = self.directory().galleries.of_duplicate_checks(company);
        if let Some(gallery) = found {
            return Ok(gallery);
        }
        self.add_gallery(NewGallery::of_duplicate_checks(company, &*self.clock, &*self.random))
            .await
    }

    /// Stores a new gallery and makes it searchable. The caller holds [`Inner::changes`].
    pub(crate) async fn add_gallery(&self, spec: NewGallery) -> Result<Gallery, VaultError> {
        self.ensure_party(spec.party).await?;
        let thresholds = spec.policy.thresholds();
        let gallery = Gallery { spec, thresholds, state: GalleryState::Open };
        let added = self.store.transaction("vault.open_gallery", |tx| {
            Box::pin(async move { gallery_records::insert_gallery(tx, &gallery).await })
        });
        added.await?;
        self.with_matcher(move |matcher| matcher.open_gallery(spec.gallery, thresholds)).await?;
        self.directory_mut().galleries.put(gallery);
        Ok(gallery)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Clock, Duration};

    use super::*;
    use crate::Identification;
    use crate::testing::{TestVault, both, files_with, left, random_reference, shown};

    #[tokio::test]
    async fn an_enrolled_palm_is_known_by_different_tokens_to_each_relying_party() {
        let test = TestVault::new().await;
        let company_token = test.enrol(left(1)).await[0];
        let (ours, theirs) = (test.gallery().await, test.gallery().await);
        let tokens = [test.arm(company_token, ours).await, test.arm(company_token, theirs).await];
        assert_ne!(tokens[0], tokens[1]);
        assert!(!tokens.contains(&company_token));
        assert_eq!(test.find(ours, 1).await, Identification::Match(tokens[0]));
        assert_eq!(test.find(theirs, 1).await, Identification::Match(tokens[1]));
        assert_eq!(test.find(ours, 2).await, Identification::NoMatch);
    }

    #[tokio::test]
    async fn a_known_palm_is_not_enrolled_again_nor_anything_with_it() {
        let test = TestVault::new().await;
        test.enrol(both(1, 2)).await;
        let before = test.vault.status().palms;
        for palms in [left(1), both(1, 3), both(4, 2)] {
            let outcome = test.vault.enrol(test.company, palms, test.tomorrow()).await.unwrap();
            assert_eq!(outcome, EnrolOutcome::AlreadyEnrolled);
        }
        assert_eq!(test.vault.status().palms, before);
        let test = test.reopened().await;
        assert_eq!(test.vault.status().palms, before);
        test.enrol(both(4, 3)).await;
    }

    #[tokio::test]
    async fn companies_do_not_see_each_others_palms() {
        let test = TestVault::new().await;
        let ours = test.enrol(left(1)).await[0];
        let other = test.new_company();
        let outcome = test.vault.enrol(other, left(1), test.tomorrow()).await.unwrap();
        let EnrolOutcome::Enrolled(palms) = outcome else { panic!("another company's palm") };
        assert_ne!(palms[0].token, ours);
        let gallery = test.gallery().await;
        let error = test.vault.arm(other, ours, gallery, test.tomorrow()).await.unwrap_err();
        assert!(matches!(error, VaultError::PalmUnknown));
        let error = test.vault.delete(other, &[ours]).await.unwrap_err();
        assert!(matches!(error, VaultError::PalmUnknown));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_simultaneous_enrolments_of_one_palm_one_succeeds() {
        let test = TestVault::new().await;
        let enrolments: Vec<_> = (0..8)
            .map(|_| {
                let (vault, company, until) = (test.vault.clone(), test.company, test.tomorrow());
                tokio::spawn(async move { vault.enrol(company, left(1), until).await.unwrap() })
            })
            .collect();
        let mut enrolled = 0;
        for enrolment in enrolments {
            enrolled += usize::from(enrolment.await.unwrap() != EnrolOutcome::AlreadyEnrolled);
        }
        assert_eq!((enrolled, test.vault.status().palms), (1, 1));
    }

    #[tokio::test]
    async fn a_consent_that_is_over_enrols_nobody_and_hides_nobody() {
        let test = TestVault::new().await;
        let now = test.clock.now();
        let error = test.vault.enrol(test.company, left(1), now).await.unwrap_err();
        assert!(matches!(error, VaultError::UntilPassed));
        assert_eq!(test.vault.status().palms, 0);
        test.enrol(left(1)).await;
        test.clock.advance(Duration::from_days(1));
        // The first palm's consent to be searched for duplicates has ended with its day.
        test.enrol(left(1)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_enrolment_goes_on_when_its_caller_goes_away() {
        let test = TestVault::new().await;
        {
            let enrolment = test.vault.enrol(test.company, left(1), test.tomorrow());
            let mut enrolment = std::pin::pin!(enrolment);
            let first_poll = std::future::poll_fn(|context| {
                std::task::Poll::Ready(enrolment.as_mut().poll(context).is_pending())
            });
            assert!(first_poll.await, "it waits for the disk at the first poll");
        }
        // The next change waits for it, and then finds it done.
        let outcome = test.vault.enrol(test.company, left(1), test.tomorrow()).await.unwrap();
        assert_eq!(outcome, EnrolOutcome::AlreadyEnrolled);
    }

    #[tokio::test]
    async fn no_template_and_no_token_is_on_disk_in_clear() {
        let test = TestVault::new().await;
        let token = test.enrol(left(1)).await[0];
        let venue_token = test.arm(token, test.gallery().await).await;
        let template = random_reference(1).to_bytes();
        let dir = test.dir.path();
        assert!(files_with(dir, &template[7..39]).is_empty());
        assert!(files_with(dir, token.as_bytes()).is_empty());
        assert!(files_with(dir, venue_token.as_bytes()).is_empty());
        let control = test.company.to_string();
        assert!(!files_with(dir, control.as_bytes()).is_empty(), "the search finds what is there");
    }

    #[tokio::test]
    async fn both_palms_are_found_each_for_itself() {
        let test = TestVault::new().await;
        let tokens = test.enrol(both(1, 2)).await;
        let gallery = test.gallery().await;
        let armed = [test.arm(tokens[0], gallery).await, test.arm(tokens[1], gallery).await];
        let palms = vec![shown(Side::Right, 2), shown(Side::Left, 1)];
        let shown = crate::dealer::Presentation::new(palms).unwrap();
        let found = test.vault.identify(gallery, shown).await.unwrap();
        let found: Vec<_> = found.iter().map(|palm| (palm.side, palm.identification)).collect();
        let (right, left) = (Identification::Match(armed[1]), Identification::Match(armed[0]));
        assert_eq!(found, [(Side::Right, right), (Side::Left, left)]);
    }
}
