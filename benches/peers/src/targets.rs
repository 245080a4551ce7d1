//! What is aimed at: each target is a ratio, or a bound, that one run either meets or misses.

use crate::{
    job::{Case, Config, Drive, Options},
    plan::K10,
    report::Figure,
};

/// What one figure of this crate is to be at most.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) case: Case,
    pub(crate) n: usize,
    pub(crate) options: Options,
    pub(crate) figure: Figure,
    pub(crate) ours: &'static str,
    /// `None`: the usual one, for this crate and for the others; what holds between the better ones is told beside it.
    pub(crate) config: Option<Config>,
    pub(crate) against: Against,
    pub(crate) at_most: f64,
    /// What would be better still.
    pub(crate) aim: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Against {
    /// `at_most` is a ratio to the best of these.
    Peers(&'static [&'static str]),
    /// `at_most` is the figure itself.
    Bound,
    /// `at_most` is the ratio of the growth from 1k to 100k of this crate to that of this subject.
    Growth(&'static str),
}

const CURRENT: &str = "ours-current";
const DEDICATED: &str = "ours-dedicated";
const MINIMAL: Against = Against::Peers(&["actix-minimal"]);
const V02: Against = Against::Peers(&["taskvisor-0.2.1"]);
const V09: Against = Against::Peers(&["taskvisor-0.9.0"]);
const BEST_TASKVISOR: Against = Against::Peers(&["taskvisor-0.2.1", "taskvisor-0.9.0"]);
/// Growth as it is by hand.
const GROWTH: Against = Against::Growth("actix-minimal");

/// All of them.
pub(crate) fn all() -> Vec<Target> {
    let mut all = vec![
        of(Case::Restart).n(1_000).at_most(0.8, BEST_TASKVISOR),
        of(Case::Fanout).config(Config::Fastest).at_most(25.0, Against::Bound),
        of(Case::Fanout).subscribers(64).config(Config::Fastest).at_most(12.0, Against::Bound),
        of(Case::Fanout).config(Config::Usual).at_most(1.2, MINIMAL),
        of(Case::Fanout).subscribers(64).config(Config::Usual).at_most(1.2, MINIMAL),
        of(Case::Shutdown).at_most(1.2, MINIMAL),
        of(Case::Shutdown).at_most(0.25, V09),
        of(Case::Shutdown).n(100_000).at_most(1.2, MINIMAL),
        of(Case::Shutdown).n(100_000).at_most(0.25, V09),
        of(Case::Memory).figure(Figure::Resident).at_most(1.15, MINIMAL),
        of(Case::Memory).figure(Figure::Resident).at_most(0.5, V09),
        of(Case::Memory).figure(Figure::Live).at_most(1_500.0, Against::Bound).aim(1_300.0),
        of(Case::Oneshot).dedicated().pipelined().at_most(1.6, MINIMAL),
        of(Case::Oneshot).dedicated().pipelined().at_most(0.5, BEST_TASKVISOR),
    ];
    // `add` after `add`, each with its answer, and as many under way as `command_capacity` lets in.
    for oneshot in [of(Case::Oneshot), of(Case::Oneshot).pipelined()] {
        all.push(oneshot.clone().at_most(2.0, MINIMAL).aim(1.4));
        all.push(oneshot.clone().at_most(0.45, V02));
        all.push(oneshot.at_most(0.25, V09));
    }
    all.extend([(1, Some(0.5)), (4, None), (16, Some(0.4))].into_iter().flat_map(
        |(count, ratio)| {
            let events = of(Case::OneshotEvents).subscribers(count);
            let lost = events.clone().figure(Figure::Lost).at_most(0.0, Against::Bound);
            ratio.map(|ratio| events.at_most(ratio, V02)).into_iter().chain([lost])
        },
    ));
    for held in [0, K10] {
        let add = of(Case::Add).held(held).figure(Figure::P50);
        all.push(add.clone().at_most(0.8, V09));
        // Only an aim: no target is beyond it.
        all.push(add.clone().at_most(f64::INFINITY, MINIMAL).aim(1.5));
        all.push(add.dedicated().at_most(1.5, MINIMAL));
    }
    for figure in [Figure::P50, Figure::P99] {
        let cancel = of(Case::Cancel).figure(figure);
        all.push(cancel.clone().at_most(1.6, MINIMAL));
        all.push(cancel.at_most(0.5, BEST_TASKVISOR));
    }
    for keys in [100, 1] {
        let slots = of(Case::Slots).keys(keys).at_most(0.4, V02);
        all.extend([slots.clone(), slots.pipelined()]);
    }
    all.extend(Case::ALL.map(|case| {
        let figure = if case == Case::Memory { Figure::Resident } else { Figure::Time };
        let growing = of(case).figure(figure).at_most(1.3, GROWTH);
        // So that 100,000 tasks are feasible.
        if case == Case::Restart { growing.restarts(10) } else { growing }
    }));
    all.sort_by_key(|target| {
        (target.ours, target.case, matches!(target.against, Against::Growth(_)))
    });
    all
}

/// Whether a target says something of this subject.
pub(crate) fn name(subject: &str) -> bool {
    all().iter().any(|target| match target.against {
        _ if target.ours == subject => true,
        Against::Peers(peers) => peers.contains(&subject),
        Against::Growth(peer) => peer == subject,
        Against::Bound => false,
    })
}

fn of(case: Case) -> Target {
    Target {
        case,
        n: K10,
        options: Options::of(case),
        figure: Figure::Time,
        ours: CURRENT,
        config: None,
        against: Against::Bound,
        at_most: f64::INFINITY,
        aim: None,
    }
}

impl Target {
    fn at_most(self, at_most: f64, against: Against) -> Self {
        Self { at_most, against, ..self }
    }

    fn aim(self, aim: f64) -> Self {
        Self { aim: Some(aim), ..self }
    }

    fn n(self, n: usize) -> Self {
        Self { n, ..self }
    }

    fn figure(self, figure: Figure) -> Self {
        Self { figure, ..self }
    }

    fn config(self, config: Config) -> Self {
        Self { config: Some(config), ..self }
    }

    fn dedicated(mut self) -> Self {
        self.options.threads = 2;
        Self { ours: DEDICATED, ..self }
    }

    fn pipelined(mut self) -> Self {
        self.options.drive = Drive::Pipelined;
        self
    }

    fn subscribers(mut self, subscribers: usize) -> Self {
        self.options.subscribers = subscribers;
        self
    }

    fn held(mut self, held: usize) -> Self {
        self.options.held = held;
        self
    }

    fn keys(mut self, slots: usize) -> Self {
        self.options.slots = slots;
        self
    }

    fn restarts(mut self, restarts: usize) -> Self {
        self.options.restarts = restarts;
        self
    }
}
