//! The messages that an application's own actors may send, to drive the supervisor without its handle.
//!
//! | message | to | reply |
//! |---|---|---|
//! | [`AddTask`] | `Addr<Registry>` | `Result<TaskHandle, AddError>` |
//! | [`AddTasks`] | `Addr<Registry>` | `Result<Vec<TaskHandle>, AddAllError>` |
//! | [`SubmitTask`] | `Addr<Registry>` | `Result<SubmissionHandle, SubmitError>` |
//! | [`CancelTask`] | `Addr<Registry>` | `Result<Cancelling, StopError>`, at once |
//! | [`RestartTask`], [`RetryTask`], [`PauseTask`], [`ResumeTask`] | `Addr<Registry>` | `Result<ActReply, ActError>`, at once |
//! | [`CancelAll`] | `Addr<Registry>` | `Vec<Cancelling>`, at once |
//! | [`CancelSlot`] | `Addr<Registry>` | `Vec<Cancelling>`, at once |
//! | [`SlotList`] | `Addr<Registry>` | `Vec<SlotStatus>` |
//! | [`TaskList`] | `Addr<Registry>` | `Vec<TaskHandle>` |
//! | [`FindTask`] | `Addr<Registry>` | `Option<TaskHandle>` |
//! | [`ShutDown`] | `Addr<Registry>` | none |
//! | [`Cancel`] | `Addr<TaskActor>` | none |
//! | [`CurrentStatus`] | `Addr<TaskActor>` | [`TaskStatus`](crate::TaskStatus) |
//!
//! What actix does with messages holds here: dropping the future of `send` before the message was handled
//! cancels the message, and after the end of the supervisor or the task `send` answers
//! `MailboxError::Closed`. The handle's methods have neither trait, and they are bounded by
//! `command_capacity`, which messages sent straight to an `Addr` are not.
//!
//! ```
//! use actix::prelude::*;
//! use actix_taskvisor::{messages::AddTask, prelude::*};
//!
//! # #[actix::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let supervisor = TaskSupervisor::builder().start()?;
//! let registry = supervisor.addr();
//! let task = registry.send(AddTask(TaskSpec::once("hello", async |_ctx| Ok(())))).await??;
//! assert!(task.outcome().await.is_success());
//! # Ok(()) }
//! ```

pub use crate::{
    registry::{
        AddTask, AddTasks, CancelAll, CancelSlot, CancelTask, FindTask, PauseTask, RestartTask,
        ResumeTask, RetryTask, ShutDown, SlotList, SubmitTask, TaskList,
    },
    task_actor::{Cancel, CurrentStatus},
};
