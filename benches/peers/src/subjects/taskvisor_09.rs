//! taskvisor 0.9.0.

use super::Subject;
use crate::job::{Answer, Case, Job, Unsupported};

pub(crate) struct Taskvisor09;

impl Subject for Taskvisor09 {
    fn name(&self) -> &'static str {
        "taskvisor-0.9.0"
    }

    fn left_out(&self, _: Case) -> String {
        String::new()
    }

    fn options(&self, _: &Job) -> String {
        String::new()
    }

    fn pass(&self, _: &Job) -> Answer {
        Err(Unsupported::because("not written yet"))
    }
}
