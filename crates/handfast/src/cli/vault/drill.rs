//! `handfast vault drill`: what a thief makes of a node that was taken whole, and of two.
//!
//! Synthetic people enrol with two companies on three nodes that really run (processes' worth of
//! code, TLS, disks). Then the folders of one node, with all its keys, are opened as the node itself
//! opens them, and everything it keeps of palms is tried against three questions:
//!
//! - linking: are two rows, of two companies, of the same palm?
//! - inversion: is this template the one that a row was made of?
//! - membership: is the palm that I have a sample of enrolled here?
//!
//! The answers' worth is the area under the ROC curve: 0.5 is a coin, 1 is certainty. The interval is
//! Hanley and McNeil's (Radiology 143, 1982) at 95 %. What a node sees beside rows (when which slot
//! was made, which galleries it is armed in) is told apart: it is not hidden from it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, bail};
use clap::Args;
use handfast_model::{Clock as _, CompanyId, Duration, SeededRandom, SystemClock, SystemRandom};
use handfast_palm::{Reference, Sample, Side, reference};
use handfast_palm_synth::{Hand, Identity, Spectrum};
use handfast_vault::dealer::{Enrolment, Enrolments};
use handfast_vault::node::{NodeStore as _, SqliteStore};
use handfast_vault::process::{NodeOptions, RunningNode};
use handfast_vault::ring::{Element, POINTS};
use handfast_vault::setup::{init, move_nodes};
use handfast_vault::transport::Delay;
use handfast_vault::{EnrolOutcome, FrontOptions, Role, SplitVault, Vault};
use serde::Serialize;

use super::super::runtime::block_on;
use super::super::{Answer, print_json};
use super::unlinkability::d_sys;

/// Palms are drawn as crops of this size: the engine's own.
const ROI_PX: u32 = 160;
const FRAMES: u64 = 3;
const PATIENCE: StdDuration = StdDuration::from_secs(30);
/// Fewer people make intervals that say nothing.
const PEOPLE_MIN: u64 = 10;
/// More take longer than a drill should.
const PEOPLE_MAX: u64 = 400;

/// Arguments of `handfast vault drill`.
#[derive(Debug, Args)]
pub struct Drill {
    /// How many synthetic people enrol, and how many do not
    #[arg(long, default_value_t = 40, value_name = "NUMBER")]
    people: u64,
    /// Draws other people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One question, one thief.
#[derive(Clone, Serialize)]
struct Finding {
    stolen: String,
    question: &'static str,
    /// Area under the ROC curve.
    auc: f64,
    /// Its 95 % interval.
    interval: [f64; 2],
    genuine: usize,
    impostor: usize,
    /// Whether a coin would do as well: within 3.3 standard errors of 0.5, so that one drill in a
    /// hundred takes any of its nine coins for something better.
    is_a_coin: bool,
    /// Of linking: D_sys, and what mixed-up pairs reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    d_sys: Option<(f64, f64)>,
}

#[derive(Serialize)]
struct Report {
    people: u64,
    seed: u64,
    findings: Vec<Finding>,
    metadata: Metadata,
}

/// What one node knows besides.
#[derive(Serialize)]
struct Metadata {
    slots: usize,
    operations: usize,
    seen: [&'static str; 5],
}

impl Drill {
    pub(super) fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        if !(PEOPLE_MIN..=PEOPLE_MAX).contains(&self.people) {
            bail!(
                "a drill takes {PEOPLE_MIN} to {PEOPLE_MAX} people, {} were asked for",
                self.people
            );
        }
        let folder = tempfile::tempdir().context("no temporary folder could be made")?;
        let people = People::draw(self.people, self.seed)?;
        block_on(enrol_all(folder.path(), &people))?;
        let report = self.report(folder.path(), &people)?;
        if self.json {
            print_json(out, &report)?;
        } else {
            print(out, &report)?;
        }
        Ok(if as_claimed(&report) { Answer::Positive } else { Answer::Negative })
    }

