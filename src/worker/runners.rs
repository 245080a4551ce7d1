use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context as PollContext, Poll, Waker, ready},
};

/// How many runners are kept without a life, each of some 700 bytes.
pub(crate) const IDLE_RUNNERS: usize = 64;

/// What a runner is given: the beginning of a life that goes on in it.
pub(super) trait Beginning: 'static {
    type Life: Future<Output = ()> + Unpin + 'static;

    fn begin(self) -> Self::Life;
}

/// The Tokio tasks of one thread in which the actors of tasks live: one at a time in each, and another when it has ended.
///
/// Their owner's drop ends those that are idle, and has the others end with the life in them.
pub(super) struct Runners<B: Beginning>(Rc<RefCell<Stand<B>>>);

/// What runners and their owner share.
struct Stand<B> {
    idle: Vec<Idle>,
    /// Those that were idle and have been woken for what is given, and are still to come. No other takes any of it: a waker
    /// that is left from the life before may wake any runner at any time.
    called: Vec<RunnerId>,
    /// As many as were called. The oldest is for whoever of them comes first, which a waker that is left may decide: lives
    /// begin in their order.
    given: VecDeque<B>,
    made: u64,
    is_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct RunnerId(u64);

struct Idle {
    runner: RunnerId,
    waker: Waker,
}

/// One Tokio task. While it stands in `idle` it ends only with the whole `LocalSet`, on which nothing begins any more.
struct Runner<B: Beginning> {
    stand: Rc<RefCell<Stand<B>>>,
    id: RunnerId,
    life: Option<B::Life>,
}

impl<B: Beginning> Runners<B> {
    pub(super) fn new() -> Self {
        let stand = Stand {
            idle: Vec::new(),
            called: Vec::new(),
            given: VecDeque::new(),
            made: 0,
            is_closed: false,
        };
        Self(Rc::new(RefCell::new(stand)))
    }

    /// Begins a life on this thread's `LocalSet`, in an idle runner if there is one.
    pub(super) fn start(&self, beginning: B) {
        let mut stand = self.0.borrow_mut();
        if let Some(Idle { runner, waker }) = stand.idle.pop() {
            stand.called.push(runner);
            stand.given.push_back(beginning);
            drop(stand);
            waker.wake();
            return;
        }
        stand.made += 1;
        let id = RunnerId(stand.made);
        drop(stand);
        let life = Some(beginning.begin());
        drop(actix_rt::spawn(Runner { stand: Rc::clone(&self.0), id, life }));
    }
}

impl<B: Beginning> Drop for Runners<B> {
    fn drop(&mut self) {
        let idle = {
            let mut stand = self.0.borrow_mut();
            stand.is_closed = true;
            std::mem::take(&mut stand.idle)
        };
        idle.into_iter().for_each(|idle| idle.waker.wake());
    }
}

impl<B> Stand<B> {
    fn take(&mut self, runner: RunnerId) -> Option<B> {
        let at = self.called.iter().position(|&called| called == runner)?;
        self.called.swap_remove(at);
        self.given.pop_front()
    }

    /// Whether this runner is to wait for another life.
    fn keep(&mut self, runner: RunnerId, waker: &Waker) -> bool {
        let is_kept = !self.is_closed && self.idle.len() < IDLE_RUNNERS;
        if is_kept {
            self.idle.push(Idle { runner, waker: waker.clone() });
        }
        is_kept
    }
}

impl<B: Beginning> Future for Runner<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut PollContext<'_>) -> Poll<()> {
        let this = self.get_mut();
        let life = match &mut this.life {
            Some(life) => life,
            idle @ None => {
                let given = this.stand.borrow_mut().take(this.id);
                match given {
                    Some(beginning) => idle.insert(beginning.begin()),
                    None if this.stand.borrow().is_closed => return Poll::Ready(()),
                    None => return Poll::Pending,
                }
            }
        };
        ready!(Pin::new(life).poll(cx));
        // What is left of it is dropped before another can begin.
        this.life = None;
        let is_kept = this.stand.borrow_mut().keep(this.id, cx.waker());
        if is_kept { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
impl<B: Beginning> Runners<B> {
    pub(super) fn made(&self) -> u64 {
        self.0.borrow().made
    }

    pub(super) fn idle(&self) -> usize {
        self.0.borrow().idle.len()
    }

    /// How many runners there are.
    pub(super) fn alive(&self) -> usize {
        Rc::strong_count(&self.0) - 1
    }

    /// The same, with their owner counted while that is there.
    pub(super) fn watch(&self) -> impl Fn() -> usize + use<B> {
        let stand = Rc::downgrade(&self.0);
        move || stand.strong_count()
    }
}
