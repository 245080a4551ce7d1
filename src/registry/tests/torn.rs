//! A panic between two changes.

use super::*;

/// An owner, one who waits with a follower, one whose time is to come.
async fn owner_and_waiters(supervisor: &SupervisorHandle) -> Vec<SubmissionHandle> {
    let mut all = Vec::new();
    for submission in [
        in_slot(idle("owner"), WhenBusy::Queue),
        in_slot(quick("queued"), WhenBusy::Queue),
        in_slot(quick("queued"), WhenBusy::Attach),
        in_slot(quick("debounced"), debounced(SECOND)),
    ] {
        all.push(supervisor.submit(submission).await.unwrap());
    }
    tokio::time::sleep(ms(1)).await;
    all
}

fn owner_of(registry: &Registry) -> TaskRef {
    let owner = registry.slots.get("k").unwrap().owners[0].id;
    registry.table.get(owner).unwrap().cell.task.clone()
}

#[actix::test]
async fn an_owner_that_is_no_member_any_more_leaves_its_slot_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    // As in the middle of its removal.
    supervisor.addr().do_send(Tear(|registry| {
        let owner = owner_of(registry);
        registry.table.remove(&owner);
    }));
    for submission in &all[1..] {
        assert!(within("the outcome", submission.outcome()).await.is_success(), "{submission:?}");
    }
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn those_who_follow_one_that_is_no_member_any_more_end_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    let follows = supervisor.submit(in_slot(quick("follows"), WhenBusy::Attach)).await.unwrap();
    supervisor.addr().do_send(Tear(|registry| {
        let owner = owner_of(registry);
        registry.table.remove(&owner);
    }));
    within("an outcome", follows.outcome()).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn room_that_nobody_took_is_taken_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    // As between the removal of the owner and the start of the next one.
    supervisor.addr().do_send(Tear(|registry| {
        let owner = owner_of(registry);
        registry.table.remove(&owner);
        registry.slots.leave(owner.id());
    }));
    for submission in &all[1..] {
        assert!(within("the outcome", submission.outcome()).await.is_success(), "{submission:?}");
    }
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn a_place_in_a_slot_without_a_member_is_given_up_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    // As between the decision about a submission and its entry in the table.
    supervisor.addr().do_send(Tear(|registry| {
        let (id, slot, now) = (registry.table.assign_id(), Arc::from("k"), Instant::now());
        let (when_busy, name) = (WhenBusy::Throttle { every: SECOND }, "nobody");
        let (priority, max_wait, concurrency) = (0, None, None);
        let ask = Ask { id, slot: &slot, name, when_busy, priority, max_wait, concurrency };
        let verdict = registry.slots.decide(&ask, now, registry).unwrap();
        registry.slots.enter(&ask, &verdict, now);
    }));
    let next = supervisor.submit(in_slot(quick("next"), WhenBusy::Queue)).await.unwrap();
    assert_eq!(next.admission(), Admission::Started);
    assert!(within("the outcome", next.outcome()).await.is_success());
    tokio::time::sleep(SECOND * 2).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn what_was_due_and_was_not_done_is_done_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let delayed = supervisor.submit(in_slot(quick("delayed"), debounced(SECOND))).await.unwrap();
    tokio::time::sleep(ms(1)).await;
    // As after the time was taken out and before the start.
    supervisor.addr().do_send(Tear(|registry| {
        registry.slots.end_bursts(Instant::now());
        assert!(registry.slots.pop_due(Instant::now()).is_some());
    }));
    assert!(within("the outcome", delayed.outcome()).await.is_success());
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn one_who_has_its_place_and_was_not_started_is_started_or_ends_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let delayed = supervisor.submit(in_slot(quick("delayed"), debounced(SECOND))).await.unwrap();
    let queued = supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    within("the cancel", queued.cancel()).await.unwrap();
    // As between the change of its place and its start.
    supervisor.addr().do_send(Tear(|registry| {
        let id = registry.slots.everyone_waiting()[0];
        registry.slots.promote(id, Instant::now());
    }));
    within("an outcome", delayed.outcome()).await;
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn one_who_has_lost_its_place_ends_after_the_panic_and_the_place_of_one_who_is_gone_is_free()
{
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    // One has lost its place, another its entry, as in the middle of their ends.
    supervisor.addr().do_send(Tear(|registry| {
        let waiting = registry.slots.everyone_waiting();
        registry.slots.leave(waiting[0]);
        let gone = registry.table.get(waiting[1]).unwrap().cell.task.clone();
        registry.table.remove(&gone);
    }));
    for submission in &all[1..3] {
        let outcome = within("the outcome", submission.outcome()).await;
        assert!(matches!(outcome, TaskOutcome::Lost), "{submission:?}: {outcome}");
    }
    within("the cancel", all[0].cancel()).await.unwrap();
    nothing_is_left(&supervisor).await;
}

#[actix::test]
async fn one_who_waited_and_is_over_is_not_started_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let owner = supervisor.submit(in_slot(idle("owner"), WhenBusy::Queue)).await.unwrap();
    let has_run = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&has_run);
    let work = TaskSpec::once("waits", async move |_| {
        note.store(true, SeqCst);
        Ok(())
    });
    let waits = supervisor.submit(in_slot(work, WhenBusy::Queue)).await.unwrap();
    // As between its outcome and its removal.
    supervisor.addr().do_send(Tear(|registry| {
        let cell = registry.member(registry.slots.everyone_waiting()[0]).unwrap();
        let rejected = TaskOutcome::Rejected { kind: RejectionKind::ShuttingDown };
        assert!(cell.settle(rejected, Last::default(), Instant::now()).is_some());
    }));
    let outcome = within("its removal", waits.removed()).await;
    assert_eq!(outcome.label(), "rejected");
    within("the cancel", owner.cancel()).await.unwrap();
    nothing_is_left(&supervisor).await;
    assert!(!has_run.load(SeqCst));
}

#[actix::test]
async fn a_shutdown_that_had_asked_nobody_yet_goes_on_after_the_panic() {
    tokio::time::pause();
    let supervisor = current(|builder| builder);
    let all = owner_and_waiters(&supervisor).await;
    supervisor.addr().do_send(Tear(|registry| {
        registry.stage.note_cause(ShutdownCause::Requested);
    }));
    let report = within("the report", supervisor.shutdown()).await;
    assert_eq!((report.cause, report.is_clean()), (ShutdownCause::Requested, true));
    let mut labels = Vec::new();
    for submission in &all {
        labels.push(within("the outcome", submission.removed()).await.label());
    }
    assert_eq!(labels, ["canceled", "rejected", "rejected", "rejected"]);
}
