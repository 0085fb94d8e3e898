//! Sweeping: removes what a crash left among the objects.
//!
//! A crash while an object is written leaves a temporary file; one between writing and listing
//! leaves a file that nothing refers to. Either may still be on its way as long as it is young.

use crate::Inner;
use crate::cells::{RATED, RATED_DAY, RATED_MONTH, USAGE};
use calendar::Instant;
use domain::{Error, Result};
use engine::OldFile;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// The folders that the books list the files of; what lies elsewhere is not ours to judge.
const LISTED: [&str; 6] = [USAGE, RATED, RATED_DAY, RATED_MONTH, "extracts", "pages"];

/// The object that says whose objects these are.
pub(crate) const OWNER: &str = "installation";

/// The shortest time after which a file may count as left behind.
pub(crate) const LEAST_SECONDS: u64 = 60;

/// When to sweep again.
#[derive(Debug)]
pub(crate) struct Sweeping(AtomicI64);

impl Default for Sweeping {
    fn default() -> Sweeping {
        Sweeping(AtomicI64::new(Instant::MIN.micros()))
    }
}

impl Sweeping {
    /// Whether it is time; then the next time is so many seconds on.
    fn is_due(&self, now: Instant, every_s: i64) -> bool {
        let next = self.0.load(Ordering::Relaxed);
        let is_due = now.micros() >= next;
        if is_due {
            self.0.store(now.plus_seconds(every_s).micros(), Ordering::Relaxed);
        }
        is_due
    }
}

impl Inner {
    /// Marks the objects as those of these books, if nobody has.
    pub(crate) async fn mark_objects(&self) -> Result<()> {
        let failed = crate::engine_failed;
        if self.engine.exists(OWNER).await.map_err(failed("look whose objects these are"))? {
            return Ok(());
        }
        let put = self.engine.put(OWNER, self.owner().into()).await;
        put.map_err(failed("mark the objects as ours"))
    }

    /// A name for the books that tells nothing else about them.
    fn owner(&self) -> String {
        hex::encode(blake3::derive_key("reckoner 2026 owner of objects", &self.hash_key))
    }

    /// Removes files that have lain for the time configured and that nothing refers to. Does so
    /// at the first call, and again after that time.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<()> {
        let kept_s = self.config.limits.unlisted_seconds;
        let kept_s = i64::try_from(kept_s).unwrap_or(i64::MAX);
        let now = self.clocks.system.now();
        if !self.sweeping.is_due(now, kept_s) {
            return Ok(());
        }
        let before = system_time(now.plus_seconds(kept_s.saturating_neg()));
        let failed = crate::engine_failed;
        let old = self.engine.old_files(before).await.map_err(failed("look for old files"))?;
        // The books are read after the files: what was listed in between is in them.
        let listed = self.listed().await?;
        let unlisted: Vec<OldFile> =
            old.into_iter().filter(|file| file.is_staged || !listed.holds(file)).collect();
        if unlisted.is_empty() || !self.owns_objects().await? {
            return Ok(());
        }
        for file in unlisted {
            let path = file.path.clone();
            let removed = self.engine.remove_old(file, before).await;
            if removed.map_err(failed("remove what a crash left"))? {
                tracing::info!(path, "removed what a crash left");
            }
        }
        Ok(())
    }

    /// Whether the objects are those of these books: with other books, nothing here is listed.
    async fn owns_objects(&self) -> Result<bool> {
        let owner = self.engine.get(OWNER).await;
        let owner = owner.map_err(crate::engine_failed("look whose objects these are"))?;
        let is_ours = owner.as_ref() == self.owner().as_bytes();
        if !is_ours {
            tracing::error!("the objects belong to other books; nothing is swept");
        }
        Ok(is_ours)
    }

    /// What the books refer to now.
    async fn listed(self: &Arc<Self>) -> Result<Listed> {
        let members = self.refresh_declared().await?.member_paths.clone();
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            let stored = crate::stored;
            let objects = store.object_paths().map_err(stored("read the paths of objects"))?;
            let spools = store.expired_spools(Instant::MAX);
            let spools = spools.map_err(stored("read the pinned answers"))?;
            let paths = objects.into_iter().chain(members).collect();
            Ok(Listed { paths, pages: spools.into_iter().map(|spool| spool.path).collect() })
        })
        .await
    }
}

/// What the books refer to: files, and folders of pages.
struct Listed {
    paths: BTreeSet<String>,
    pages: BTreeSet<String>,
}

impl Listed {
    /// Whether a file is referred to, or is none of those that the books list.
    fn holds(&self, file: &OldFile) -> bool {
        let Some((first, _)) = file.path.split_once('/') else { return true };
        let page_of = || file.path.rsplit_once('/').is_some_and(|(f, _)| self.pages.contains(f));
        !LISTED.contains(&first) || self.paths.contains(&file.path) || page_of()
    }
}

/// Refuses a time so short that files on their way would be swept.
///
/// Errors: [`Error::Invalid`].
pub(crate) fn check(unlisted_seconds: u64) -> Result<()> {
    if unlisted_seconds < LEAST_SECONDS {
        let problem = format!("must be at least {LEAST_SECONDS}");
        return Err(Error::invalid("limits.unlisted_seconds", problem));
    }
    Ok(())
}

/// A moment as files tell it.
fn system_time(moment: Instant) -> SystemTime {
    let micros = Duration::from_micros(moment.micros().unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let told =
        if moment < Instant::EPOCH { epoch.checked_sub(micros) } else { epoch.checked_add(micros) };
    // Nothing is as old as what cannot be told.
    told.unwrap_or(epoch)
}
