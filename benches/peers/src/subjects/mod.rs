//! Those who are compared. One file each; none knows of another.

mod actix_minimal;
mod by_hand;
mod counter;
mod floor;
mod kameo;
mod ours;
mod ractor;
mod task_supervisor;
mod taskvisor_02;
mod taskvisor_09;

use crate::job::{Answer, Case, Job};

/// A way to supervise tasks.
pub(crate) trait Subject {
    /// As it stands in the output.
    fn name(&self) -> &'static str;

    /// What it does not do in this case, in words; empty if nothing is left out.
    fn left_out(&self, case: Case) -> String;

    /// The settings that it uses for this job, in words.
    fn options(&self, job: &Job) -> String;

    /// 2 for one whose tasks are always on another thread than the caller.
    fn threads(&self) -> usize {
        1
    }

    /// One timed pass, with a runtime, a supervisor and tasks of its own. It is called twice in a process: once to
    /// warm up, with a smaller n, and once to count. Panics if anything goes wrong.
    ///
    /// # Errors
    /// [`Unsupported`](crate::job::Unsupported): there is no such case, or no such form of it.
    fn pass(&self, job: &Job) -> Answer;
}

/// All, in the order of the tables.
pub(crate) fn all() -> Vec<Box<dyn Subject>> {
    vec![
        Box::new(ours::Ours::CURRENT),
        Box::new(ours::Ours::DEDICATED),
        Box::new(floor::Floor),
        Box::new(actix_minimal::ActixMinimal),
        Box::new(taskvisor_02::Taskvisor02),
        Box::new(taskvisor_09::Taskvisor09),
        Box::new(task_supervisor::TaskSupervisor),
        Box::new(ractor::Ractor),
        Box::new(kameo::Kameo),
    ]
}

pub(crate) fn named(name: &str) -> Option<Box<dyn Subject>> {
    all().into_iter().find(|subject| subject.name() == name)
}
