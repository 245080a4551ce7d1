//! The floor: bare Tokio, by hand.

use super::Subject;
use crate::job::{Answer, Case, Job, Unsupported};

pub(crate) struct Floor;

impl Subject for Floor {
    fn name(&self) -> &'static str {
        "floor"
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
