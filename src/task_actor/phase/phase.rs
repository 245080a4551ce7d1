use super::step::{Asked, Conclusion, Effect, Input};

/// Where the task is. Every variant with an attempt names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Accepted; nothing has been done.
    Created,
    /// Attempt `attempt` waits for its permit.
    WaitingForPermit { attempt: u64 },
    /// The attempt runs and has not been asked to stop.
    Running { attempt: u64 },
    /// The attempt's timeout passed; its timeout grace runs.
    TimingOut { attempt: u64 },
    /// The task was asked to stop; the attempt's grace runs.
    Stopping { attempt: u64 },
    /// The attempt was asked to make room for a new one; its grace runs.
    Restarting { attempt: u64 },
    /// Between two attempts.
    BackingOff { after_attempt: u64 },
    /// Between two attempts, or before the first: none begins until the task is resumed.
    Paused { after_attempt: u64 },
    /// It has its outcome.
    Ended,
}

impl Phase {
    /// The next phase, and what is to be done. Where an attempt is concluded, the phase after it is
    /// [`Phase::after`] the decision of the policy. What does not fit changes nothing (T5).
    pub(crate) fn on(self, input: Input) -> (Self, Effect) {
        match input {
            Input::Begin { needs_permit } => self.begin(needs_permit),
            Input::PermitGranted => self.permit_granted(),
            Input::Woken => (self, Effect::Nothing),
            Input::StopAsked => self.stop_asked(),
            Input::RestartAsked => self.restart_asked(),
            Input::PauseAsked => self.pause_asked(),
            Input::Resumed => self.resumed(),
            Input::HurryAsked { needs_permit } => self.hurry_asked(needs_permit),
            Input::AlarmRang { needs_permit } => self.alarm_rang(needs_permit),
            Input::Returned { asked } => self.returned(asked),
        }
    }

    fn begin(self, needs_permit: bool) -> (Self, Effect) {
        match self {
            Self::Created => Self::next_attempt(0, needs_permit),
            Self::WaitingForPermit { .. }
            | Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::BackingOff { .. }
            | Self::Paused { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    fn permit_granted(self) -> (Self, Effect) {
        match self {
            Self::WaitingForPermit { attempt } => {
                (Self::Running { attempt }, Effect::StartAttempt { attempt })
            }
            // The place in the queue was taken when the task was added: the grant may come first.
            Self::Created => Self::next_attempt(0, false),
            Self::Paused { .. } => (self, Effect::ReturnPermit),
            Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::BackingOff { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    fn stop_asked(self) -> (Self, Effect) {
        match self {
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::BackingOff { .. }
            | Self::Paused { .. } => (Self::Ended, Effect::EndIdle),
            // While stopping: a second request may bring force forward.
            Self::Running { attempt }
            | Self::TimingOut { attempt }
            | Self::Restarting { attempt }
            | Self::Stopping { attempt } => {
                (Self::Stopping { attempt }, Effect::AwaitEnd { attempt })
            }
            Self::Ended => (self, Effect::Nothing),
        }
    }

    fn restart_asked(self) -> (Self, Effect) {
        match self {
            // The request may have come just before the timeout was written down: it stands then.
            Self::Running { attempt } | Self::TimingOut { attempt } => {
                (Self::Restarting { attempt }, Effect::AwaitEnd { attempt })
            }
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::BackingOff { .. }
            | Self::Paused { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    /// One that waits for a permit keeps its place: what counts is whether it is paused when its turn comes, which the cell
    /// knows when the attempt would begin.
    fn pause_asked(self) -> (Self, Effect) {
        match self {
            Self::Created => Self::hold(0),
            Self::BackingOff { after_attempt } => Self::hold(after_attempt),
            Self::WaitingForPermit { .. }
            | Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::Paused { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    fn resumed(self) -> (Self, Effect) {
        match self {
            Self::Paused { after_attempt } => {
                (Self::BackingOff { after_attempt }, Effect::AwaitDelay)
            }
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::BackingOff { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    fn hurry_asked(self, needs_permit: bool) -> (Self, Effect) {
        match self {
            Self::BackingOff { after_attempt } | Self::Paused { after_attempt } => {
                Self::next_attempt(after_attempt, needs_permit)
            }
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    /// The alarm means a timeout, the end of a grace, or the end of a delay.
    fn alarm_rang(self, needs_permit: bool) -> (Self, Effect) {
        match self {
            Self::Running { attempt } => (Self::TimingOut { attempt }, Effect::AwaitTimeout),
            Self::TimingOut { attempt } => {
                (self, Effect::Force { attempt, ending: Conclusion::TimedOut })
            }
            Self::Stopping { attempt } => {
                (self, Effect::Force { attempt, ending: Conclusion::Forced })
            }
            Self::Restarting { attempt } => {
                (self, Effect::Force { attempt, ending: Conclusion::RestartForced })
            }
            Self::BackingOff { after_attempt } => Self::next_attempt(after_attempt, needs_permit),
            Self::Created | Self::WaitingForPermit { .. } | Self::Paused { .. } | Self::Ended => {
                (self, Effect::Nothing)
            }
        }
    }

    /// A request may stand in the cell before its wake comes: `asked` is what counts.
    fn returned(self, asked: Asked) -> (Self, Effect) {
        let conclude = |attempt, ending| (self, Effect::Conclude { attempt, ending });
        match (self, asked) {
            (Self::Running { attempt }, Asked::Nobody) => conclude(attempt, Conclusion::Own),
            (
                Self::TimingOut { attempt }
                | Self::Running { attempt }
                | Self::Restarting { attempt }
                | Self::Stopping { attempt },
                Asked::ToStop,
            )
            | (Self::Stopping { attempt }, Asked::Nobody | Asked::ToRestart) => {
                conclude(attempt, Conclusion::Canceled)
            }
            (Self::TimingOut { attempt }, Asked::Nobody | Asked::ToRestart) => {
                conclude(attempt, Conclusion::TimedOut)
            }
            (Self::Running { attempt }, Asked::ToRestart)
            | (Self::Restarting { attempt }, Asked::Nobody | Asked::ToRestart) => {
                conclude(attempt, Conclusion::Restarted)
            }
            (
                Self::Created
                | Self::WaitingForPermit { .. }
                | Self::BackingOff { .. }
                | Self::Paused { .. }
                | Self::Ended,
                Asked::Nobody | Asked::ToStop | Asked::ToRestart,
            ) => (self, Effect::Nothing),
        }
    }

    /// The phase after an attempt: another one follows, or none.
    pub(crate) fn after(attempt: u64, another_follows: bool) -> Self {
        if another_follows { Self::BackingOff { after_attempt: attempt } } else { Self::Ended }
    }

    /// Whether an attempt is in the slot.
    pub(crate) fn has_attempt(self) -> bool {
        match self {
            Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. } => true,
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::BackingOff { .. }
            | Self::Paused { .. }
            | Self::Ended => false,
        }
    }

    fn hold(after_attempt: u64) -> (Self, Effect) {
        (Self::Paused { after_attempt }, Effect::Hold { after_attempt })
    }

    fn next_attempt(after: u64, needs_permit: bool) -> (Self, Effect) {
        let attempt = after.saturating_add(1);
        if needs_permit {
            (Self::WaitingForPermit { attempt }, Effect::AskForPermit { attempt })
        } else {
            (Self::Running { attempt }, Effect::StartAttempt { attempt })
        }
    }
}
