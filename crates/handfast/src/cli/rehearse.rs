//! `handfast rehearse`: plays an evening of an amphitheatre against real processes in compressed time.
//!
//! Goal: what a venue asks before it trusts its gates to a program: how long the queues are, how much
//! of a person's time in the lane is the system's, and that nobody is lost and nobody is let in twice
//! but those who are reported.
//! Real: the service and each agent's lane (`handfast lane`) are processes; every scan is a request
//! over HTTP, whose time is measured; the network is cut and a lane is killed. Played: walking and
//! capture times, which are inputs and printed; a palm lane presents the code of the ticket that its
//! palm is linked to after the capture time (`handfast bench hover` measures the palm's own search).
//! Time runs `--compress` times faster, the service's does not: its load is that much higher.

mod chart;
mod crowd;
mod field;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::Serialize;

use self::crowd::{Crowd, Plan};
use self::field::{Field, Minute, Scanned};
use super::runtime::block_on;
use super::{Answer, print_json};

/// Arguments of `handfast rehearse`.
#[derive(Debug, Args)]
pub struct Rehearse {
    /// People with a ticket who come
    #[arg(long, default_value_t = 9_500, value_parser = clap::value_parser!(u32).range(10..=50_000))]
    people: u32,
    /// Palm lanes
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=32))]
    palm_lanes: u32,
    /// Agents' lanes, a process each
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=32))]
    agent_lanes: u32,
    /// How much faster time runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    compress: u32,
    /// Seconds from one person to the next at a lane, without capture and verdict
    #[arg(long, default_value_t = 2.0)]
    walk: f64,
    /// Seconds that a palm's capture takes
    #[arg(long, default_value_t = 0.9)]
    palm_capture: f64,
    /// Seconds that reading a code takes
    #[arg(long, default_value_t = 1.6)]
    code_capture: f64,
    /// The evening: another seed is another crowd
    #[arg(long, default_value_t = 1941)]
    seed: u64,
    /// Write the chart to this SVG file
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What came of the evening.
#[derive(Serialize)]
struct Report {
    people: usize,
    presented: usize,
    entered: usize,
    not_entered: usize,
    refused: usize,
    queue_max: usize,
    wait_p50_s: f64,
    wait_p95_s: f64,
    verdict_p50_ms: f64,
    verdict_p99_ms: f64,
    offline_verdicts: usize,
    system_share_percent: f64,
    people_a_minute_and_lane: f64,
    let_in_twice: usize,
    reported_twice: usize,
    conserved: bool,
}

