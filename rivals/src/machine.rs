//! The machine: its time, its disk, the memory of its processes.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The moment, for durations.
#[expect(clippy::disallowed_methods, reason = "a bench measures durations")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Microseconds since a moment.
pub(crate) fn since_us(start: Instant) -> u64 {
    u64::try_from(now().duration_since(start).as_micros()).unwrap_or(u64::MAX)
}

/// How often a second 4 KiB can be appended and synced in a directory.
pub(crate) fn syncs_per_s(directory: &Path) -> Result<u64> {
    let path = directory.join("syncs");
    let mut file = File::create(&path)?;
    let (start, bytes) = (now(), [0x5a; 4_096]);
    let mut syncs = 0;
    while since_us(start) < 3_000_000 {
        file.write_all(&bytes)?;
        file.sync_data()?;
        syncs += 1;
    }
    let syncs_per_s = syncs * 1_000_000 / since_us(start);
    fs::remove_file(&path)?;
    Ok(syncs_per_s)
}

/// The most memory that a process has had so far, in KiB.
pub(crate) fn peak_kib(process: u32) -> Result<u64> {
    kib(&format!("/proc/{process}/status"), "VmHWM:")
}

/// Processor time that a process has used, in microseconds; the clock ticks a hundred times a
/// second on every Linux that we know of.
///
/// Source: proc_pid_stat(5), fields 14 and 15.
pub(crate) fn processor_us(process: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("a name in brackets")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<std::result::Result<u64, _>>()? * 10_000)
}

fn kib(path: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Watches the memory of all processes of one name: shared pages count once.
pub(crate) struct Watch {
    most_kib: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// Begins to look, four times a second.
    pub(crate) fn start(name: &'static str) -> Watch {
        let (most_kib, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (most, until) = (Arc::clone(&most_kib), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                most.fetch_max(together_kib(name).unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        Watch { most_kib, stop, thread }
    }

    /// The most that was seen, in KiB; none where it may not be seen or the server is elsewhere.
    pub(crate) fn end(self) -> Option<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok()?;
        Some(self.most_kib.load(Ordering::Relaxed)).filter(|most| *most > 0)
    }
}

fn together_kib(name: &str) -> Result<u64> {
    // A process may end while it is looked at.
    let one = |process| kib(&format!("/proc/{process}/smaps_rollup"), "Pss:").unwrap_or(0);
    Ok(processes(name)?.into_iter().map(one).sum())
}

/// Processor time of all processes of one name that are there, in microseconds.
pub(crate) fn together_processor_us(name: &str) -> Result<u64> {
    Ok(processes(name)?.into_iter().map(|process| processor_us(process).unwrap_or(0)).sum())
}

fn processes(name: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let comm = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        found.extend(number.filter(|_| comm.trim() == name));
    }
    Ok(found)
}