    fn report(&self, dir: &Path, people: &People) -> anyhow::Result<Report> {
        let mut findings = Vec::new();
        let mut nodes = Vec::new();
        for word in ["a", "b", "c"] {
            nodes.push(Loot::of(&dir.join(word))?);
        }
        for (role, loot) in Role::ALL.into_iter().zip(&nodes) {
            findings.extend(questions(&format!("node {role}"), &loot.as_vectors(), people));
        }
        for (one, other) in [(0, 1), (1, 2), (2, 0)] {
            let stolen = format!("nodes {} and {}", Role::ALL[one], Role::ALL[other]);
            let joined = join((one, &nodes[one]), (other, &nodes[other]))?;
            findings.extend(questions(&stolen, &joined, people));
        }
        let metadata = Metadata {
            slots: nodes[0].rows.len(),
            operations: nodes[0].operations,
            seen: [
                "when each slot was enrolled, of which hand, in whose gallery",
                "in which galleries it is armed, and until when",
                "how many slots each gallery has, and its threshold",
                "when which device searched which gallery, as long as budgets are counted",
                "which slots were deleted, and when",
            ],
        };
        Ok(Report { people: self.people, seed: self.seed, findings, metadata })
    }
}

/// One node: no question answered better than by a coin. Two: every one.
fn as_claimed(report: &Report) -> bool {
    report.findings.iter().all(|finding| {
        if finding.stolen.contains("and") { finding.auc > 0.95 } else { finding.is_a_coin }
    })
}

fn print(out: &mut dyn Write, report: &Report) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} synthetic people enrolled with two companies; everything a node keeps was taken.\n\n\
         {:<14} {:<11} {:>6}  {:<15} verdict",
        report.people, "stolen", "question", "AUC", "95 % interval"
    )?;
    for finding in &report.findings {
        let [low, high] = finding.interval;
        let verdict = if finding.is_a_coin { "a coin" } else { "better than a coin" };
        writeln!(
            out,
            "{:<14} {:<11} {:>6.3}  {:.3} to {:.3}  {verdict}",
            finding.stolen, finding.question, finding.auc, low, high
        )?;
    }
    writeln!(
        out,
        "\nUnlinkability D_sys of two enrolments of one palm (0: none, 1: fully linkable), and what \
         pairs that\nare mixed up at random reach in 99 of 100 cases:"
    )?;
    for finding in &report.findings {
        if let Some((value, of_nothing)) = finding.d_sys {
            writeln!(out, "  {:<14} {value:.3}  {of_nothing:.3}", finding.stolen)?;
        }
    }
    writeln!(
        out,
        "\n{} intervals of 95 %: one in twenty misses 0.5 by chance; the verdict allows for that.\n\n\
         Not hidden from a node ({} slots, {} operations here):",
        report.findings.len(),
        report.metadata.slots,
        report.metadata.operations
    )?;
    for seen in report.metadata.seen {
        writeln!(out, "  {seen}")?;
    }
    Ok(())
}

/// Those who enrol, twice each, and as many who do not.
struct People {
    enrolled: Vec<Hand>,
    /// What each enrols with: first company, second company.
    references: Vec<[Reference; 2]>,
    /// A further sample of each.
    later: Vec<Reference>,
    strangers: Vec<Reference>,
}

impl People {
    fn draw(count: u64, seed: u64) -> anyhow::Result<Self> {
        let first = seed.wrapping_mul(1_000_003);
        let hand = |number: u64| Identity::from_seed(first.wrapping_add(number)).palm(Side::Left);
        let enrolled: Vec<Hand> = (1..=count).map(hand).collect();
        let mut references = Vec::new();
        let mut later = Vec::new();
        for hand in &enrolled {
            references.push([reference(&visit(hand, 0))?, reference(&visit(hand, 1))?]);
            later.push(reference(&visit(hand, 2))?);
        }
        let strangers = (count + 1..=2 * count).map(|number| reference(&visit(&hand(number), 0)));
        let strangers = strangers.collect::<Result<_, _>>()?;
        Ok(Self { enrolled, references, later, strangers })
    }
}

/// The frames of one capture.
fn visit(hand: &Hand, visit: u64) -> Vec<Sample> {
    (0..FRAMES)
        .map(|frame| {
            let picture = hand.roi(visit * FRAMES + frame, Spectrum::Visible, ROI_PX);
            Sample::from_roi_picture(&picture, hand.side())
        })
        .collect()
}

