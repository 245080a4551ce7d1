//! The least that supervises with actix: one supervisor actor, one actor per task.

use super::Subject;
use crate::job::{Answer, Case, Job, Unsupported};

pub(crate) struct ActixMinimal;

impl Subject for ActixMinimal {
    fn name(&self) -> &'static str {
        "actix-minimal"
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
