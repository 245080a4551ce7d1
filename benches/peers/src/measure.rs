//! Clocks and scales: all subjects are measured by these and by nothing else.

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use crate::{allocator, job::Sample};

/// Time on the wall, and time that the whole process (all its threads) spent on a core.
pub(crate) struct Stopwatch {
    began: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let cpu = cpu_time();
        Self { began: Instant::now(), cpu }
    }

    /// So many units were done since the start.
    pub(crate) fn stop(self, units: usize) -> Sample {
        let took = self.began.elapsed();
        let cpu = cpu_time() - self.cpu;
        let each = |time: Duration| Some(time.as_nanos() as f64 / units as f64);
        Sample { ns_per_unit: each(took), cpu_ns_per_unit: each(cpu), ..Sample::default() }
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// The times of units that follow each other: one reading of the clock between two units.
pub(crate) struct Laps {
    stopwatch: Stopwatch,
    last: Instant,
    times: Vec<u64>,
}

impl Laps {
    pub(crate) fn start(units: usize) -> Self {
        // A page of it that came fresh from the system would take longer than what is measured: all are fetched now.
        let mut times = black_box(vec![u64::MAX; units]);
        times.clear();
        Self { stopwatch: Stopwatch::start(), times, last: Instant::now() }
    }

    /// A unit is done; the next one begins.
    pub(crate) fn lap(&mut self) {
        let now = Instant::now();
        self.times.push((now - self.last).as_nanos() as u64);
        self.last = now;
    }

    pub(crate) fn stop(self) -> Sample {
        let Self { stopwatch, mut times, .. } = self;
        let sample = stopwatch.stop(times.len());
        times.sort_unstable();
        let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied();
        Sample { p50_ns: at(0.50), p99_ns: at(0.99), ..sample }
    }
}

/// What the process holds.
pub(crate) struct Scales {
    live: i64,
    resident: i64,
}

impl Scales {
    /// To be read when tasks neither start nor end; see [`settled`](crate::bodies::settled).
    pub(crate) fn read() -> Self {
        Self { live: allocator::live_bytes(), resident: resident_bytes() }
    }

    /// What has been added for each of so many tasks.
    pub(crate) fn growth(self, tasks: usize) -> Sample {
        let now = Self::read();
        let each = |bytes: i64| Some(bytes as f64 / tasks as f64);
        Sample {
            live_bytes: each(now.live - self.live),
            resident_bytes: each(now.resident - self.resident),
            ..Sample::default()
        }
    }
}

fn resident_bytes() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells the resident size");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok());
    pages.expect("the second number is the resident pages") * rustix::param::page_size() as i64
}
