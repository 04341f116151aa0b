//! Synthetic people through the whole crate: frames, dealer, vault, thresholds as shipped.
//!
//! Failure: somebody enrolled is not found, or is taken for somebody else, in another sample of
//! their palm; a stranger is found; a second enrolment passes. Error rates are not measured here.
#![expect(clippy::unwrap_used, reason = "a test stops at anything unexpected")]

use std::sync::Arc;

use handfast_model::{
    Clock, CompanyId, Duration, GalleryId, ManualClock, PairwiseToken, RelyingParty, SeededRandom,
    Timestamp, VenueId,
};
use handfast_palm::{Sample, Side};
use handfast_palm_synth::{Hand, Identity, Spectrum};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::{EnrolOutcome, Identification, NewGallery, Purpose, ThresholdPolicy, Vault};

const PEOPLE: u64 = 6;
const FRAMES: u64 = 3;
const ROI_PX: u32 = 160;

/// Frames of one capture: `visit` tells captures apart.
fn frames(hand: &Hand, visit: u64) -> Vec<Sample> {
    (0..FRAMES)
        .map(|frame| {
            let picture = hand.roi(visit * FRAMES + frame, Spectrum::Visible, ROI_PX);
            Sample::from_roi_picture(&picture, hand.side())
        })
        .collect()
}

fn person(seed: u64) -> [Hand; 2] {
    let identity = Identity::from_seed(seed);
    [Side::Left, Side::Right].map(|side| identity.hand(side))
}

fn to_enrol(person: &[Hand; 2], visit: u64) -> Enrolments {
    let palms = person.iter().map(|hand| frames(hand, visit));
    let palms = palms.map(|frames| Enrolment::from_samples(&frames).unwrap());
    Enrolments::new(palms.collect()).unwrap()
}

fn to_find(person: &[Hand; 2], visit: u64) -> Presentation {
    let palms = person.iter().map(|hand| frames(hand, visit));
    let palms = palms.map(|frames| PresentedPalm::from_samples(&frames).unwrap());
    Presentation::new(palms.collect()).unwrap()
}

#[tokio::test]
async fn everybody_enrolled_is_found_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
    let random = Arc::new(SeededRandom::new(1));
    let company = CompanyId::new(&*clock, &*random);
    let until = clock.now() + Duration::from_days(1);
    let vault = Vault::open(dir.path(), clock.clone(), random.clone()).await.unwrap();
    let gallery = GalleryId::new(&*clock, &*random);
    let party = RelyingParty::Venue(VenueId::new(&*clock, &*random));
    let (purpose, policy) = (Purpose::Entry, ThresholdPolicy::ENTRY);
    vault.open_gallery(NewGallery { gallery, party, purpose, policy }).await.unwrap();

    let people: Vec<_> = (1..=PEOPLE).map(person).collect();
    let mut tokens: Vec<Vec<PairwiseToken>> = Vec::new();
    for person in &people {
        let enrolled = vault.enrol(company, to_enrol(person, 1), until).await.unwrap();
        let EnrolOutcome::Enrolled(palms) = enrolled else { panic!("taken for somebody else") };
        let mut armed = Vec::new();
        for palm in palms {
            armed.push(vault.arm(company, palm.token, gallery, until).await.unwrap());
        }
        tokens.push(armed);
    }
    for (person, tokens) in people.iter().zip(&tokens) {
        let found = vault.identify(gallery, to_find(person, 2)).await.unwrap();
        let found: Vec<_> = found.iter().map(|palm| palm.identification).collect();
        let expected: Vec<_> = tokens.iter().copied().map(Identification::Match).collect();
        assert_eq!(found, expected);
        let again = vault.enrol(company, to_enrol(person, 3), until).await.unwrap();
        assert_eq!(again, EnrolOutcome::AlreadyEnrolled);
    }
    let stranger = person(PEOPLE + 1);
    for palm in vault.identify(gallery, to_find(&stranger, 1)).await.unwrap() {
        assert_eq!(palm.identification, Identification::NoMatch);
    }
}
