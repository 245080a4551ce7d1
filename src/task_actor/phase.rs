//! What follows what in the life of a task: pure.

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
    /// Between two attempts.
    BackingOff { after_attempt: u64 },
    /// It has its outcome.
    Ended,
}

/// What can happen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Its actor runs for the first time.
    Begin {
        needs_permit: bool,
    },
    PermitGranted,
    /// It was polled, for whatever reason.
    Woken,
    /// It should stop.
    StopAsked,
    /// Its alarm rang: what that means is the phase's matter.
    AlarmRang {
        needs_permit: bool,
    },
    /// The attempt returned. `was_asked`: it had been asked to stop when it did.
    Returned {
        was_asked: bool,
    },
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    AskForPermit {
        attempt: u64,
    },
    StartAttempt {
        attempt: u64,
    },
    /// Let the grace of the stop run.
    AwaitStop {
        attempt: u64,
    },
    /// Show the attempt that its time is up, and let its timeout grace run.
    AwaitTimeout,
    /// Drop the future; the attempt ended as said.
    Force {
        attempt: u64,
        ending: Conclusion,
    },
    /// The attempt is over and ended as said.
    Conclude {
        attempt: u64,
        ending: Conclusion,
    },
    /// Nothing runs: the task ends canceled.
    EndIdle,
}

/// By what an attempt's end is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// By what it returned.
    Own,
    /// It timed out, whatever it returned.
    TimedOut,
    /// It was canceled, whatever it returned.
    Canceled,
    /// It did not return in its grace.
    Forced,
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
            Input::AlarmRang { needs_permit } => self.alarm_rang(needs_permit),
            Input::Returned { was_asked } => self.returned(was_asked),
        }
    }

    fn begin(self, needs_permit: bool) -> (Self, Effect) {
        match self {
            Self::Created => Self::next_attempt(0, needs_permit),
            Self::WaitingForPermit { .. }
            | Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::BackingOff { .. }
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
            Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::BackingOff { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    fn stop_asked(self) -> (Self, Effect) {
        match self {
            Self::Created | Self::WaitingForPermit { .. } | Self::BackingOff { .. } => {
                (Self::Ended, Effect::EndIdle)
            }
            // While stopping: a second request may bring force forward.
            Self::Running { attempt }
            | Self::TimingOut { attempt }
            | Self::Stopping { attempt } => {
                (Self::Stopping { attempt }, Effect::AwaitStop { attempt })
            }
            Self::Ended => (self, Effect::Nothing),
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
            Self::BackingOff { after_attempt } => Self::next_attempt(after_attempt, needs_permit),
            Self::Created | Self::WaitingForPermit { .. } | Self::Ended => (self, Effect::Nothing),
        }
    }

    /// A request to stop may stand in the cell before its message comes: `was_asked` is what counts.
    fn returned(self, was_asked: bool) -> (Self, Effect) {
        let conclude = |attempt, ending| (self, Effect::Conclude { attempt, ending });
        match self {
            Self::Running { attempt } if !was_asked => conclude(attempt, Conclusion::Own),
            Self::TimingOut { attempt } if !was_asked => conclude(attempt, Conclusion::TimedOut),
            Self::Running { attempt }
            | Self::TimingOut { attempt }
            | Self::Stopping { attempt } => conclude(attempt, Conclusion::Canceled),
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::BackingOff { .. }
            | Self::Ended => (self, Effect::Nothing),
        }
    }

    /// The phase after an attempt: another one follows, or none.
    pub(crate) fn after(attempt: u64, another_follows: bool) -> Self {
        if another_follows { Self::BackingOff { after_attempt: attempt } } else { Self::Ended }
    }

    /// Whether an attempt is in the slot.
    pub(crate) fn has_attempt(self) -> bool {
        match self {
            Self::Running { .. } | Self::TimingOut { .. } | Self::Stopping { .. } => true,
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::BackingOff { .. }
            | Self::Ended => false,
        }
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