/// Runs three nodes in `dir`, enrols everybody with both companies, and stops the nodes.
async fn enrol_all(dir: &Path, people: &People) -> anyhow::Result<()> {
    let free = [0; 3].map(|_| std::net::TcpListener::bind("127.0.0.1:0"));
    let [a, b, c] = free;
    let held = [a?, b?, c?];
    let addresses = [held[0].local_addr()?, held[1].local_addr()?, held[2].local_addr()?];
    let addresses = addresses.map(|address| address.to_string());
    init(dir, addresses.clone(), &SystemClock, &SystemRandom)?;
    move_nodes(dir, addresses)?;
    drop(held);
    let mut nodes = Vec::new();
    for word in ["a", "b", "c"] {
        let options = NodeOptions {
            dir: dir.join(word),
            listen: None,
            delay: Delay::default(),
            strict: false,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        nodes.push(RunningNode::start(options).await?);
    }
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let options = FrontOptions { delay: Delay::default(), clock, random };
    let split = SplitVault::open(&dir.join("front"), options).await?;
    split.ready(PATIENCE).await?;
    let vault: Vault = split.into();
    let until = SystemClock.now() + Duration::from_days(1);
    for company in 0..2 {
        let id = CompanyId::new(&SystemClock, &SeededRandom::new(company));
        for hand in &people.enrolled {
            let palm = Enrolment::from_samples(&visit(hand, company))?;
            let outcome = vault.enrol(id, Enrolments::new(vec![palm])?, until).await?;
            if outcome == EnrolOutcome::AlreadyEnrolled {
                bail!("two synthetic people are taken for one; draw others with --seed");
            }
        }
    }
    vault.close().await;
    for node in nodes {
        node.stop().await;
    }
    Ok(())
}

/// Everything of palms that a node keeps: rows by slot, opened with the node's own keys.
struct Loot {
    rows: Vec<(u64, Vec<u16>)>,
    operations: usize,
}

impl Loot {
    fn of(dir: &Path) -> anyhow::Result<Self> {
        let mut store = SqliteStore::open(dir, Arc::new(SystemRandom))?;
        let mut rows = Vec::new();
        store.rows(&mut |slot, bytes| {
            let numbers = bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two));
            rows.push((slot, numbers.collect()));
        })?;
        let mut operations = 0;
        store.operations(1, &mut |_| {
            operations += 1;
            true
        })?;
        Ok(Self { rows, operations })
    }

    /// What a thief of one node has: numbers, as if they were a template.
    fn as_vectors(&self) -> Vec<Vec<f64>> {
        let signed = |numbers: &Vec<u16>| {
            numbers.iter().map(|number| f64::from(number.cast_signed())).collect()
        };
        self.rows.iter().map(|(_, numbers)| signed(numbers)).collect()
    }
}

/// What a thief of two nodes has: the line through two points, at 0.
fn join((i, one): (usize, &Loot), (j, other): (usize, &Loot)) -> anyhow::Result<Vec<Vec<f64>>> {
    let (e, f) = (POINTS[i], POINTS[j]);
    let inverse = f.minus(e).inverse().context("two nodes have two points")?;
    let (of_one, of_other) = (f.times(inverse), e.times(inverse));
    let mut joined = Vec::new();
    for ((slot, ours), (same, theirs)) in one.rows.iter().zip(&other.rows) {
        if slot != same || ours.len() != theirs.len() {
            bail!("the nodes do not hold the same slots");
        }
        let pairs = ours.as_chunks::<4>().0.iter().zip(theirs.as_chunks::<4>().0);
        let numbers = pairs.flat_map(|(y, z)| {
            let at_zero = Element(*y).times(of_one).minus(Element(*z).times(of_other));
            at_zero.unpack().map(|number| f64::from(number.cast_signed()))
        });
        joined.push(numbers.collect());
    }
    Ok(joined)
}

