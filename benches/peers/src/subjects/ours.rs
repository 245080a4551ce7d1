//! This crate, on the caller's thread (`Placement::Current`) and on threads of its own (`Dedicated`).

use actix_rt::System;
use actix_taskvisor::prelude::*;
use futures::stream::{self, StreamExt};

use super::Subject;
use crate::{
    bodies::names,
    job::{Answer, Case, Config, Drive, Job, Sample, UNDER_WAY, Unsupported},
    measure::Stopwatch,
};

pub(crate) struct Ours {
    name: &'static str,
    placement: Placement,
}

impl Ours {
    pub(crate) const CURRENT: Self = Self { name: "ours-current", placement: Placement::Current };
    pub(crate) const DEDICATED: Self =
        Self { name: "ours-dedicated", placement: Placement::Dedicated { workers: 1 } };

    fn supervisor(&self) -> SupervisorHandle {
        let builder = TaskSupervisor::builder().placement(self.placement);
        builder.start().expect("a System runs, and threads can be had")
    }
}

impl Subject for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn left_out(&self, _: Case) -> String {
        String::new()
    }

    fn options(&self, _: &Job) -> String {
        "defaults".to_owned()
    }

    fn pass(&self, job: &Job) -> Answer {
        if job.config == Config::Fastest && job.case != Case::Fanout {
            return Err(Unsupported::because("no setting is faster than the defaults"));
        }
        let system = System::new();
        match job.case {
            Case::Oneshot => Ok(system.block_on(self.oneshot(job))),
            _ => Err(Unsupported::because("not written yet")),
        }
    }
}

impl Ours {
    async fn oneshot(&self, job: &Job) -> Sample {
        let supervisor = self.supervisor();
        let specs: Vec<_> = names(job.n)
            .into_iter()
            .map(|name| TaskSpec::once(name, async |_ctx| Ok(())))
            .collect();
        let mut tasks = Vec::with_capacity(job.n);

        let stopwatch = Stopwatch::start();
        match job.options.drive {
            Drive::OneByOne => {
                for spec in specs {
                    tasks.push(supervisor.add(spec).await.expect("a free name"));
                }
            }
            Drive::Pipelined => {
                let mut added =
                    stream::iter(specs).map(|spec| supervisor.add(spec)).buffered(UNDER_WAY);
                while let Some(task) = added.next().await {
                    tasks.push(task.expect("a free name"));
                }
            }
        }
        for task in &tasks {
            assert!(task.outcome().await.is_success());
        }
        let sample = stopwatch.stop(job.n);
        supervisor.shutdown().await;
        sample
    }
}
