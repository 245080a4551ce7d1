//! The tables, as Markdown.

use std::time::Duration;

use crate::{
    job::{Case, Config},
    plan::{self, Row},
    report::{Figure, Line},
    results::{Place, Results, Verdict, short},
};

/// What stands above the tables.
pub(crate) struct Facts {
    pub(crate) when: String,
    pub(crate) cores: usize,
    pub(crate) rounds: usize,
    pub(crate) took: Duration,
    /// In the order of the columns.
    pub(crate) subjects: Vec<&'static str>,
}

/// The pinned crates, as the manifest has them.
pub(crate) fn versions() -> Vec<&'static str> {
    include_str!("../Cargo.toml").lines().filter(|line| line.contains("\"=")).collect()
}

pub(crate) fn markdown(
    facts: &Facts,
    rows: &[Row],
    results: &Results,
    verdicts: &[Verdict],
) -> String {
    let mut page = Page { text: String::new(), facts, rows, results };
    page.head();
    page.verdicts(verdicts);
    for threads in [1, 2] {
        page.ratios(threads);
    }
    for threads in [1, 2] {
        page.figures(threads);
    }
    page.growth();
    page.missing();
    page.left_out();
    page.text
}

struct Page<'a> {
    text: String,
    facts: &'a Facts,
    rows: &'a [Row],
    results: &'a Results,
}

