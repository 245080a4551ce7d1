//! The promises of `phase.rs`, one test each.

use proptest::prelude::*;

use super::phase::{Conclusion, Effect, Input, Phase};

use Effect::{AwaitTimeout, EndIdle, Nothing};
use Phase::{Created, Ended};

const fn waiting(attempt: u64) -> Phase {
    Phase::WaitingForPermit { attempt }
}

const fn running(attempt: u64) -> Phase {
    Phase::Running { attempt }
}

const fn timing_out(attempt: u64) -> Phase {
    Phase::TimingOut { attempt }
}

const fn stopping(attempt: u64) -> Phase {
    Phase::Stopping { attempt }
}

const fn backing_off(after_attempt: u64) -> Phase {
    Phase::BackingOff { after_attempt }
}

const fn ask(attempt: u64) -> Effect {
    Effect::AskForPermit { attempt }
}

const fn start(attempt: u64) -> Effect {
    Effect::StartAttempt { attempt }
}

const fn await_stop(attempt: u64) -> Effect {
    Effect::AwaitStop { attempt }
}

const fn force(attempt: u64, ending: Conclusion) -> Effect {
    Effect::Force { attempt, ending }
}

const fn conclude(attempt: u64, ending: Conclusion) -> Effect {
    Effect::Conclude { attempt, ending }
}

const INPUTS: [Input; 8] = [
    Input::Begin { needs_permit: true },
    Input::Begin { needs_permit: false },
    Input::PermitGranted,
    Input::StopAsked,
    Input::AlarmRang { needs_permit: true },
    Input::AlarmRang { needs_permit: false },
    Input::Returned { was_asked: true },
    Input::Returned { was_asked: false },
];

/// What follows each of [`INPUTS`] in one phase.
type Row = [Option<(Phase, Effect)>; 8];

/// For each phase, what follows each of [`INPUTS`], in their order; `None`: nothing changes (T5).
const TABLE: [(Phase, Row); 7] = [
    (
        Created,
        [
            Some((waiting(1), ask(1))),
            Some((running(1), start(1))),
            Some((running(1), start(1))),
            Some((Ended, EndIdle)),
            None,
            None,
            None,
            None,
        ],
    ),
    (
        waiting(3),
        [None, None, Some((running(3), start(3))), Some((Ended, EndIdle)), None, None, None, None],
    ),
    (
        running(3),
        [
            None,
            None,
            None,
            Some((stopping(3), await_stop(3))),
            Some((timing_out(3), AwaitTimeout)),
            Some((timing_out(3), AwaitTimeout)),
            Some((running(3), conclude(3, Conclusion::Canceled))),
            Some((running(3), conclude(3, Conclusion::Own))),
        ],
    ),
    (
        timing_out(3),
        [
            None,
            None,
            None,
            Some((stopping(3), await_stop(3))),
            Some((timing_out(3), force(3, Conclusion::TimedOut))),
            Some((timing_out(3), force(3, Conclusion::TimedOut))),
            Some((timing_out(3), conclude(3, Conclusion::Canceled))),
            Some((timing_out(3), conclude(3, Conclusion::TimedOut))),
        ],
    ),
    (
        stopping(3),
        [
            None,
            None,
            None,
            Some((stopping(3), await_stop(3))),
            Some((stopping(3), force(3, Conclusion::Forced))),
            Some((stopping(3), force(3, Conclusion::Forced))),
            Some((stopping(3), conclude(3, Conclusion::Canceled))),
            Some((stopping(3), conclude(3, Conclusion::Canceled))),
        ],
    ),
    (
        backing_off(3),
        [
            None,
            None,
            None,
            Some((Ended, EndIdle)),
            Some((waiting(4), ask(4))),
            Some((running(4), start(4))),
            None,
            None,
        ],
    ),
    (Ended, [None, None, None, None, None, None, None, None]),
];

/// The row of a phase; the compiler asks for a new one with each new phase.
const fn row_of(phase: Phase) -> usize {
    match phase {
        Phase::Created => 0,
        Phase::WaitingForPermit { .. } => 1,
        Phase::Running { .. } => 2,
        Phase::TimingOut { .. } => 3,
        Phase::Stopping { .. } => 4,
        Phase::BackingOff { .. } => 5,
        Phase::Ended => 6,
    }
}

#[test]
fn every_input_in_every_phase_leads_where_the_table_says() {
    for (row, (phase, answers)) in TABLE.into_iter().enumerate() {
        assert_eq!(row_of(phase), row);
        for (input, expected) in INPUTS.into_iter().zip(answers) {
            let expected = expected.unwrap_or((phase, Nothing));
            assert_eq!(phase.on(input), expected, "{phase:?} on {input:?}");
        }
    }
}

#[test]
fn after_an_attempt_comes_a_pause_or_the_end() {
    assert_eq!(Phase::after(3, true), backing_off(3));
    assert_eq!(Phase::after(3, false), Ended);
}