impl Rehearse {
    /// Plays it and prints what came of it.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        ensure!(
            [self.walk, self.palm_capture, self.code_capture]
                .iter()
                .all(|s| (0.1..60.0).contains(s)),
            "--walk, --palm-capture and --code-capture take 0.1 to 60 seconds"
        );
        if let Some(file) = &self.chart {
            // Said before the evening is played, and without losing the chart that is there.
            let tried = OpenOptions::new().create(true).append(true).open(file);
            tried.with_context(|| format!("{} cannot be written", file.display()))?;
        }
        let plan = Plan {
            people: self.people as usize,
            palm_lanes: self.palm_lanes as usize,
            agent_lanes: self.agent_lanes as usize,
            walk: self.walk,
            palm_capture: self.palm_capture,
            code_capture: self.code_capture,
        };
        let (report, minutes) = block_on(self.play(&plan))?;
        if let Some(file) = &self.chart {
            let svg = chart::svg(&minutes);
            let failed = || format!("{} cannot be written", file.display());
            std::fs::write(file, svg).with_context(failed)?;
        }
        match self.json {
            true => print_json(out, &report)?,
            false => self.print(out, &report)?,
        }
        Ok(if report.conserved { Answer::Positive } else { Answer::Negative })
    }

    async fn play(&self, plan: &Plan) -> anyhow::Result<(Report, Vec<Minute>)> {
        let crowd = Crowd::gather(plan, self.seed);
        let field = Field::open(plan, f64::from(self.compress)).await?;
        let (scans, minutes, field) = field.evening(plan, crowd).await?;
        let books = field.close().await?;
        Ok((report(plan, scans, &minutes, books), minutes))
    }

    fn print(&self, out: &mut dyn Write, report: &Report) -> anyhow::Result<()> {
        writeln!(
            out,
            "{} people, {} palm lanes and {} agents' lanes; walking {} s, palm {} s, code {} s; time \
             {} times faster; seed {}\n",
            report.people,
            self.palm_lanes,
            self.agent_lanes,
            self.walk,
            self.palm_capture,
            self.code_capture,
            self.compress,
            self.seed
        )?;
        writeln!(out, "| figure | value |\n|---|---|")?;
        let lines = [
            (
                "sold = entered + not entered",
                format!("{} = {} + {}", report.people, report.entered, report.not_entered),
            ),
            ("presented codes and palms", report.presented.to_string()),
            ("refused (strangers, copies)", report.refused.to_string()),
            ("longest queue at a lane, people", report.queue_max.to_string()),
            (
                "waiting, median and 95 % (s)",
                format!("{:.0}, {:.0}", report.wait_p50_s, report.wait_p95_s),
            ),
            (
                "verdict, median and 99 % (ms)",
                format!("{:.1}, {:.1}", report.verdict_p50_ms, report.verdict_p99_ms),
            ),
            ("verdicts by lanes alone", report.offline_verdicts.to_string()),
            (
                "the system's share of the time in the lane",
                format!("{:.2} %", report.system_share_percent),
            ),
            (
                "people a minute and lane while there is a queue",
                format!("{:.1}", report.people_a_minute_and_lane),
            ),
            ("let in twice while cut off", report.let_in_twice.to_string()),
            ("of them reported", report.reported_twice.to_string()),
        ];
        for (name, value) in lines {
            writeln!(out, "| {name} | {value} |")?;
        }
        let said = if report.conserved {
            "Nobody was lost, and nobody came in twice unreported."
        } else {
            "THE BOOKS DIFFER."
        };
        writeln!(out, "\n{said}")?;
        Ok(())
    }
}

fn report(plan: &Plan, scans: Vec<Scanned>, minutes: &[Minute], books: field::Books) -> Report {
    let lane_time: f64 = scans.iter().map(|scan| scan.played + scan.verdict).sum();
    let system: f64 = scans.iter().map(|scan| scan.verdict).sum();
    let mut waits: Vec<f64> = scans.iter().map(|scan| scan.waited).collect();
    let mut verdicts: Vec<f64> = scans.iter().map(|scan| scan.verdict * 1e3).collect();
    waits.sort_by(f64::total_cmp);
    verdicts.sort_by(f64::total_cmp);
    // What lanes let in, counted on this side of the gate, ticket by ticket.
    let mut let_in = std::collections::BTreeMap::<usize, usize>::new();
    for scan in scans.iter().filter(|scan| scan.ok) {
        *let_in.entry(scan.ticket.unwrap_or(usize::MAX)).or_default() += 1;
    }
    let twice: usize = let_in.values().map(|count| count - 1).sum();
    let oks = scans.iter().filter(|scan| scan.ok).count();
    let entered = let_in.len();
    let conserved = books.passages == oks
        && books.tickets_entered == entered
        && books.reported == twice
        && !let_in.contains_key(&usize::MAX)
        && books.sold == plan.people;
    Report {
        people: plan.people,
        presented: scans.len(),
        entered,
        not_entered: plan.people - entered.min(plan.people),
        refused: scans.len() - oks,
        queue_max: minutes.iter().map(|minute| minute.queue_max).max().unwrap_or(0),
        wait_p50_s: quantile(&waits, 0.5),
        wait_p95_s: quantile(&waits, 0.95),
        verdict_p50_ms: quantile(&verdicts, 0.5),
        verdict_p99_ms: quantile(&verdicts, 0.99),
        offline_verdicts: scans.iter().filter(|scan| scan.offline).count(),
        system_share_percent: 100.0 * system / lane_time,
        people_a_minute_and_lane: 60.0 * scans.len() as f64 / lane_time,
        let_in_twice: twice,
        reported_twice: books.reported,
        conserved,
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}
