//! What this crate's tests share: random templates, and probes that match them or do not.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use handfast_model::{
    Clock, CompanyId, Duration, GalleryId, ManualClock, PairwiseToken, RelyingParty, SeededRandom,
    Timestamp, VenueId,
};
use handfast_palm::{LENGTH, PROBE_VECTORS, Probe, Reference, Side};
use tempfile::TempDir;

use crate::danger::random_vector;
use crate::dealer::{Enrolment, Enrolments, Presentation, PresentedPalm};
use crate::vault::Step;
use crate::{
    EnrolOutcome, Identification, NewGallery, PlainVault, Purpose, ThresholdPolicy, VaultError,
};

/// The palm number `seed`.
pub(crate) fn random_reference(seed: u64) -> Reference {
    Reference::from_vector(random_vector(&SeededRandom::new(seed))).unwrap()
}

/// A probe of nobody's palm.
pub(crate) fn random_probe(seed: u64) -> Probe {
    let random = SeededRandom::new(seed ^ 0x5eed_0000_0000_0000);
    let vectors = (0..PROBE_VECTORS).flat_map(|_| random_vector(&random)).collect();
    Probe::from_vectors(vectors).unwrap()
}

/// A probe of a reference's own palm: one of its vectors is like the reference.
pub(crate) fn probe_of(reference: &Reference) -> Probe {
    let mut vectors: Vec<i8> = random_probe(77).vectors().flatten().copied().collect();
    vectors[3 * LENGTH..4 * LENGTH].copy_from_slice(reference.vector());
    // Another sample of the same palm is never quite the same.
    vectors[3 * LENGTH..4 * LENGTH].iter_mut().step_by(3).for_each(|value| *value = 0);
    Probe::from_vectors(vectors).unwrap()
}

/// What the owner of palm `seed` shows to enrol it.
pub(crate) fn enrolment(side: Side, seed: u64) -> Enrolment {
    let reference = random_reference(seed);
    let probe = probe_of(&reference);
    Enrolment::from_templates(side, reference, vec![probe]).unwrap()
}

/// One left palm to enrol.
pub(crate) fn left(seed: u64) -> Enrolments {
    Enrolments::new(vec![enrolment(Side::Left, seed)]).unwrap()
}

/// A left and a right palm to enrol.
pub(crate) fn both(left: u64, right: u64) -> Enrolments {
    Enrolments::new(vec![enrolment(Side::Left, left), enrolment(Side::Right, right)]).unwrap()
}

/// What the owner of palm `seed` shows to be found.
pub(crate) fn shown(side: Side, seed: u64) -> PresentedPalm {
    PresentedPalm::from_probes(side, vec![probe_of(&random_reference(seed))]).unwrap()
}

/// The owner of the left palm `seed`, presenting it.
pub(crate) fn presentation(seed: u64) -> Presentation {
    Presentation::new(vec![shown(Side::Left, seed)]).unwrap()
}

/// A vault in a folder of its own, at a time that stands still.
pub(crate) struct TestVault {
    pub(crate) dir: TempDir,
    pub(crate) vault: PlainVault,
    pub(crate) clock: Arc<ManualClock>,
    random: Arc<SeededRandom>,
    pub(crate) company: CompanyId,
}

impl TestVault {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_790_000_000_000_000)));
        let random = Arc::new(SeededRandom::new(7));
        let company = CompanyId::new(&*clock, &*random);
        let vault = PlainVault::open(dir.path(), clock.clone(), random.clone()).await.unwrap();
        Self { dir, vault, clock, random, company }
    }

    /// Closes the vault, and opens what is then on disk.
    pub(crate) async fn reopened(self) -> Self {
        let Self { dir, vault, clock, random, company } = self;
        vault.close().await;
        let vault = PlainVault::open(dir.path(), clock.clone(), random.clone()).await.unwrap();
        Self { dir, vault, clock, random, company }
    }

    /// Opens a vault in another folder, with the same clock.
    pub(crate) async fn open_at(&self, dir: &Path) -> Result<PlainVault, VaultError> {
        PlainVault::open(dir, self.clock.clone(), self.random.clone()).await
    }

    /// A day from now.
    pub(crate) fn tomorrow(&self) -> Timestamp {
        self.clock.now() + Duration::from_days(1)
    }

    pub(crate) fn new_company(&self) -> CompanyId {
        CompanyId::new(&*self.clock, &*self.random)
    }

    /// The terms of a venue's gallery for entry.
    pub(crate) fn entry_gallery(&self) -> NewGallery {
        NewGallery {
            gallery: GalleryId::new(&*self.clock, &*self.random),
            party: RelyingParty::Venue(VenueId::new(&*self.clock, &*self.random)),
            purpose: Purpose::Entry,
            policy: ThresholdPolicy::ENTRY,
        }
    }

    /// An open gallery for entry.
    pub(crate) async fn gallery(&self) -> GalleryId {
        let new = self.entry_gallery();
        self.vault.open_gallery(new).await.unwrap();
        new.gallery
    }

    /// Enrols palms that nobody has, and returns their company tokens.
    pub(crate) async fn enrol(&self, palms: Enrolments) -> Vec<PairwiseToken> {
        match self.vault.enrol(self.company, palms, self.tomorrow()).await.unwrap() {
            EnrolOutcome::Enrolled(palms) => palms.into_iter().map(|palm| palm.token).collect(),
            EnrolOutcome::AlreadyEnrolled => panic!("nobody has these palms"),
        }
    }

    pub(crate) async fn arm(&self, palm: PairwiseToken, gallery: GalleryId) -> PairwiseToken {
        self.vault.arm(self.company, palm, gallery, self.tomorrow()).await.unwrap()
    }

    /// What showing the left palm `seed` finds.
    pub(crate) async fn find(&self, gallery: GalleryId, seed: u64) -> Identification {
        self.vault.identify(gallery, presentation(seed)).await.unwrap()[0].identification
    }

    /// Calls `look` with the vault's folder as it is on disk at every step of a change.
    pub(crate) fn at_every_step(&self, look: impl Fn(Step, TempDir) + Send + 'static) {
        let dir = self.dir.path().to_owned();
        *self.vault.0.at_step.lock().unwrap() =
            Some(Box::new(move |step| look(step, copy_of(&dir))));
    }
}

/// A copy of a vault's folder: what a crash at this moment would leave. The lock is not copied,
/// nor SQLite's shared memory, which no crash survives.
pub(crate) fn copy_of(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name != "lock" && name != "vault.db-shm" {
            fs::copy(entry.path(), copy.path().join(name)).unwrap();
        }
    }
    copy
}

/// The files of a folder that hold these bytes anywhere.
pub(crate) fn files_with(dir: &Path, needle: &[u8]) -> Vec<OsString> {
    assert!(needle.len() >= 16, "shorter ones are found by chance");
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.filter(|entry| holds(&entry.path())).map(|entry| entry.file_name()).collect()
}
