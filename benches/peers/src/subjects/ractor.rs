//! ractor 0.16: an actor for each task, supervised by one.

use super::Subject;
use crate::job::{Answer, Case, Job, Unsupported};

pub(crate) struct Ractor;

impl Subject for Ractor {
    fn name(&self) -> &'static str {
        "ractor"
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
