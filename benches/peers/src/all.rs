//! `all`: every row of the plan, written as JSON and as tables.

use std::{
    fs, io,
    path::Path,
    time::{Instant, SystemTime},
};

use serde_json::json;

use crate::{
    args::All,
    child::Outcome,
    job::{Case, Config, Job, Options},
    plan::{self, Row},
    report::{Figure, Line},
    results::{Place, Results, short},
    round_robin, subjects, table, targets,
};

/// Of what is free now, so much is left alone.
const SPARE: f64 = 0.5;

/// Runs everything.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn run(all: &All) -> io::Result<()> {
    // A file that cannot be written is to be known before half an hour has gone by.
    fs::write(&all.out, "")?;
    let began = Instant::now();
    let mut results = Results::default();
    let rows: Vec<Row> = plan::rows();
    let steps: Vec<(Row, usize)> = rows
        .iter()
        .flat_map(|row| row.sizes.iter().map(|&n| (*row, n)))
        .filter(|(row, n)| all.includes(row.case, *n))
        .collect();
    for (number, (row, n)) in steps.iter().enumerate() {
        let rounds = all.rounds.min(plan::most_rounds(*n));
        eprintln!(
            "[{:>2}/{}, {} s] {}, n = {}, {} thread(s), {rounds} round(s)",
            number + 1,
            steps.len(),
            began.elapsed().as_secs(),
            row.label(),
            short(*n),
            row.options.threads,
        );
        let (jobs, infeasible) = jobs(row, *n, &results);
        results.lines.extend(round_robin::run(jobs, rounds));
        results.lines.extend(infeasible);
    }
    let verdicts: Vec<_> = targets::all().iter().map(|target| results.verdict(target)).collect();
    let when = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let facts = table::Facts {
        when,
        cores,
        rounds: all.rounds,
        took: began.elapsed(),
        subjects: subjects::all().iter().map(|subject| subject.name()).collect(),
    };
    let document = json!({
        "when": facts.when,
        "cores": cores,
        "rounds": all.rounds,
        "versions": table::versions(),
        "lines": results.lines,
        "targets": verdicts,
    });
    let text = serde_json::to_string_pretty(&document).map_err(io::Error::other)?;
    fs::write(&all.out, text + "\n")?;
    let tables = table::markdown(&facts, &rows, &results, &verdicts);
    fs::write(beside(&all.out), &tables)?;
    println!("{tables}");
    eprintln!("written: {} and {}", all.out.display(), beside(&all.out).display());
    Ok(())
}

fn beside(out: &Path) -> std::path::PathBuf {
    out.with_extension("md")
}

/// What is to be run for one row at one size, and lines for what is not.
fn jobs(row: &Row, n: usize, results: &Results) -> (Vec<Job>, Vec<Line>) {
    let (mut jobs, mut infeasible) = (Vec::new(), Vec::new());
    for subject in subjects::all() {
        if subject.threads() > row.options.threads || is_ours_elsewhere(subject.name(), row.options)
        {
            continue;
        }
        for config in Config::ALL {
            let subject = subject.name().to_owned();
            let job = Job { subject, case: row.case, n, config, options: row.options };
            match why_not(&job, row, results) {
                Some(outcome) => infeasible.push(Line::of(&job, &[outcome])),
                None => jobs.push(job),
            }
        }
    }
    (jobs, infeasible)
}

/// On two threads this crate has a placement of its own.
fn is_ours_elsewhere(subject: &str, options: Options) -> bool {
    subject == "ours-current" && options.threads == 2
}

/// Whether a smaller size, or the memory of this machine, tells that this is of no use.
fn why_not(job: &Job, row: &Row, results: &Results) -> Option<Outcome> {
    let at = |n| {
        let place = Place { case: job.case, n, options: job.options };
        results.find(place, &job.subject, job.config)
    };
    let smaller = row.sizes.iter().filter(|n| **n < job.n).filter_map(|n| at(*n));
    for line in smaller {
        if let Some(why) = &line.unsupported {
            return Some(Outcome::Unsupported(why.clone()));
        }
        if line.failed.is_some() {
            return Some(Outcome::Failed(format!("not tried, since n = {} failed", short(line.n))));
        }
    }
    let needed = bytes_of_a_task(&job.subject, results)? * job.n as f64;
    let free = free_bytes()? * SPARE;
    (needed > free).then(|| {
        let gib = |bytes: f64| bytes / f64::from(1 << 30);
        Outcome::Failed(format!(
            "not tried: {:.1} GiB of tasks, and {:.1} GiB may be used",
            gib(needed),
            gib(free)
        ))
    })
}

/// As it was measured before.
fn bytes_of_a_task(subject: &str, results: &Results) -> Option<f64> {
    let options = Options::of(Case::Memory);
    let place = Place { case: Case::Memory, n: plan::K10, options };
    results.best(place, subject, Figure::Resident)?.bytes_per_task
}

fn free_bytes() -> Option<f64> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1_024.0)
}
