//! Who is a member: ids, names, the limit, and the history of outcomes. Pure.
//!
//! Generic over what it holds (the shared cell of a task), of which it reads id and name and nothing else.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
    num::NonZeroU64,
    sync::Arc,
    vec::Drain,
};

use foldhash::{SharedSeed, quality::SeedableRandomState};

use super::KEEP;
use crate::{
    error::{AddRefusal, InvalidSpec},
    id::{TaskId, TaskRef, TaskTarget},
};

/// For ids, which are dense numbers of ours: 64 in a row stay neighbours, and the rows are scattered evenly.
///
/// A `HashMap` takes the place from the low bits, and a tag that saves comparisons from the top seven. Tasks that come
/// together stay together in memory: adding and stopping 30,000 has an eighth fewer cache misses than with the product
/// alone (first level, cachegrind). And where one of 4,096 stays, a look-up takes two steps instead of 94.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The odd number nearest to 2^64 divided by the golden ratio (Knuth, multiplicative hashing).
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        // Its multiples differ most in their top bits: brought down to where the place is taken from.
        let row = (number >> 6).wrapping_mul(GOLDEN).rotate_left(30);
        self.0 = ((row << 6) | (number & 63)) ^ (number << 57);
    }
}

/// For names, of which a submission hashes eight: that of the standard library takes five times as many instructions for
/// a short one, 7 % of what a submission takes.
///
/// Names may come from outside. The seed is as hard to guess as the standard library's, so that nobody can prepare names
/// that collide; but who chooses names and measures how long this actor takes is not proven to find none.
pub(super) type NameHasher = SeedableRandomState;

pub(super) fn name_hasher() -> NameHasher {
    let seed = RandomState::new().hash_one(());
    NameHasher::with_seed(seed, SharedSeed::global_random())
}

pub(crate) type IdMap<T> = HashMap<TaskId, T, BuildHasherDefault<IdHasher>>;

/// What can be a member.
pub(crate) trait Titled: Clone {
    fn task(&self) -> &TaskRef;
}

/// One who was a member.
struct Past<C> {
    id: TaskId,
    /// How long its name is, so that most who have another one need not be asked. `None`: it never held it, for it only
    /// waited in a slot.
    name_len: Option<u32>,
    cell: C,
}

/// So many of those who fell out of the history go together, if it is so long.
const FALLEN: usize = 16;
const LONG_HISTORY: usize = 256;

/// One member with what `Registry` itself knows of it.
pub(crate) struct Entry<C, M> {
    pub(crate) cell: C,
    pub(crate) mark: M,
}

pub(crate) struct Table<C, M> {
    entries: IdMap<Entry<C, M>>,
    names: HashMap<Arc<str>, TaskId, NameHasher>,
    next_id: NonZeroU64,
    max_tasks: Option<usize>,
    /// The ended ones, oldest first.
    history: VecDeque<Past<C>>,
    history_limit: usize,
    /// Those who fell out of the history, and are still here.
    fallen: Vec<C>,
}

impl<C: Titled, M> Table<C, M> {
    pub(crate) fn new(max_tasks: Option<usize>, history_limit: usize) -> Self {
        Self {
            entries: IdMap::default(),
            names: HashMap::with_hasher(name_hasher()),
            next_id: NonZeroU64::MIN,
            max_tasks,
            history: VecDeque::new(),
            history_limit,
            fallen: Vec::new(),
        }
    }

    /// The next id. It is used up, whatever becomes of the command (R1).
    pub(crate) fn assign_id(&mut self) -> TaskId {
        let id = TaskId::new(self.next_id);
        // 2^64 ids at a billion a second last 584 years.
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// Whether tasks of these names, all together, may become members. The first culprit otherwise.
    pub(crate) fn may_add<'a>(
        &self,
        names: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<(), (usize, Refusal)> {
        let mut batch = (names.len() > 1).then(HashMap::<&str, usize>::new);
        for (index, name) in names.enumerate() {
            self.may_be_named(name).map_err(|why| (index, why))?;
            if self.max_tasks.is_some_and(|limit| self.entries.len() + index >= limit) {
                let limit = self.max_tasks.unwrap_or_default();
                return Err((index, Refusal::Plain(AddRefusal::LimitReached { limit })));
            }
            if let Some(first) = batch.as_mut().and_then(|batch| batch.insert(name, index)) {
                return Err((index, Refusal::TwiceInBatch { first }));
            }
        }
        Ok(())
    }

    fn may_be_named(&self, name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            return Err(Refusal::Plain(AddRefusal::InvalidSpec(InvalidSpec::EmptyName)));
        }
        match self.holder(name) {
            Some(owner) => Err(Refusal::Plain(AddRefusal::AlreadyExists { owner })),
            None => Ok(()),
        }
    }

    /// Whether there is room for one more, when `leaving` of those here go at the same time.
    pub(crate) fn has_room(&self, leaving: usize) -> Result<(), usize> {
        match self.max_tasks {
            Some(limit) if self.entries.len() - leaving >= limit => Err(limit),
            _ => Ok(()),
        }
    }

