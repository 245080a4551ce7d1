use super::{phase::Phase, step::Input};
use crate::cell::Hurry;

/// What somebody asked for, as it stands in the task's cell. It stays there until it is met or taken back, so that
/// asking late, twice or together with something else does no harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// The task should stop.
    pub(crate) stop: bool,
    /// The running attempt should make room for a new one.
    pub(crate) restart: bool,
    /// No attempt should begin.
    pub(crate) pause: bool,
    /// Whether the delay that runs should be over.
    pub(crate) hurry: Hurry,
}

impl Phase {
    /// What an input means to somebody with these wishes: they go before whatever else happens.
    pub(crate) fn heeding(self, wishes: Wishes, needs_permit: bool, input: Input) -> Input {
        let Wishes { stop, restart, pause, hurry } = wishes;
        match self {
            Self::Ended => input,
            _ if stop => Input::StopAsked,
            Self::Running { .. } if restart => Input::RestartAsked,
            Self::Created | Self::BackingOff { .. } if pause => Input::PauseAsked,
            Self::BackingOff { .. } | Self::Paused { .. } if !pause && hurry != Hurry::No => {
                Input::HurryAsked { needs_permit }
            }
            Self::Paused { .. } if !pause => Input::Resumed,
            Self::Created
            | Self::WaitingForPermit { .. }
            | Self::Running { .. }
            | Self::TimingOut { .. }
            | Self::Stopping { .. }
            | Self::Restarting { .. }
            | Self::BackingOff { .. }
            | Self::Paused { .. } => input,
        }
    }
}
