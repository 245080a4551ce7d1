//! The methods of handles, as thin as all of them: a message, an answer.

use super::refusal::ActError;
use crate::{
    id::TaskTarget,
    registry::{Command, PauseTask, RestartTask, ResumeTask, RetryTask},
    supervisor::{Board, SupervisorHandle, TaskHandle},
};

/// What came of a request: it stands with the task, whose actor meets it in its next poll.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActReply {
    /// Whether this call changed something; `false`: it was so already.
    pub asked_by_this_call: bool,
    /// The task.
    pub task: TaskHandle,
}

/// Sends it and waits for the decision.
async fn act<M>(board: &Board, message: M) -> Result<ActReply, ActError>
where
    M: Command<Result = Result<ActReply, ActError>>,
{
    let capacity = board.gate.capacity;
    let sent = board.command(message).await;
    match sent.map_err(|_| ActError::CommandQueueFull { capacity })? {
        Some(reply) => reply,
        None if board.has_ended() => Err(ActError::ShuttingDown),
        None => Err(ActError::Unanswered),
    }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident $message:ident;)*) => {
        impl SupervisorHandle {
            $($(#[$doc])*
            ///
            /// # Errors
            /// - [`ActError::NotFound`], [`ActError::Ended`]: there is nothing to ask.
            /// - [`ActError::NotApplicable`]: it makes no sense in the task's phase; the error says what does.
            /// - [`ActError::ShuttingDown`]: the supervisor has ended.
            /// - [`ActError::CommandQueueFull`]: only with `fail_fast`.
            ///
            /// # Cancel safety
            /// Dropping the future before the command was sent asks for nothing; after that the task is asked all
            /// the same.
            pub async fn $verb(&self, target: impl Into<TaskTarget>) -> Result<ActReply, ActError> {
                act(self.board(), $message::new(target)).await
            })*
        }

        impl TaskHandle {
            $(#[doc = concat!("As [`SupervisorHandle::", stringify!($verb), "`](crate::SupervisorHandle::",
                stringify!($verb), ").")]
            ///
            /// # Errors
            /// As there.
            ///
            /// # Cancel safety
            /// As there.
            pub async fn $verb(&self) -> Result<ActReply, ActError> {
                act(self.board(), $message::new(self.id())).await
            })*
        }
    };
}

verbs! {
    /// Asks the running attempt to end within the task's grace (cause
    /// [`Restart`](crate::CancelCause::Restart)), after which its future is dropped. The next attempt follows at once,
    /// whatever this one returned, with a new streak. While a delay runs, the next attempt begins now, with a new
    /// streak.
    ///
    /// A body that blocks its thread is not interrupted: the next attempt follows when it gives the thread back.
    ///
    /// ```
    /// use actix_taskvisor::prelude::*;
    ///
    /// # #[actix::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let supervisor = TaskSupervisor::builder().start()?;
    /// # let (begins, mut begun) = tokio::sync::mpsc::unbounded_channel();
    /// let consumer = TaskSpec::new("consumer", async move |ctx: TaskContext| {
    ///     # begins.send(ctx.attempt())?;
    ///     ctx.cancelled().await; // stands for work
    ///     Ok(())
    /// });
    /// let consumer = supervisor.add(consumer).await?;
    /// # begun.recv().await;
    /// assert!(consumer.restart().await?.asked_by_this_call);
    /// # assert_eq!(begun.recv().await, Some(2));
    /// # supervisor.shutdown().await;
    /// # Ok(()) }
    /// ```
    restart RestartTask;
    /// Skips what is left of the delay that runs: the next attempt begins now. The streak goes on.
    retry_now RetryTask;
    /// Lets no attempt begin from now on. One that runs goes on to its end, and with it the task, where its policy asks
    /// for no other; [`restart`](Self::restart) ends it. Cancelling and shutting down work as ever.
    pause PauseTask;
    /// Lets attempts begin again. Of a delay, what is left runs; where it would be over, the next attempt begins now.
    resume ResumeTask;
}
