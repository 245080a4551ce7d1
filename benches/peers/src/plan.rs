//! What `all` runs.

use crate::job::{Case, Drive, Options};

/// One row of the tables: a case with its options, at several sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) options: Options,
    pub(crate) sizes: &'static [usize],
}

const K1: usize = 1_000;
pub(crate) const K10: usize = 10_000;
const K100: usize = 100_000;
pub(crate) const M1: usize = 1_000_000;

/// Between which sizes growth is told.
pub(crate) const GROWTH: (usize, usize) = (K1, K100);

/// From one size to the next, and where it is feasible one more.
const TO_100K: &[usize] = &[K1, K10, K100];
const TO_1M: &[usize] = &[K1, K10, K100, M1];

/// How many rounds there are at most at a size: with a million a pass takes a minute, and no target is there.
pub(crate) fn most_rounds(n: usize) -> usize {
    if n >= M1 { 1 } else { usize::MAX }
}

/// In the order of the tables. Memory is first: it tells which sizes are feasible elsewhere.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row(Case::Memory, TO_1M, |_| {}),
        row(Case::Oneshot, TO_1M, |_| {}),
        row(Case::Oneshot, &[K10], |options| options.drive = Drive::Pipelined),
        row(Case::OneshotEvents, TO_100K, |options| options.subscribers = 1),
        row(Case::OneshotEvents, &[K10], |options| options.subscribers = 4),
        row(Case::OneshotEvents, &[K10], |options| options.subscribers = 16),
        row(Case::Restart, &[K1], |options| options.restarts = 100),
        row(Case::Restart, TO_100K, |options| options.restarts = 10),
        row(Case::Fanout, TO_100K, |options| options.subscribers = 16),
        row(Case::Fanout, &[K10], |options| options.subscribers = 64),
        row(Case::Add, TO_100K, |options| options.held = 0),
        row(Case::Add, &[K10], |options| options.held = K10),
        row(Case::Cancel, TO_100K, |_| {}),
        row(Case::Slots, TO_100K, |options| options.slots = 100),
        row(Case::Slots, &[K10], |options| options.slots = 1),
        row(Case::Slots, &[K10], |options| {
            options.slots = 100;
            options.drive = Drive::Pipelined;
        }),
        row(Case::Slots, &[K10], |options| {
            options.slots = 1;
            options.drive = Drive::Pipelined;
        }),
        row(Case::Shutdown, TO_1M, |_| {}),
    ];
    let on_two_threads = [
        row(Case::Memory, &[K10], |_| {}),
        row(Case::Oneshot, TO_100K, |options| options.drive = Drive::Pipelined),
        row(Case::Oneshot, &[K10], |_| {}),
        row(Case::OneshotEvents, &[K10], |options| {
            options.drive = Drive::Pipelined;
            options.subscribers = 16;
        }),
        row(Case::Restart, &[K1], |_| {}),
        row(Case::Fanout, &[K10], |options| options.subscribers = 16),
        row(Case::Add, &[K10], |options| options.held = 0),
        row(Case::Add, &[K10], |options| options.held = K10),
        row(Case::Cancel, &[K10], |_| {}),
        row(Case::Slots, &[K10], |options| {
            options.slots = 100;
            options.drive = Drive::Pipelined;
        }),
        row(Case::Shutdown, &[K10], |_| {}),
    ];
    rows.extend(on_two_threads.map(|mut row| {
        row.options.threads = 2;
        row
    }));
    rows
}

fn row(case: Case, sizes: &'static [usize], set: impl FnOnce(&mut Options)) -> Row {
    let mut options = Options::of(case);
    set(&mut options);
    Row { case, options, sizes }
}

impl Row {
    /// As it stands in the tables.
    pub(crate) fn label(&self) -> String {
        let Options { subscribers, restarts, held, slots, .. } = self.options;
        let case = self.case;
        let what = match case {
            Case::OneshotEvents | Case::Fanout => format!("`{case}`, {subscribers} subscribers"),
            Case::Restart => format!("`{case}`, {restarts} each"),
            Case::Add => format!("`{case}`, {held} held"),
            Case::Slots => format!("`{case}`, {slots} keys"),
            Case::Oneshot | Case::Cancel | Case::Memory | Case::Shutdown => format!("`{case}`"),
        };
        let is_told = matches!(case, Case::Oneshot | Case::OneshotEvents | Case::Slots);
        let drive =
            if is_told && self.options.drive == Drive::Pipelined { ", pipelined" } else { "" };
        format!("{what}{drive}")
            .replace(", 1 subscribers", ", 1 subscriber")
            .replace(", 1 keys", ", 1 key")
    }
}
