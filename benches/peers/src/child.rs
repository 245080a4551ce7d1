//! One sample, in a process of its own: what one subject leaves in the allocator, in threads and in caches
//! cannot touch another.

use std::{
    env,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    allocator,
    job::{Case, Job, Sample},
    subjects,
};

/// The hidden first argument that makes a process such a child.
pub(crate) const MODE: &str = "--sample";

/// Nothing that is worth a figure takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of one child.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Done(Sample),
    Unsupported(String),
    Failed(String),
}

/// How the child answers, as JSON.
type Reply = Result<Sample, String>;

/// The child: a pass to warm up, and one that counts.
pub(crate) fn sample(job: &str) {
    let job: Job = serde_json::from_str(job).expect("the parent wrote it");
    if job.case == Case::Memory {
        allocator::switch_on();
    }
    let subject = subjects::named(&job.subject).expect("the parent looked it up");
    let warm_up = Job { n: job.n.min(warm_up_of(job.case)), ..job.clone() };
    let reply: Reply = match subject.pass(&warm_up) {
        Ok(_) => subject.pass(&job).map_err(|unsupported| unsupported.0),
        Err(unsupported) => Err(unsupported.0),
    };
    println!("{}", serde_json::to_string(&reply).expect("plain data"));
}

/// Enough for caches and lazy statics. Beyond it, memory comes fresh from the system, as in a program that grows.
fn warm_up_of(case: Case) -> usize {
    match case {
        // Memory that a first pass gave back would be taken again, and not seen.
        Case::Memory => 16,
        // One after the other, with a switch of threads for each in some: the same path, many times.
        Case::Add | Case::Cancel => 2_000,
        _ => 10_000,
    }
}

/// The parent: starts a child and waits for it.
pub(crate) fn run(job: &Job) -> Outcome {
    let program = env::current_exe().expect("this program has a path");
    let text = serde_json::to_string(job).expect("plain data");
    let child = Command::new(program).args([MODE, &text]).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("no child process: {error}")),
    };
    let patient_until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < patient_until => thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Outcome::Failed(format!("took longer than {} s", PATIENCE.as_secs()));
            }
        }
    };
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        let _ = stdout.read_to_string(&mut said);
    }
    let last = said.lines().last().unwrap_or_default();
    match serde_json::from_str::<Reply>(last) {
        Ok(Ok(sample)) if status.success() => Outcome::Done(sample),
        Ok(Err(why)) => Outcome::Unsupported(why),
        _ => Outcome::Failed(format!("its process ended with {status}; see above what it said")),
    }
}
