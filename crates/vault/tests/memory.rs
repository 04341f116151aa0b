//! After a deletion the template is nowhere in the process's memory.
//!
//! Goal: the memory of this very process is read back through `/proc/self/mem`, all of it that can
//! be written but the stacks, and searched for pieces of a stored template. Failure: a piece is
//! found after the deletion, or none is found before (then the search itself is broken). Not
//! covered: swap, registers, and stacks, where the system saves registers when it likes and up to
//! 64 bytes of a template were seen to stay. The pieces looked for are kept inverted, or the search
//! would find its own needle. A file of its own, so that no other test shares the process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops at anything unexpected")]

use std::sync::Arc;

use handfast_model::{
    Clock, CompanyId, Duration, GalleryId, ManualClock, RelyingParty, SeededRandom, Timestamp,
    VenueId,
};
use handfast_palm::reference;
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::{EnrolOutcome, Identification, NewGallery, Purpose, ThresholdPolicy, Vault};

mod scan;

use scan::{inverted_pieces, occurrences, sample};

#[tokio::test]
async fn a_deleted_palm_is_nowhere_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
    let random = Arc::new(SeededRandom::new(1));
    let company = CompanyId::new(&*clock, &*random);
    let until = clock.now() + Duration::from_days(1);
    let vault = Vault::open(dir.path(), clock.clone(), random.clone()).await.unwrap();
    let pieces = inverted_pieces(reference(&[sample()]).unwrap().vector());
    assert!(pieces.len() >= 4, "the picture gives a template that can be told from noise");
    assert_eq!(occurrences(&pieces), 0, "making the pieces left some behind");

    let palm = Enrolment::from_samples(&[sample()]).unwrap();
    let palms = Enrolments::new(vec![palm]).unwrap();
    let EnrolOutcome::Enrolled(palms) = vault.enrol(company, palms, until).await.unwrap() else {
        panic!("the vault is empty")
    };
    let gallery = GalleryId::new(&*clock, &*random);
    let party = RelyingParty::Venue(VenueId::new(&*clock, &*random));
    let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
    vault.open_gallery(NewGallery { gallery, party, purpose, policy }).await.unwrap();
    let token = vault.arm(company, palms[0].token, gallery, until).await.unwrap();
    let shown = || {
        let palm = PresentedPalm::from_samples(&[sample()]).unwrap();
        Presentation::new(vec![palm]).unwrap()
    };
    let found = vault.identify(gallery, shown()).await.unwrap();
    assert_eq!(found[0].identification, Identification::Match(token));
    let before = occurrences(&pieces);
    assert!(before >= pieces.len(), "the control finds the palm that is held: {before}");

    vault.delete(company, &[palms[0].token]).await.unwrap();
    assert_eq!(occurrences(&pieces), 0, "of {before} before the deletion");
}
