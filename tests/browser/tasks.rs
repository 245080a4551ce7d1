//! Tasks that do what a test tells them.

use std::sync::mpsc;

use actix_taskvisor::prelude::*;
use tokio::sync::oneshot;

/// A task that runs once, until it is told how to end: `Ok`, or failing with this text.
pub fn told(name: &str) -> (TaskSpec, oneshot::Sender<Result<(), String>>) {
    let (tell, told) = oneshot::channel::<Result<(), String>>();
    let mut told = Some(told);
    let spec = TaskSpec::once(name, async move |_ctx: TaskContext| {
        let end = told.take().expect("it runs once").await;
        end.map_err(|_| TaskError::canceled())?.map_err(TaskError::failed)
    });
    (spec, tell)
}

/// A task that fails once, and for good.
pub fn failing(name: &str, text: &'static str) -> TaskSpec {
    TaskSpec::once(name, async move |_ctx: TaskContext| Err(TaskError::failed(text)))
}

/// A task that holds its thread whatever it is told, until this ends it (or is dropped).
pub struct Stuck {
    end: mpsc::Sender<()>,
    reached: oneshot::Receiver<()>,
}

impl Stuck {
    pub fn new(name: &str) -> (TaskSpec, Self) {
        let (end, told) = mpsc::channel::<()>();
        let (tell, reached) = oneshot::channel();
        let mut tell = Some(tell);
        let spec = TaskSpec::once(name, async move |_ctx: TaskContext| {
            tell.take().expect("it runs once").send(()).expect("somebody waits");
            let _ = told.recv(); // an error says that it was dropped
            Ok(())
        });
        (spec, Self { end, reached })
    }

    pub async fn reached(&mut self) {
        (&mut self.reached).await.expect("it got there");
    }

    pub fn end(self) {
        drop(self.end);
    }
}