#[test]
fn an_attempt_is_in_the_slot_in_three_phases_only() {
    let with_attempt = [running(3), timing_out(3), stopping(3)];
    for (phase, _) in TABLE {
        assert_eq!(phase.has_attempt(), with_attempt.contains(&phase), "{phase:?}");
    }
}

// lesson 29
#[test]
fn the_last_attempt_number_there_is_overflows_nothing() {
    let ring = |needs_permit| Input::AlarmRang { needs_permit };
    assert_eq!(backing_off(u64::MAX).on(ring(false)), (running(u64::MAX), start(u64::MAX)));
    assert_eq!(backing_off(u64::MAX).on(ring(true)), (waiting(u64::MAX), ask(u64::MAX)));
}

/// What an actor does with a phase, and what it must never be told to do.
struct Slot {
    phase: Phase,
    attempt: Option<u64>,
    last: u64,
    stop_was_seen: bool,
}

impl Slot {
    fn new() -> Self {
        Self { phase: Created, attempt: None, last: 0, stop_was_seen: false }
    }

    /// Carries out what an input leads to; where an attempt ends by itself, `another_follows`.
    fn take(&mut self, input: Input, another_follows: bool) -> Result<(), TestCaseError> {
        let before = self.phase;
        let (phase, effect) = before.on(input);
        self.phase = phase;
        match effect {
            Nothing => prop_assert_eq!(phase, before, "nothing to do, yet another phase"),
            Effect::AskForPermit { attempt } => {
                prop_assert_eq!(self.attempt, None, "asked for a permit beside an attempt");
                prop_assert_eq!(attempt, self.last + 1, "attempt numbers ascend by one");
            }
            Effect::StartAttempt { attempt } => {
                // T1
                prop_assert_eq!(self.attempt, None, "two attempts at once");
                prop_assert_eq!(attempt, self.last + 1, "attempt numbers ascend by one");
                prop_assert!(!self.stop_was_seen, "an attempt after the request to stop");
                (self.attempt, self.last) = (Some(attempt), attempt);
            }
            Effect::AwaitStop { attempt } => {
                prop_assert_eq!(self.attempt, Some(attempt), "nothing there to stop");
            }
            AwaitTimeout => prop_assert!(self.attempt.is_some(), "nothing there to time out"),
            Effect::Force { attempt, ending } | Effect::Conclude { attempt, ending } => {
                prop_assert_eq!(self.attempt.take(), Some(attempt), "nothing there to end");
                let goes_on = match ending {
                    Conclusion::Own | Conclusion::TimedOut => another_follows,
                    Conclusion::Canceled | Conclusion::Forced => false,
                };
                self.phase = Phase::after(attempt, goes_on);
            }
            EndIdle => {
                prop_assert_eq!(self.attempt, None, "an attempt was left in the slot");
                prop_assert_eq!(phase, Ended);
            }
        }
        self.stop_was_seen |= input == Input::StopAsked;
        prop_assert_eq!(self.phase.has_attempt(), self.attempt.is_some());
        if before == Ended {
            prop_assert_eq!(self.phase, Ended, "something came after the end");
            prop_assert_eq!(effect, Nothing, "something was done after the end");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_runs_two_attempts_at_once_or_leaves_the_end(
        inputs in prop::collection::vec((prop::sample::select(&INPUTS[..]), any::<bool>()), 1..80),
    ) {
        let mut slot = Slot::new();
        for (input, another_follows) in inputs {
            slot.take(input, another_follows)?;
        }
    }

    #[test]
    fn a_task_that_fits_its_inputs_runs_as_many_attempts_as_its_policy_wants(
        pauses in prop::collection::vec((any::<bool>(), any::<bool>()), 0..40),
    ) {
        let mut slot = Slot::new();
        let attempts = pauses.len() as u64 + 1;
        slot.take(Input::Begin { needs_permit: false }, false)?;
        for (needs_permit, times_out) in pauses {
            if times_out {
                slot.take(Input::AlarmRang { needs_permit }, true)?;
            }
            slot.take(Input::Returned { was_asked: false }, true)?;
            slot.take(Input::AlarmRang { needs_permit }, true)?;
            if needs_permit {
                slot.take(Input::PermitGranted, true)?;
            }
        }
        slot.take(Input::Returned { was_asked: false }, false)?;
        prop_assert_eq!((slot.phase, slot.last), (Ended, attempts));
    }

    #[test]
    fn wherever_a_stop_comes_in_the_task_ends_at_the_return_or_the_alarm(
        inputs in prop::collection::vec((prop::sample::select(&INPUTS[..]), any::<bool>()), 0..40),
        returns in any::<bool>(),
    ) {
        let mut slot = Slot::new();
        for (input, another_follows) in inputs {
            slot.take(input, another_follows)?;
        }
        slot.take(Input::StopAsked, true)?;
        if returns {
            slot.take(Input::Returned { was_asked: true }, true)?;
        }
        slot.take(Input::AlarmRang { needs_permit: true }, true)?;
        prop_assert_eq!(slot.phase, Ended);
    }
}
