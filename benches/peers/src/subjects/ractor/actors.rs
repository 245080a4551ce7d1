//! The actors: tasks, those that supervise them, and those that are told.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ractor::{
    Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, OutputPort, RpcReplyPort, SpawnErr,
    SupervisionEvent,
};

use crate::bodies::{Arrivals, Gate};

// ---- tasks ----

pub(super) type Step = Result<(), ActorProcessingErr>;
/// Runs, and stops at once.
pub(super) struct Once;

impl Actor for Once {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn post_start(&self, myself: ActorRef<()>, (): &mut ()) -> Step {
        myself.stop(None);
        Ok(())
    }
}

/// Says that it is here, if anybody asks, and waits for messages until it is stopped.
pub(super) struct Held(pub(super) Option<Arc<Arrivals>>);

impl Actor for Held {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn post_start(&self, _: ActorRef<()>, (): &mut ()) -> Step {
        if let Some(here) = &self.0 {
            here.arrive();
        }
        Ok(())
    }
}

/// Fails at once, so many times, and then stops. Each attempt is an actor of its own.
#[derive(Clone)]
pub(super) struct Failing {
    pub(super) attempts: Arc<AtomicUsize>,
    pub(super) restarts: usize,
    pub(super) gate: Arc<Gate>,
}

impl Actor for Failing {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn post_start(&self, myself: ActorRef<()>, (): &mut ()) -> Step {
        let before = self.attempts.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.gate.pass().await;
        }
        if before < self.restarts {
            return Err("again".into());
        }
        myself.stop(None);
        Ok(())
    }
}

// ---- supervisors ----

/// Children are linked to it; it does nothing about their ends.
pub(super) struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Step {
        Ok(())
    }
}

/// Tells of the starts and ends of its children.
pub(super) struct Teller(pub(super) OutputPort<TaskEvent>);

/// Of which actor, and by which name, can be read from the event.
#[derive(Clone)]
pub(super) enum TaskEvent {
    Started(#[expect(dead_code, reason = "for those who read it")] ActorCell),
    Ended(#[expect(dead_code, reason = "for those who read it")] ActorCell),
}

impl Actor for Teller {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Step {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Step {
        match event {
            SupervisionEvent::ActorStarted(task) => self.0.send(TaskEvent::Started(task)),
            SupervisionEvent::ActorTerminated(task, ..)
            | SupervisionEvent::ActorFailed(task, _) => {
                self.0.send(TaskEvent::Ended(task));
            }
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

/// Spawns a child again when it has failed, under its name.
pub(super) struct Restarter {
    pub(super) ended: Arc<Arrivals>,
}

pub(super) type Living = HashMap<ActorId, (Option<String>, Failing)>;

pub(super) enum ToRestarter {
    Add(Option<String>, Failing, RpcReplyPort<Result<(), SpawnErr>>),
}

impl Restarter {
    async fn start(
        myself: &ActorRef<ToRestarter>,
        name: Option<String>,
        task: Failing,
        living: &mut Living,
    ) -> Result<(), SpawnErr> {
        let (actor, _) = myself.spawn_linked(name.clone(), task.clone(), ()).await?;
        living.insert(actor.get_id(), (name, task));
        Ok(())
    }
}

impl Actor for Restarter {
    type Msg = ToRestarter;
    type State = Living;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<ToRestarter>,
        (): (),
    ) -> Result<Living, ActorProcessingErr> {
        Ok(Living::new())
    }

    async fn handle(
        &self,
        myself: ActorRef<ToRestarter>,
        message: ToRestarter,
        living: &mut Living,
    ) -> Step {
        let ToRestarter::Add(name, task, reply) = message;
        reply.send(Self::start(&myself, name, task, living).await)?;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<ToRestarter>,
        event: SupervisionEvent,
        living: &mut Living,
    ) -> Step {
        match event {
            SupervisionEvent::ActorFailed(task, _) => {
                if let Some((name, task)) = living.remove(&task.get_id()) {
                    Self::start(&myself, name, task, living).await?;
                }
            }
            SupervisionEvent::ActorTerminated(task, ..) => {
                if living.remove(&task.get_id()).is_some() {
                    self.ended.arrive();
                }
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

// ---- subscribers ----

/// What a subscriber gets: so many events.
pub(super) trait Counted: Clone + Send + Sync + 'static {
    fn events(&self) -> usize;
}

impl Counted for TaskEvent {
    fn events(&self) -> usize {
        1
    }
}

/// What `fanout` sends.
pub(super) type Event = Arc<usize>;

impl Counted for Event {
    fn events(&self) -> usize {
        1
    }
}

pub(super) type Batch = Arc<Vec<usize>>;

impl Counted for Batch {
    fn events(&self) -> usize {
        self.len()
    }
}

/// Counts what it gets until it has so many.
pub(super) struct Subscriber<M>(Arc<Arrivals>, PhantomData<fn(M)>);

impl<M> Subscriber<M> {
    pub(super) fn new(done: &Arc<Arrivals>) -> Self {
        Self(Arc::clone(done), PhantomData)
    }
}

impl<M: Counted> Actor for Subscriber<M> {
    type Msg = M;
    type State = usize;
    type Arguments = usize;

    async fn pre_start(&self, _: ActorRef<M>, missing: usize) -> Result<usize, ActorProcessingErr> {
        Ok(missing)
    }

    async fn handle(&self, _: ActorRef<M>, message: M, missing: &mut usize) -> Step {
        *missing -= message.events();
        if *missing == 0 {
            self.0.arrive();
        }
        Ok(())
    }
}
