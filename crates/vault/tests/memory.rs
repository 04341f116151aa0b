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

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use handfast_model::{
    Clock, CompanyId, Duration, GalleryId, ManualClock, RelyingParty, SeededRandom, Timestamp,
    VenueId,
};
use handfast_palm::{Picture, Sample, Side, reference};
use handfast_vault::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use handfast_vault::{EnrolOutcome, Identification, NewGallery, Purpose, ThresholdPolicy, Vault};

/// Bytes of a template that are looked for together: shorter pieces occur by chance.
const PIECE: usize = 24;

/// The stack of a thread that the standard library or the runtime starts.
const THREAD_STACK: u64 = 2 << 20;

/// A picture without meaning, the same at each call: three wavy gratings over another.
fn sample() -> Sample {
    let grey = (0..160_u32 * 160).map(|at| {
        let (x, y) = (f64::from(at % 160), f64::from(at / 160));
        let waves = (x * 0.31 + (y * 0.05).sin() * 3.0).sin()
            + (y * 0.23 + x * 0.11).sin()
            + ((x - y) * 0.17 + (x * 0.07).cos()).cos();
        (128.0 + 30.0 * waves) as u8
    });
    let picture = Picture::from_grey(160, 160, grey.collect()).unwrap();
    Sample::from_roi_picture(&picture, Side::Left)
}

/// Pieces of the template, every byte inverted.
fn inverted_pieces() -> Vec<Vec<u8>> {
    let template = reference(&[sample()]).unwrap();
    let pieces = template.vector().chunks_exact(PIECE);
    // Flat pieces may occur anywhere.
    let telling = |piece: &&[i8]| piece.iter().filter(|value| **value != 0).count() > PIECE / 2;
    pieces
        .filter(telling)
        .step_by(3)
        .map(|piece| piece.iter().map(|value| !value.cast_unsigned()).collect())
        .collect()
}

/// How often one of the pieces lies anywhere in this process's writable memory, as stored
/// (8 bits a number) or widened for a search (16 bits).
fn occurrences(inverted: &[Vec<u8>]) -> usize {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let length = u64::from_str_radix(end, 16).unwrap() - start;
        if length == THREAD_STACK || line.ends_with("[stack]") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            count += inverted.iter().map(|piece| found(&bytes, piece)).sum::<usize>();
        }
        // What was read is a copy of everything: it must not be found in its turn.
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
    count
}

fn found(bytes: &[u8], inverted: &[u8]) -> usize {
    let first = !inverted[0];
    let mut count = 0;
    for at in (0..bytes.len()).filter(|at| bytes[*at] == first) {
        let narrow = |offset: usize| bytes.get(at + offset).copied();
        let wide = |offset: usize| bytes.get(at + 2 * offset).copied();
        let equals = |read: &dyn Fn(usize) -> Option<u8>| {
            inverted.iter().enumerate().all(|(offset, byte)| read(offset) == Some(!byte))
        };
        count += usize::from(equals(&narrow)) + usize::from(equals(&wide));
    }
    count
}

#[tokio::test]
async fn a_deleted_palm_is_nowhere_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
    let random = Arc::new(SeededRandom::new(1));
    let company = CompanyId::new(&*clock, &*random);
    let until = clock.now() + Duration::from_days(1);
    let vault = Vault::open(dir.path(), clock.clone(), random.clone()).await.unwrap();
    let pieces = inverted_pieces();
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
