//! Speed and memory of this crate and of its neighbours, through their public interfaces, in one run.
//!
//! A *case* ([`job::Case`]) is a piece of work that somebody who supervises tasks has done; a *subject*
//! ([`subjects`]) does it its own way: this crate, two floors written by hand, and the neighbours, each in its
//! usual configuration and in the fastest sensible one. README.md beside this file has the tables of both.
//!
//! **What is timed.** The calls that a user would make, up to the moment at which the user knows the result: an
//! outcome, a confirmed end, an event seen by every subscriber. Where a subject does not tell it, the clock
//! stops in the last body, and that stands beside the figure (`left_out`). The clock is that of the wall
//! (`ns_per_unit`); beside it stands the time that the whole process spent on a core (`cpu_ns_per_unit`), which
//! says more on a busy machine.
//!
//! **What is not timed.** Starting the runtime and the supervisor, making names, closures and specs where the subject
//! lets them be made before, tasks that have to be there first, and taking all of it down.
//!
//! **Each sample is a process of its own** ([`child`]): this program starts itself for each subject, configuration
//! and round. There the same pass runs twice, first with at most 10,000 units and uncounted, so that caches and
//! whatever is set up once are warm. So what one subject leaves in the allocator, in threads or in caches
//! cannot touch another. Subjects come in turn within each round ([`round_robin`]), so that a drift of the machine
//! hits all alike, and the figures are medians over the rounds.
//!
//! **Memory** is counted twice: as growth of the resident size, and by the allocator of this program, which counts
//! in that case only ([`allocator`]).
//!
//! `all` runs the whole [`plan`], holds it against the [`targets`] and writes the [`table`].

mod all;
mod allocator;
mod args;
mod bodies;
mod child;
mod job;
mod measure;
mod plan;
mod report;
mod results;
mod round_robin;
mod subjects;
mod table;
mod targets;
#[cfg(test)]
mod tests;

use std::{env, process::ExitCode};

use args::{Command, One};

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some(child::MODE) {
        child::sample(&words.next().expect("the parent gives a job"));
        return ExitCode::SUCCESS;
    }
    let done = match args::read() {
        Ok(Command::Help) => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Ok(Command::One(one)) => {
            run_one(&one);
            Ok(())
        }
        Ok(Command::All(all)) => {
            all::run(&all).map_err(|error| format!("{}: {error}", all.out.display()))
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run_one(one: &One) {
    for line in round_robin::run(one.jobs(), one.rounds) {
        println!("{}", line.json());
    }
}
