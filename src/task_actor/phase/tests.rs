//! The promises of this room, one test each.

use proptest::prelude::*;

use super::{Asked, Conclusion, Effect, Input, Phase, Wishes};
use crate::cell::Hurry;

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

const fn restarting(attempt: u64) -> Phase {
    Phase::Restarting { attempt }
}

const fn paused(after_attempt: u64) -> Phase {
    Phase::Paused { after_attempt }
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

const fn await_end(attempt: u64) -> Effect {
    Effect::AwaitEnd { attempt }
}

const fn hold(after_attempt: u64) -> Effect {
    Effect::Hold { after_attempt }
}

const fn force(attempt: u64, ending: Conclusion) -> Effect {
    Effect::Force { attempt, ending }
}

const fn conclude(attempt: u64, ending: Conclusion) -> Effect {
    Effect::Conclude { attempt, ending }
}

const INPUTS: [Input; 14] = [
    Input::Begin { needs_permit: true },
    Input::Begin { needs_permit: false },
    Input::PermitGranted,
    Input::StopAsked,
    Input::RestartAsked,
    Input::PauseAsked,
    Input::Resumed,
    Input::HurryAsked { needs_permit: true },
    Input::HurryAsked { needs_permit: false },
    Input::AlarmRang { needs_permit: true },
    Input::AlarmRang { needs_permit: false },
    Input::Returned { asked: Asked::ToStop },
    Input::Returned { asked: Asked::ToRestart },
    Input::Returned { asked: Asked::Nobody },
];

/// What follows some of [`INPUTS`] in one phase.
type Row = &'static [(Input, (Phase, Effect))];

/// For each phase, which of [`INPUTS`] lead where; the others change nothing (T5).
const TABLE: [(Phase, Row); 9] = [
    (
        Created,
        &[
            (Input::Begin { needs_permit: true }, (waiting(1), ask(1))),
            (Input::Begin { needs_permit: false }, (running(1), start(1))),
            (Input::PermitGranted, (running(1), start(1))),
            (Input::StopAsked, (Ended, EndIdle)),
            (Input::PauseAsked, (paused(0), hold(0))),
        ],
    ),
    (
        waiting(3),
        &[(Input::PermitGranted, (running(3), start(3))), (Input::StopAsked, (Ended, EndIdle))],
    ),
    (
        running(3),
        &[
            (Input::StopAsked, (stopping(3), await_end(3))),
            (Input::RestartAsked, (restarting(3), await_end(3))),
            (Input::AlarmRang { needs_permit: true }, (timing_out(3), AwaitTimeout)),
            (Input::AlarmRang { needs_permit: false }, (timing_out(3), AwaitTimeout)),
            (
                Input::Returned { asked: Asked::ToStop },
                (running(3), conclude(3, Conclusion::Canceled)),
            ),
            (
                Input::Returned { asked: Asked::ToRestart },
                (running(3), conclude(3, Conclusion::Restarted)),
            ),
            (Input::Returned { asked: Asked::Nobody }, (running(3), conclude(3, Conclusion::Own))),
        ],
    ),
    (
        timing_out(3),
        &[
            (Input::StopAsked, (stopping(3), await_end(3))),
            (Input::RestartAsked, (restarting(3), await_end(3))),
            (
                Input::AlarmRang { needs_permit: true },
                (timing_out(3), force(3, Conclusion::TimedOut)),
            ),
            (
                Input::AlarmRang { needs_permit: false },
                (timing_out(3), force(3, Conclusion::TimedOut)),
            ),
            (
                Input::Returned { asked: Asked::ToStop },
                (timing_out(3), conclude(3, Conclusion::Canceled)),
            ),
            (
                Input::Returned { asked: Asked::ToRestart },
                (timing_out(3), conclude(3, Conclusion::TimedOut)),
            ),
            (
                Input::Returned { asked: Asked::Nobody },
                (timing_out(3), conclude(3, Conclusion::TimedOut)),
            ),
        ],
    ),
    (
        stopping(3),
        &[
            (Input::StopAsked, (stopping(3), await_end(3))),
            (Input::AlarmRang { needs_permit: true }, (stopping(3), force(3, Conclusion::Forced))),
            (Input::AlarmRang { needs_permit: false }, (stopping(3), force(3, Conclusion::Forced))),
            (
                Input::Returned { asked: Asked::ToStop },
                (stopping(3), conclude(3, Conclusion::Canceled)),
            ),
            (
                Input::Returned { asked: Asked::ToRestart },
                (stopping(3), conclude(3, Conclusion::Canceled)),
            ),
            (
                Input::Returned { asked: Asked::Nobody },
                (stopping(3), conclude(3, Conclusion::Canceled)),
            ),
        ],
    ),
    (
        restarting(3),
        &[
            (Input::StopAsked, (stopping(3), await_end(3))),
            (
                Input::AlarmRang { needs_permit: true },
                (restarting(3), force(3, Conclusion::RestartForced)),
            ),
            (
                Input::AlarmRang { needs_permit: false },
                (restarting(3), force(3, Conclusion::RestartForced)),
            ),
            (
                Input::Returned { asked: Asked::ToStop },
                (restarting(3), conclude(3, Conclusion::Canceled)),
            ),
            (
                Input::Returned { asked: Asked::ToRestart },
                (restarting(3), conclude(3, Conclusion::Restarted)),
            ),
            (
                Input::Returned { asked: Asked::Nobody },
                (restarting(3), conclude(3, Conclusion::Restarted)),
            ),
        ],
    ),
    (
        backing_off(3),
        &[
            (Input::StopAsked, (Ended, EndIdle)),
            (Input::PauseAsked, (paused(3), hold(3))),
            (Input::HurryAsked { needs_permit: true }, (waiting(4), ask(4))),
            (Input::HurryAsked { needs_permit: false }, (running(4), start(4))),
            (Input::AlarmRang { needs_permit: true }, (waiting(4), ask(4))),
            (Input::AlarmRang { needs_permit: false }, (running(4), start(4))),
        ],
    ),
    (
        paused(3),
        &[
            (Input::PermitGranted, (paused(3), Effect::ReturnPermit)),
            (Input::StopAsked, (Ended, EndIdle)),
            (Input::Resumed, (backing_off(3), Effect::AwaitDelay)),
            (Input::HurryAsked { needs_permit: true }, (waiting(4), ask(4))),
            (Input::HurryAsked { needs_permit: false }, (running(4), start(4))),
        ],
    ),
    (Ended, &[]),
];

/// The row of a phase; the compiler asks for a new one with each new phase.
const fn row_of(phase: Phase) -> usize {
    match phase {
        Phase::Created => 0,
        Phase::WaitingForPermit { .. } => 1,
        Phase::Running { .. } => 2,
        Phase::TimingOut { .. } => 3,
        Phase::Stopping { .. } => 4,
        Phase::Restarting { .. } => 5,
        Phase::BackingOff { .. } => 6,
        Phase::Paused { .. } => 7,
        Phase::Ended => 8,
    }
}

#[test]
fn every_input_in_every_phase_leads_where_the_table_says() {
    for (row, (phase, answers)) in TABLE.into_iter().enumerate() {
        assert_eq!(row_of(phase), row);
        for input in INPUTS {
            let answer = answers.iter().find(|(known, _)| *known == input);
            let expected = answer.map_or((phase, Nothing), |(_, answer)| *answer);
            assert_eq!(phase.on(input), expected, "{phase:?} on {input:?}");
        }
    }
}

/// What an input means to somebody with these wishes.
fn heeded(phase: Phase, wishes: Wishes) -> Input {
    phase.heeding(wishes, true, Input::Woken)
}

#[test]
fn a_request_to_stop_goes_before_every_other_wish() {
    let all = Wishes { stop: true, restart: true, pause: true, hurry: Hurry::Retry };
    for (phase, _) in TABLE {
        let expected = if phase == Ended { Input::Woken } else { Input::StopAsked };
        assert_eq!(heeded(phase, all), expected, "{phase:?}");
    }
}

#[test]
fn a_wish_is_heeded_in_the_phases_in_which_it_can_be_met_and_no_other() {
    let needs_permit = true;
    let hurry = Input::HurryAsked { needs_permit };
    let restart = Wishes { hurry: Hurry::Restart, ..Wishes::default() };
    let cases: [(Wishes, &[Phase], Input); 4] = [
        (Wishes { restart: true, ..Wishes::default() }, &[running(3)], Input::RestartAsked),
        (
            Wishes { pause: true, ..Wishes::default() },
            &[Created, backing_off(3)],
            Input::PauseAsked,
        ),
        (restart, &[backing_off(3), paused(3)], hurry),
        // A pause goes before it; it stands for later.
        (Wishes { pause: true, ..restart }, &[Created, backing_off(3)], Input::PauseAsked),
    ];
    for (wishes, phases, expected) in cases {
        for (phase, _) in TABLE {
            let goes_on = phase == paused(3) && !wishes.pause;
            let other = if goes_on { Input::Resumed } else { Input::Woken };
            let expected = if phases.contains(&phase) { expected } else { other };
            assert_eq!(heeded(phase, wishes), expected, "{phase:?} with {wishes:?}");
        }
    }
}

#[test]
fn after_an_attempt_comes_a_pause_or_the_end() {
    assert_eq!(Phase::after(3, true), backing_off(3));
    assert_eq!(Phase::after(3, false), Ended);
}

#[test]
fn an_attempt_is_in_the_slot_in_four_phases_only() {
    let with_attempt = [running(3), timing_out(3), stopping(3), restarting(3)];
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
            Effect::AwaitEnd { attempt } => {
                prop_assert_eq!(self.attempt, Some(attempt), "nothing there to stop");
            }
            AwaitTimeout => prop_assert!(self.attempt.is_some(), "nothing there to time out"),
            Effect::Force { attempt, ending } | Effect::Conclude { attempt, ending } => {
                prop_assert_eq!(self.attempt.take(), Some(attempt), "nothing there to end");
                let goes_on = match ending {
                    Conclusion::Own | Conclusion::TimedOut => another_follows,
                    Conclusion::Restarted | Conclusion::RestartForced => true,
                    Conclusion::Canceled | Conclusion::Forced => false,
                };
                self.phase = Phase::after(attempt, goes_on);
            }
            Effect::Hold { after_attempt } => {
                prop_assert_eq!(self.attempt, None, "held back beside an attempt");
                prop_assert_eq!(after_attempt, self.last, "the attempt before is another one");
            }
            Effect::ReturnPermit => {}
            Effect::AwaitDelay => prop_assert_eq!(self.attempt, None, "a delay beside an attempt"),
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
            slot.take(Input::Returned { asked: Asked::Nobody }, true)?;
            slot.take(Input::AlarmRang { needs_permit }, true)?;
            if needs_permit {
                slot.take(Input::PermitGranted, true)?;
            }
        }
        slot.take(Input::Returned { asked: Asked::Nobody }, false)?;
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
            slot.take(Input::Returned { asked: Asked::ToStop }, true)?;
        }
        slot.take(Input::AlarmRang { needs_permit: true }, true)?;
        prop_assert_eq!(slot.phase, Ended);
    }
}
