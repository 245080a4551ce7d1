//! How ids are spread over a table.

use std::{collections::HashMap, hash::BuildHasher};

use super::super::table::IdMap;
use crate::id::TaskId;

fn hash(id: TaskId) -> u64 {
    IdMap::<()>::default().hasher().hash_one(id)
}

fn place(id: TaskId, size: u64) -> u64 {
    hash(id) & (size - 1)
}

fn most_alike<T: Eq + std::hash::Hash>(all: impl Iterator<Item = T>) -> usize {
    let mut counts = HashMap::new();
    all.for_each(|one| *counts.entry(one).or_insert(0) += 1);
    counts.into_values().max().unwrap_or_default()
}

#[test]
fn ids_of_one_row_are_neighbours_with_different_tags() {
    for row in [64_u64, 6_400, 1 << 40] {
        let ids = || (row..row + 64).map(super::id);
        let first = place(super::id(row), 4_096);
        assert!(ids().map(|id| place(id, 4_096)).eq(first..first + 64), "row {row}");
        assert_eq!(most_alike(ids().map(|id| hash(id) >> 57)), 1, "row {row}");
    }
}

#[test]
fn rows_share_the_room_evenly() {
    for size in [1_024_u64, 16_384, 131_072] {
        let rows = (0..size / 64 * 7 / 8).map(|row| super::id((row + 1) * 64));
        let crowd = most_alike(rows.map(|id| place(id, size) / 64));
        assert!(crowd <= 3, "{crowd} rows in one place of {size}");
    }
}

#[test]
fn whatever_the_steps_between_those_who_stay_they_are_spread() {
    for step in [1_u64, 2, 3, 63, 64, 65, 100, 1_000, 1_024, 4_096, 65_536, 1_000_000, 1 << 20] {
        let ids = || (1..=3_500).map(|number| super::id(number * step));
        let crowd = most_alike(ids().map(|id| place(id, 4_096)));
        assert!(crowd <= 2 * 64, "{crowd} at one place, steps of {step}");
        let alike = most_alike(ids().map(|id| (place(id, 4_096), hash(id) >> 57)));
        assert!(alike <= 8, "{alike} look alike, steps of {step}");
    }
}
