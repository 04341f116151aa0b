//! How long a search takes: fills a vault with random palms and looks for a stranger in it.
//!
//! `cargo run --release -p handfast-vault --example search_time -- 10000 3`: palms, and frames of
//! the presented palm.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::sync::Arc;

use handfast_model::{
    Clock, CompanyId, GalleryId, Random, RelyingParty, SystemClock, SystemRandom, Timestamp,
    VenueId,
};
use handfast_palm::{LENGTH, PROBE_VECTORS, Probe, Side};
use handfast_vault::dealer::{Presentation, PresentedPalm};
use handfast_vault::{Identification, NewGallery, Purpose, ThresholdPolicy, Vault};

const SEARCHES: usize = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let palms: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let frames: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let vault = Vault::open(dir.path(), Arc::new(SystemClock), Arc::new(SystemRandom)).await?;
    let gallery = GalleryId::new(&SystemClock, &SystemRandom);
    let policy = ThresholdPolicy { palms_max: u32::try_from(palms)?, ..ThresholdPolicy::ENTRY };
    let party = RelyingParty::Venue(VenueId::new(&SystemClock, &SystemRandom));
    vault.open_gallery(NewGallery { gallery, party, purpose: Purpose::Entry, policy }).await?;
    let company = CompanyId::new(&SystemClock, &SystemRandom);
    let fill_start = SystemClock.now();
    vault.danger_fill(company, &[gallery], palms, Timestamp::MAX).await?;
    let fill_ms = (SystemClock.now() - fill_start).as_millis_f64();

    let mut times_ms = Vec::with_capacity(SEARCHES);
    for _ in 0..SEARCHES {
        let presentation = stranger(frames)?;
        let start = SystemClock.now();
        let found = vault.identify(gallery, presentation).await?;
        times_ms.push((SystemClock.now() - start).as_millis_f64());
        assert_eq!(found[0].identification, Identification::NoMatch, "nobody was shown");
    }
    times_ms.sort_by(f64::total_cmp);
    println!("{palms} palms of {LENGTH}, {frames} frames of {PROBE_VECTORS} vectors");
    println!("filled in {fill_ms:.0} ms");
    println!("search p50 {:.1} ms", times_ms[SEARCHES / 2]);
    println!("search p95 {:.1} ms", times_ms[SEARCHES * 95 / 100]);

    vault.close().await;
    let start = SystemClock.now();
    Vault::open(dir.path(), Arc::new(SystemClock), Arc::new(SystemRandom)).await?;
    println!("opened in {:.0} ms", (SystemClock.now() - start).as_millis_f64());
    Ok(())
}

/// A palm of small random numbers: like nobody's.
fn stranger(frames: usize) -> Result<Presentation, Box<dyn Error>> {
    let probes: Result<Vec<Probe>, _> = (0..frames)
        .map(|_| {
            let mut bytes = vec![0; PROBE_VECTORS * LENGTH];
            SystemRandom.fill(&mut bytes);
            Probe::from_vectors(bytes.iter().map(|byte| (byte % 5).cast_signed() - 2).collect())
        })
        .collect();
    Ok(Presentation::new(vec![PresentedPalm::from_probes(Side::Left, probes?)?])?)
}
