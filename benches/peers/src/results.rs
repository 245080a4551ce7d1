//! All lines of one run, and what can be concluded from them.

use serde::Serialize;

use crate::{
    job::{Case, Config, Options},
    plan,
    report::{Figure, Line},
    targets::{Against, Target},
};

#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) lines: Vec<Line>,
}

/// What is looked for: a row at one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) case: Case,
    pub(crate) n: usize,
    pub(crate) options: Options,
}

impl Results {
    pub(crate) fn find(&self, place: Place, subject: &str, config: Config) -> Option<&Line> {
        self.lines.iter().find(|line| {
            line.subject == subject
                && line.config == config
                && line.case == place.case
                && line.n == place.n
                && line.options == place.options
        })
    }

    /// The line of the better configuration: of those that lost nothing, if there is one.
    pub(crate) fn best(&self, place: Place, subject: &str, figure: Figure) -> Option<&Line> {
        let lines = Config::ALL.into_iter().filter_map(|config| self.find(place, subject, config));
        lines.filter(|line| line.figure(figure).is_some()).min_by(|one, other| {
            let rank = |line: &Line| (line.lost > 0, line.figure(figure).unwrap_or(f64::INFINITY));
            let ((one_lost, one), (other_lost, other)) = (rank(one), rank(other));
            one_lost.cmp(&other_lost).then(one.total_cmp(&other))
        })
    }

    /// The figure of the better configuration.
    pub(crate) fn value(&self, place: Place, subject: &str, figure: Figure) -> Option<f64> {
        self.best(place, subject, figure)?.figure(figure)
    }

    /// Over all configurations: no one may hide another.
    fn most_lost(&self, place: Place, subject: &str) -> Option<f64> {
        let lines = Config::ALL.into_iter().filter_map(|config| self.find(place, subject, config));
        lines.filter_map(|line| line.figure(Figure::Lost)).max_by(f64::total_cmp)
    }

    /// A figure at the larger of two sizes, as a multiple of that at the smaller.
    pub(crate) fn growth(
        &self,
        place: Place,
        (from, to): (usize, usize),
        subject: &str,
        figure: Figure,
    ) -> Option<f64> {
        let at = |n| self.value(Place { n, ..place }, subject, figure);
        at(from).zip(at(to)).filter(|(from, _)| *from > 0.0).map(|(from, to)| to / from)
    }

    pub(crate) fn verdict(&self, target: &Target) -> Verdict {
        let place = target.place();
        let usual = |subject: &str, figure| match (target.config, figure) {
            (None, Figure::Lost) => self.most_lost(place, subject),
            (config, figure) => {
                let config = config.unwrap_or(Config::Usual);
                self.find(place, subject, config)?.figure(figure)
            }
        };
        let better = |subject: &str, figure| self.value(place, subject, figure);
        let (value, ours, peer) = match target.against {
            Against::Bound => {
                let figure = usual(target.ours, target.figure);
                (figure, figure, None)
            }
            Against::Peers(peers) => ratio(target.ours, peers, |name| usual(name, target.figure)),
            Against::Growth(peer) => ratio(target.ours, &[peer], |name| {
                let at = |n| self.value(Place { n, ..place }, name, target.figure);
                let (from, to) = (at(plan::GROWTH.0)?, at(plan::GROWTH.1)?);
                (from > 0.0).then(|| to / from)
            }),
        };
        let beside = |of: &dyn Fn(&str) -> Option<f64>| match target.against {
            Against::Peers(peers) => ratio(target.ours, peers, of).0,
            Against::Bound | Against::Growth(_) => None,
        };
        let is_time = target.figure == Figure::Time;
        Verdict {
            what: target.what(),
            ours,
            peer: peer.map(|(name, _)| name.to_owned()),
            peers: peer.map(|(_, figure)| figure),
            value,
            between_better: beside(&|name| better(name, target.figure))
                .filter(|_| target.config.is_none()),
            on_a_core: beside(&|name| usual(name, Figure::Cpu)).filter(|_| is_time),
            at_most: Some(target.at_most).filter(|bound| bound.is_finite()),
            aim: target.aim,
            is_met: value.map(|value| value <= target.at_most),
            is_aim_met: value.zip(target.aim).map(|(value, aim)| value <= aim),
        }
    }
}

/// Of this crate's figure to the least of some peers; with the figures themselves.
fn ratio<'a>(
    ours: &str,
    peers: &[&'a str],
    of: impl Fn(&str) -> Option<f64>,
) -> (Option<f64>, Option<f64>, Option<(&'a str, f64)>) {
    let own = of(ours);
    let known = peers.iter().filter_map(|peer| Some((*peer, of(peer)?)));
    let least = known.min_by(|one, other| one.1.total_cmp(&other.1));
    (own.zip(least).map(|(own, (_, theirs))| own / theirs), own, least)
}

impl Target {
    pub(crate) fn place(&self) -> Place {
        Place { case: self.case, n: self.n, options: self.options }
    }

    /// In words.
    fn what(&self) -> String {
        let row = plan::Row { case: self.case, options: self.options, sizes: &[] }.label();
        let config = self.config.map(|config| format!(", {}", config.label())).unwrap_or_default();
        let against = match self.against {
            Against::Peers(peers) => format!(" / {}", peers.join(" or ")),
            Against::Bound => String::new(),
            Against::Growth(peer) => {
                let figure = self.figure.label();
                return format!(
                    "{}: {row}, growth of {figure} from 1k to 100k / {peer}",
                    self.ours
                );
            }
        };
        let (ours, n, figure) = (self.ours, short(self.n), self.figure.label());
        format!("{ours}: {row}{config}, n = {n}: {figure}{against}")
    }
}

/// 10k rather than 10000.
pub(crate) fn short(n: usize) -> String {
    match n {
        n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        n if n >= 1_000 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

/// How one target stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    /// Of this crate: the figure, or its growth.
    pub(crate) ours: Option<f64>,
    pub(crate) peer: Option<String>,
    pub(crate) peers: Option<f64>,
    /// Their ratio; where there is no peer, the figure.
    pub(crate) value: Option<f64>,
    /// The same between the better configurations of both.
    pub(crate) between_better: Option<f64>,
    /// The same by the time on a core, for orientation where the machine was busy.
    pub(crate) on_a_core: Option<f64>,
    pub(crate) at_most: Option<f64>,
    pub(crate) aim: Option<f64>,
    /// `None`: not measured.
    pub(crate) is_met: Option<bool>,
    pub(crate) is_aim_met: Option<bool>,
}