impl Page<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn head(&mut self) {
        let Facts { when, cores, rounds, took, .. } = self.facts;
        self.line(format!(
            "`cargo run --release -p peers -- all`, {when}, {cores} cores, {rounds} rounds (1 at 1M, fewer where it takes long), {} min.",
            took.as_secs() / 60
        ));
        self.line("Each figure is a median over all rounds; each sample ran in a process of its own. Against:\n");
        self.line("```toml");
        for version in versions() {
            self.line(version);
        }
        self.line("```");
    }

    fn verdicts(&mut self, verdicts: &[Verdict]) {
        let met = verdicts.iter().filter(|verdict| verdict.is_met == Some(true)).count();
        let missed = verdicts.iter().filter(|verdict| verdict.is_met == Some(false)).count();
        let open = verdicts.len() - met - missed;
        self.line(format!("\n## Targets: {met} met, {missed} missed, {open} not measured\n"));
        self.line(
            "| target | ours | theirs | value | (better forms) | (on a core) | at most | aim | |",
        );
        self.line("|---|--:|--:|--:|--:|--:|--:|--:|---|");
        for verdict in verdicts {
            let number = |figure: Option<f64>| figure.map(significant).unwrap_or_default();
            let met = match (verdict.is_met, verdict.is_aim_met) {
                (None, _) => "not measured",
                (Some(false), _) => "**missed**",
                (Some(true), Some(false)) => "met, not the aim",
                (Some(true), _) => "met",
            };
            let theirs = match &verdict.peer {
                Some(peer) => format!("{} ({peer})", number(verdict.peers)),
                None => String::new(),
            };
            self.line(format!(
                "| {} | {} | {theirs} | {} | {} | {} | {} | {} | {met} |",
                verdict.what,
                number(verdict.ours),
                number(verdict.value),
                number(verdict.between_better),
                number(verdict.on_a_core),
                number(verdict.at_most),
                number(verdict.aim),
            ));
        }
    }

    /// The figure of this crate, and by how much it is more (or less) than that of each peer.
    fn ratios(&mut self, threads: usize) {
        let (ours, place) = match threads {
            1 => ("ours-current", "on one thread"),
            _ => ("ours-dedicated", "the tasks on another thread than the caller"),
        };
        self.line(format!("\n## `{ours}` as a multiple of each peer, {place}\n"));
        self.line(
            "Below 1 this crate takes less. Each subject in the better of its configurations; (lost): it lost events.\n",
        );
        let peers: Vec<_> =
            self.subjects_on(threads).into_iter().filter(|name| *name != ours).collect();
        self.line(format!("| case | n | `{ours}` | {} |", peers.join(" | ")));
        self.line(format!("|---|--:|--:|{}", "--:|".repeat(peers.len())));
        for (row, figure) in rows_on(self.rows, threads) {
            // At the size of the targets, or the smallest where that was not measured.
            let sizes = [plan::K10].iter().chain(row.sizes);
            let measured = sizes
                .map(|n| place_of(row, *n))
                .find_map(|place| Some((place, self.results.value(place, ours, figure)?)));
            let Some((place, own)) = measured else { continue };
            let ratio = |peer: &&str| {
                let theirs = self.results.best(place, peer, figure)?;
                let lost = if theirs.lost > 0 { " (lost)" } else { "" };
                Some(significant(own / theirs.figure(figure)?) + lost)
            };
            let ratio = |peer| ratio(peer).unwrap_or_else(|| "–".to_owned());
            let cells: Vec<_> = peers.iter().map(ratio).collect();
            self.line(format!(
                "| {} | {} | {} | {} |",
                label_of(row, figure),
                short(place.n),
                with_unit(figure, own),
                cells.join(" | ")
            ));
        }
    }

    fn figures(&mut self, threads: usize) {
        self.line(match threads {
            1 => "\n## The figures, on one thread\n",
            _ => "\n## The figures, the tasks on another thread than the caller\n",
        });
        self.line("`usual` / `fastest`, where there is one.\n");
        let shown = self.subjects_on(threads);
        self.line(format!("| case | n | {} |", shown.join(" | ")));
        self.line(format!("|---|--:|{}", "--:|".repeat(shown.len())));
        for (row, figure) in rows_on(self.rows, threads) {
            for &n in row.sizes {
                let place = place_of(row, n);
                let cell = |subject: &&str| {
                    let of = |config| self.results.find(place, subject, config)?.figure(figure);
                    let told = Config::ALL.into_iter().filter_map(of);
                    let told: Vec<_> = told.map(|own| with_unit(figure, own)).collect();
                    if told.is_empty() { "–".to_owned() } else { told.join(" / ") }
                };
                let cells: Vec<_> = shown.iter().map(cell).collect();
                if cells.iter().any(|cell| cell != "–") {
                    let label = label_of(row, figure);
                    self.line(format!("| {label} | {} | {} |", short(n), cells.join(" | ")));
                }
            }
        }
    }

    /// This crate is on one thread in one placement, and on two in the other.
    fn subjects_on(&self, threads: usize) -> Vec<&'static str> {
        let elsewhere = if threads == 1 { "ours-dedicated" } else { "ours-current" };
        self.facts.subjects.iter().copied().filter(|name| *name != elsewhere).collect()
    }

    fn growth(&mut self) {
        let subjects = &self.facts.subjects;
        self.line("\n## Growth of one unit with n\n");
        self.line(format!("| case | from, to | {} |", subjects.join(" | ")));
        self.line(format!("|---|---|{}", "--:|".repeat(subjects.len())));
        for row in self.rows {
            let figure = if row.case == Case::Memory { Figure::Resident } else { Figure::Time };
            for (from, to) in [plan::GROWTH, (plan::GROWTH.1, plan::M1)] {
                let place = place_of(row, from);
                let growth = |subject: &&str| {
                    let growth = self.results.growth(place, (from, to), subject, figure);
                    growth.map_or("–".to_owned(), significant)
                };
                let cells: Vec<_> = subjects.iter().map(growth).collect();
                if cells.iter().any(|cell| cell != "–") {
                    let threads = if row.options.threads == 2 { ", two threads" } else { "" };
                    self.line(format!(
                        "| {}{threads} | {}, {} | {} |",
                        row.label(),
                        short(from),
                        short(to),
                        cells.join(" | ")
                    ));
                }
            }
        }
    }

    fn missing(&mut self) {
        self.line("\n## Lost, failed, not there\n");
        self.line("| subject | case | n | what |");
        self.line("|---|---|--:|---|");
        let mut told = Vec::new();
        for line in &self.results.lines {
            let what = match (&line.unsupported, &line.failed) {
                (Some(why), _) if line.config == Config::Usual => why.clone(),
                (Some(_), _) => continue,
                (None, Some(why)) => format!("failed: {why}"),
                (None, None) if line.lost > 0 => format!("{} events lost", line.lost),
                (None, None) => continue,
            };
            // A case that is not there is not there at any size.
            let n = if line.unsupported.is_some() { "all".to_owned() } else { short(line.n) };
            let label = label_of_line(line);
            let row = format!("| {} | {label} | {n} | {what} |", line.subject);
            if !told.contains(&row) {
                self.line(&row);
                told.push(row);
            }
        }
    }

    /// What a figure does not contain, and with which settings it came about.
    fn left_out(&mut self) {
        self.line("\n## What each does, and does not do\n");
        let mut told: Vec<Told<'_>> = Vec::new();
        for subject in &self.facts.subjects {
            let lines = self.results.lines.iter().filter(|line| line.subject == *subject);
            for line in lines.filter(|line| line.rounds > 0) {
                let same = |told: &&mut Told<'_>| told.is_of(line);
                match told.iter_mut().find(same) {
                    Some(known) if known.cases.contains(&line.case) => {}
                    Some(known) => known.cases.push(line.case),
                    None => told.push(Told { line, cases: vec![line.case] }),
                }
            }
        }
        self.line("| subject | config | cases | settings | left out |");
        self.line("|---|---|---|---|---|");
        for Told { line, mut cases } in told {
            cases.sort_unstable();
            let cases: Vec<_> = cases.into_iter().map(Case::label).collect();
            let Line { subject, settings, left_out, .. } = line;
            let (config, cases) = (line.config.label(), cases.join(", "));
            self.line(format!("| {subject} | {config} | {cases} | {settings} | {left_out} |"));
        }
    }
}

