//! Speed and memory of this crate and of its neighbours, through their public interfaces, in one run.

mod allocator;
mod args;
mod bodies;
mod child;
mod job;
mod measure;
mod report;
mod subjects;

use std::{env, process::ExitCode};

use args::{Command, One};
use child::Outcome;
use job::Job;
use report::Line;

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some(child::MODE) {
        child::sample(&words.next().expect("the parent gives a job"));
        return ExitCode::SUCCESS;
    }
    match args::read() {
        Ok(Command::Help) => println!("{}", args::USAGE),
        Ok(Command::One(one)) => run_one(&one),
        Ok(Command::All(_)) => unimplemented!(),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// All subjects in turn within each round, so that a drift of the machine hits them alike.
fn run_one(one: &One) {
    let mut runs: Vec<(Job, Vec<Outcome>)> = Vec::new();
    for subject in &one.subjects {
        for &config in &one.configs {
            runs.push((one.job(subject, config), Vec::new()));
        }
    }
    for _round in 0..one.rounds {
        for (job, outcomes) in &mut runs {
            if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))) {
                outcomes.push(child::run(job));
            }
        }
    }
    for (job, outcomes) in &runs {
        println!("{}", Line::of(job, outcomes).json());
    }
}