/// Rows come in the order of enrolment: the first company's people, then the second's.
fn questions(stolen: &str, rows: &[Vec<f64>], people: &People) -> Vec<Finding> {
    let count = people.enrolled.len();
    let (first, second) = rows.split_at(count.min(rows.len()));
    let templates: Vec<Vec<f64>> =
        people.references.iter().map(|[reference, _]| numbers(reference)).collect();
    let finding = |question, genuine: &[f64], impostor: &[f64]| {
        let (auc, interval) = auc(genuine, impostor);
        let is_a_coin = is_a_coin(auc, genuine.len(), impostor.len());
        let (genuine, impostor) = (genuine.len(), impostor.len());
        let stolen = stolen.to_owned();
        Finding { stolen, question, auc, interval, genuine, impostor, is_a_coin, d_sys: None }
    };
    let (same, different) = pairs(first, second);
    let (own, others) = pairs(first, &templates);
    let best = |probe: &Reference| {
        let probe = numbers(probe);
        first.iter().map(|row| likeness(row, &probe)).fold(f64::MIN, f64::max)
    };
    let members: Vec<f64> = people.later.iter().map(best).collect();
    let strangers: Vec<f64> = people.strangers.iter().map(best).collect();
    let linking = finding("linking", &same, &different);
    vec![
        Finding { d_sys: Some(d_sys(&same, &different)), ..linking },
        finding("inversion", &own, &others),
        finding("membership", &members, &strangers),
    ]
}

fn numbers(reference: &Reference) -> Vec<f64> {
    reference.vector().iter().map(|number| f64::from(*number)).collect()
}

/// Likenesses of what belongs together, and of one of each with the next person's.
fn pairs(one: &[Vec<f64>], other: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let count = one.len().min(other.len());
    let of = |shift: usize| {
        (0..count).map(|at| likeness(&one[at], &other[(at + shift) % count])).collect::<Vec<_>>()
    };
    let mut different = of(1);
    different.extend(of(2));
    (of(0), different)
}

/// The correlation of two vectors.
fn likeness(one: &[f64], other: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt().max(f64::MIN_POSITIVE)
}

/// The chance that a genuine pair is more alike than an impostor's, ties half, with its interval.
fn auc(genuine: &[f64], impostor: &[f64]) -> (f64, [f64; 2]) {
    let above = |pair: (f64, f64)| {
        if pair.0 > pair.1 { 1.0 } else { f64::from(u8::from(pair.0 == pair.1)) / 2.0 }
    };
    let (n, m) = (genuine.len() as f64, impostor.len() as f64);
    let wins: f64 =
        genuine.iter().flat_map(|g| impostor.iter().map(move |i| above((*g, *i)))).sum();
    let area = wins / (n * m);
    let (q1, q2) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let square = area * area;
    let variance = area * (1.0 - area) + (n - 1.0) * (q1 - square) + (m - 1.0) * (q2 - square);
    let error = 1.96 * (variance.max(0.0) / (n * m)).sqrt();
    (area, [(area - error).max(0.0), (area + error).min(1.0)])
}

/// Whether guessing would do as well, by the standard error that the area has under guessing.
fn is_a_coin(area: f64, genuine: usize, impostor: usize) -> bool {
    let (n, m) = (genuine as f64, impostor as f64);
    let error = ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    (area - 0.5).abs() <= 3.3 * error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_what_it_should_be() {
        let (area, interval) = auc(&[3.0, 4.0], &[1.0, 2.0]);
        assert!(area == 1.0 && interval == [1.0, 1.0]);
        assert_eq!(auc(&[1.0], &[1.0]).0, 0.5);
        assert_eq!(auc(&[1.0, 4.0], &[2.0, 3.0]).0, 0.5);
        assert_eq!(auc(&[2.0, 5.0], &[1.0, 3.0]).0, 0.75);
        // Hanley and McNeil's table: area 0.8, 50 and 50 cases: standard error 0.045.
        let (n, m) = (50.0, 50.0);
        let (q1, q2) = (0.8 / 1.2, 2.0 * 0.64 / 1.8);
        let variance: f64 = 0.8 * 0.2 + (n - 1.0) * (q1 - 0.64) + (m - 1.0) * (q2 - 0.64);
        assert!(((variance / (n * m)).sqrt() - 0.045).abs() < 0.001);
    }
}