/// What holds for several cases of a subject.
struct Told<'a> {
    line: &'a Line,
    cases: Vec<Case>,
}

impl Told<'_> {
    fn is_of(&self, line: &Line) -> bool {
        let key = |line: &Line| {
            (line.subject.clone(), line.config, line.settings.clone(), line.left_out.clone())
        };
        key(self.line) == key(line)
    }
}

fn place_of(row: &Row, n: usize) -> Place {
    Place { case: row.case, n, options: row.options }
}

/// The rows on so many threads, once for each figure that is of interest.
fn rows_on(rows: &[Row], threads: usize) -> impl Iterator<Item = (&Row, Figure)> {
    rows.iter().filter(move |row| row.options.threads == threads).flat_map(|row| {
        let figures: &[_] = match row.case {
            Case::Memory => &[Figure::Resident, Figure::Live],
            Case::Add | Case::Cancel => &[Figure::P50, Figure::P99],
            _ => &[Figure::Time, Figure::Cpu],
        };
        figures.iter().map(move |figure| (row, *figure))
    })
}

fn label_of(row: &Row, figure: Figure) -> String {
    match figure {
        Figure::Time => row.label(),
        _ => format!("{}: {}", row.label(), figure.label()),
    }
}

fn label_of_line(line: &Line) -> String {
    let row = Row { case: line.case, options: line.options, sizes: &[] };
    let config = if line.config == Config::Fastest { ", fastest" } else { "" };
    let threads = if line.options.threads == 2 { ", two threads" } else { "" };
    if line.unsupported.is_some() {
        format!("`{}`", line.case)
    } else {
        row.label() + config + threads
    }
}

fn with_unit(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Time | Figure::Cpu | Figure::P50 | Figure::P99 if value < 1_000.0 => {
            format!("{} ns", significant(value))
        }
        Figure::Time | Figure::Cpu | Figure::P50 | Figure::P99 => {
            format!("{} µs", significant(value / 1_000.0))
        }
        Figure::Resident | Figure::Live => format!("{value:.0} B"),
        Figure::Lost => format!("{value:.0}"),
    }
}

/// Three digits that count.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
