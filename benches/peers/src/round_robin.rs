//! Rounds of samples: within each round all subjects come in turn, so that a drift of the machine hits them alike.

use std::time::{Duration, Instant};

use crate::{
    child::{self, Outcome},
    job::Job,
    report::Line,
    targets,
};

/// A job gets fewer rounds, but one at least, rather than take longer than this in all: of a subject that targets
/// name, and of another.
const LONGEST: [Duration; 2] = [Duration::from_secs(25), Duration::from_secs(10)];

/// One job over all rounds.
struct Run {
    job: Job,
    outcomes: Vec<Outcome>,
    took: Duration,
    longest: Duration,
}

/// Runs all jobs so many times and answers a line for each.
///
/// A job that cannot be done, or goes wrong, is not tried again.
pub(crate) fn run(jobs: Vec<Job>, rounds: usize) -> Vec<Line> {
    let begin = |job: Job| {
        let longest = LONGEST[usize::from(!targets::name(&job.subject))];
        Run { job, outcomes: Vec::new(), took: Duration::ZERO, longest }
    };
    let mut runs: Vec<Run> = jobs.into_iter().map(begin).collect();
    for _round in 0..rounds {
        for run in runs.iter_mut().filter(|run| run.is_to_go_on()) {
            let began = Instant::now();
            run.outcomes.push(child::run(&run.job));
            run.took += began.elapsed();
        }
    }
    runs.iter().map(|run| Line::of(&run.job, &run.outcomes)).collect()
}

impl Run {
    fn is_to_go_on(&self) -> bool {
        let rounds = u32::try_from(self.outcomes.len()).expect("few");
        let next = if rounds == 0 { Duration::ZERO } else { self.took / rounds };
        let is_sound = self.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_)));
        is_sound && self.took + next <= self.longest
    }
}