    pub(crate) fn insert(&mut self, cell: C, mark: M) {
        self.entries.insert(cell.task().id(), Entry { cell, mark });
    }

    /// Who holds a name.
    pub(crate) fn holder(&self, name: &str) -> Option<TaskId> {
        self.names.get(name).copied()
    }

    /// Gives a member its name, which is free.
    pub(crate) fn claim_name(&mut self, task: &TaskRef) {
        self.names.insert(Arc::clone(task.shared_name()), task.id());
    }

    /// Takes a member out, frees its name, if it held it, and puts it into the history. Answers its mark.
    pub(crate) fn remove(&mut self, task: &TaskRef) -> Option<M> {
        let entry = self.entries.remove(&task.id())?;
        let name_len = self.give_up_name(task).then(|| name_len(task.name()));
        self.remember(Past { id: task.id(), name_len, cell: entry.cell });
        if self.entries.is_empty() {
            self.give_memory_back();
        }
        Some(entry.mark)
    }

    /// Puts one who went into the history; the one who falls out of it makes room first, so that it never grows beyond
    /// its limit.
    fn remember(&mut self, past: Past<C>) {
        if self.history_limit == 0 {
            self.fallen.push(past.cell);
            return;
        }
        if self.history.len() >= self.history_limit {
            self.fallen.extend(self.history.pop_front().map(|oldest| oldest.cell));
        }
        self.history.push_back(past);
    }

    /// Those who fell out of the history, oldest first, as soon as there are enough of them to be let go of together;
    /// where few are remembered, each at once.
    pub(crate) fn fallen(&mut self) -> Option<Drain<'_, C>> {
        let enough = if self.history_limit < LONG_HISTORY { 1 } else { FALLEN };
        (self.fallen.len() >= enough).then(|| self.fallen.drain(..))
    }

    /// Frees the name of one who goes. Answers whether it held it. One look-up in the usual case.
    fn give_up_name(&mut self, task: &TaskRef) -> bool {
        let Some((name, holder)) = self.names.remove_entry(task.name()) else { return false };
        let held_it = holder == task.id();
        if !held_it {
            self.names.insert(name, holder);
        }
        held_it
    }

    fn give_memory_back(&mut self) {
        if self.entries.capacity() > KEEP {
            self.entries.shrink_to(KEEP);
            self.names.shrink_to(KEEP);
        }
    }

    pub(crate) fn get(&self, id: TaskId) -> Option<&Entry<C, M>> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: TaskId) -> Option<&mut Entry<C, M>> {
        self.entries.get_mut(&id)
    }

    /// The living member that is meant.
    pub(crate) fn living(&self, target: &TaskTarget) -> Option<&Entry<C, M>> {
        let id = match target {
            TaskTarget::Id(id) => id,
            TaskTarget::Name(name) => self.names.get(name)?,
        };
        self.entries.get(id)
    }

    /// A member, else the latest ended one that is still in the history (which is searched through).
    pub(crate) fn find(&self, target: &TaskTarget) -> Option<C> {
        if let Some(entry) = self.living(target) {
            return Some(entry.cell.clone());
        }
        let is_it = |past: &&Past<C>| match target {
            TaskTarget::Id(id) => past.id == *id,
            TaskTarget::Name(name) => {
                past.name_len == Some(name_len(name)) && past.cell.task().name() == &**name
            }
        };
        self.history.iter().rev().find(is_it).map(|past| past.cell.clone())
    }

    /// All members, in the order of their ids.
    pub(crate) fn sorted(&self) -> Vec<C> {
        self.ids()
            .iter()
            .filter_map(|id| self.entries.get(id))
            .map(|entry| entry.cell.clone())
            .collect()
    }

    /// Those of all members, in their order.
    pub(crate) fn ids(&self) -> Vec<TaskId> {
        let mut ids: Vec<_> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry<C, M>> {
        self.entries.values()
    }

    /// The ended ones that are remembered, oldest first.
    #[cfg(feature = "web")]
    pub(crate) fn past(&self) -> impl Iterator<Item = &C> {
        self.history.iter().map(|past| &past.cell)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// As far as it is needed to tell most names from another one.
fn name_len(name: &str) -> u32 {
    u32::try_from(name.len()).unwrap_or(u32::MAX)
}

/// Why one of a batch was refused, before ids were assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Plain(AddRefusal),
    /// An earlier one of the batch, at this index, has the name.
    TwiceInBatch {
        first: usize,
    },
}

impl Refusal {
    /// The refusal with ids, once the batch has them.
    pub(crate) fn with_ids(self, ids: &[TaskId]) -> AddRefusal {
        match self {
            Self::Plain(why) => why,
            Self::TwiceInBatch { first } => AddRefusal::AlreadyExists { owner: ids[first] },
        }
    }
}
