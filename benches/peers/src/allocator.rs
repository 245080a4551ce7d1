//! The allocator of this program: the system's, with a count of live bytes where one is asked for.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Off but in the case `memory`: elsewhere an allocation costs one load more, for all subjects alike.
static IS_ON: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// Counts from here on. To be called before anything that is to be counted exists.
pub(crate) fn switch_on() {
    IS_ON.store(true, Relaxed);
}

/// Bytes asked for and not given back since [`switch_on`], without what the allocator adds to each block.
pub(crate) fn live_bytes() -> i64 {
    LIVE.load(Relaxed)
}

struct Counting;

impl Counting {
    fn add(bytes: usize) {
        if IS_ON.load(Relaxed) {
            LIVE.fetch_add(bytes as i64, Relaxed);
        }
    }

    fn take(bytes: usize) {
        if IS_ON.load(Relaxed) {
            LIVE.fetch_sub(bytes as i64, Relaxed);
        }
    }
}

// SAFETY: every call goes to the system's allocator as it came; the counter touches no memory of it. The
// trait cannot be implemented otherwise, and nothing else tells the live bytes of a foreign crate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::take(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::take(layout.size());
        Self::add(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}
