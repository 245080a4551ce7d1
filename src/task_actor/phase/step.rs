/// Who had asked an attempt to end when it returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nobody,
    ToStop,
    ToRestart,
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
    /// Its attempt should make room for a new one.
    RestartAsked,
    /// No attempt should begin.
    PauseAsked,
    /// Attempts may begin again.
    Resumed,
    /// The next attempt should begin now.
    HurryAsked {
        needs_permit: bool,
    },
    /// Its alarm rang: what that means is the phase's matter.
    AlarmRang {
        needs_permit: bool,
    },
    /// The attempt returned. `asked`: what it had been asked for when it did.
    Returned {
        asked: Asked,
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
    /// The attempt was asked to end: let its grace run.
    AwaitEnd {
        attempt: u64,
    },
    /// Nothing runs and nothing begins; a permit goes back.
    Hold {
        after_attempt: u64,
    },
    /// A permit came for one that is paused.
    ReturnPermit,
    /// Let what is left of the delay run.
    AwaitDelay,
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
    /// It made room for a new one, whatever it returned.
    Restarted,
    /// It was to make room, and did not return in its grace.
    RestartForced,
}
