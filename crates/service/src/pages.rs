//! Pages: an answer that is longer than a page is pinned once and then read piece by piece.
//!
//! The first question writes the whole answer, one object a page, each as it fills; every later
//! page is read from there. What comes in meanwhile changes nothing that a walk over them sees. The
//! objects live as long as their tokens do. The same question asked again of the same usage and
//! facts finds the answer pinned; each caller may keep so many answers and bytes at a time.

use crate::Inner;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::{Error, Result};
use std::sync::Arc;
use store::{Spool, SpoolKept, SpoolLimits, StoreError};

/// The key of the limit for answers that come whole.
pub(crate) const ANSWER_ROWS: &str = "limits.answer_rows";
pub(crate) const PAGED_ROWS: &str = "limits.paged_rows";
const PINNED_BYTES: &str = "limits.pinned_bytes";

/// Where the objects of pinned answers lie.
pub(crate) const FOLDER: &str = "pages";

/// Which page of which pinned answer, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageToken {
    pub(crate) id: String,
    pub(crate) page: u64,
}

impl PageToken {
    /// Reads a token; errors: [`Error::Invalid`].
    pub(crate) fn parse(field: &'static str, text: &str) -> Result<PageToken> {
        let wrong =
            || Error::invalid(field, "is not a token that this service gave out, or is too old");
        let (id, page) = text.split_once('.').ok_or_else(wrong)?;
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let page = page.parse().ok().filter(|_| is_id).ok_or_else(wrong)?;
        Ok(PageToken { id: id.to_owned(), page })
    }
}

impl std::fmt::Display for PageToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.id, self.page)
    }
}

/// A page of a pinned answer.
pub(crate) struct Page {
    pub(crate) lines: Vec<String>,
    /// The page behind it, if there is one.
    pub(crate) next: Option<PageToken>,
    /// The answer.
    pub(crate) row: Spool,
}

/// Who pins an answer, for which question, and what everything stood at when it was asked.
pub(crate) struct Pin {
    pub(crate) owner: String,
    pub(crate) asked: String,
    pub(crate) stood_at: String,
}

impl Inner {
    /// A pinned answer to the same question, asked of the same usage and facts: the caller's own,
    /// or one of another's, whose files are then shared. The caller may ask the question.
    pub(crate) async fn pinned(self: &Arc<Self>, pin: &Pin) -> Result<Option<String>> {
        let now = self.clocks.system.now();
        let (store, asked, stood_at) =
            (Arc::clone(&self.store), hash(&pin.asked), pin.stood_at.clone());
        let same = crate::blocking(move || {
            let same = store.same_spools(&asked, &stood_at, now);
            same.map_err(crate::stored("look for a pinned answer"))
        })
        .await?;
        // One that is about to expire would cut a walk off.
        let least = now.plus_seconds(self.page_seconds().checked_div(2).unwrap_or(0));
        let lasting = |spool: &&Spool| spool.owner == pin.owner && spool.expires_at >= least;
        if let Some(own) = same.iter().find(lasting) {
            return Ok(Some(own.id.clone()));
        }
        let Some(other) = same.into_iter().next() else { return Ok(None) };
        let stood_at = pin.stood_at.clone();
        let spool = Spool { stood_at, ..self.spool(pin, other.path.clone(), other.rows) };
        let spool = Spool { size_bytes: other.size_bytes, ..spool };
        let (store, id, limits) = (Arc::clone(&self.store), spool.id.clone(), self.pinnable(now));
        let kept = crate::blocking(move || match store.share_spool(&other, &spool, limits) {
            Err(StoreError::Missing { .. }) => Ok(None),
            kept => kept.map(Some).map_err(crate::stored("share a pinned answer")),
        })
        .await?;
        kept.map(|kept| self.check_kept(kept, now).map(|()| id)).transpose()
    }

    /// Pins an answer that is there as a whole: lines of text, one a row.
    ///
    /// Errors: as [`Writer::push`].
    pub(crate) async fn pin(self: &Arc<Self>, pin: &Pin, lines: Vec<String>) -> Result<String> {
        let mut writer = self.begin(pin);
        // Goes on when the caller goes away, so that the answer is there when they come back.
        let written = tokio::spawn(async move {
            for line in lines {
                writer.push(line).await?;
            }
            writer.finish("").await
        });
        written.await.map_err(|e| Error::internal("pin an answer", e))?
    }

    /// Begins to pin an answer whose lines come one by one.
    pub(crate) fn begin(self: &Arc<Self>, pin: &Pin) -> Writer {
        let id = uuid::Uuid::new_v4().simple().to_string();
        self.begin_as(id, pin, self.page_seconds())
    }

    /// The same by an id of 32 hex digits, kept for so many seconds from its last page on.
    pub(crate) fn begin_as(self: &Arc<Self>, id: String, pin: &Pin, kept_s: i64) -> Writer {
        let spool = self.spool(pin, String::new(), 0);
        let path = format!("{FOLDER}/{id}");
        Writer {
            inner: Arc::clone(self),
            spool: Spool { id, path, ..spool },
            kept_s,
            stood_at: pin.stood_at.clone(),
            page: Vec::new(),
            lines: 0,
            is_kept: false,
        }
    }

    /// Forgets a pinned answer, and deletes its files if nobody shares them.
    pub(crate) async fn forget(self: &Arc<Self>, spool: Spool) -> Result<()> {
        // The row goes first: nobody can share the files from there on. What a crash leaves is
        // swept.
        let (store, row) = (Arc::clone(&self.store), spool.clone());
        let is_last = crate::blocking(move || {
            store.delete_spool(&row).map_err(crate::stored("forget a page"))
        })
        .await?;
        for page in (0..spool.rows).filter(|_| is_last) {
            let path = path_of(&spool.path, page);
            self.engine.delete(&path).await.map_err(crate::engine_failed("delete a page"))?;
        }
        if is_last {
            let path = head_of(&spool.path);
            self.engine.delete(&path).await.map_err(crate::engine_failed("delete a page"))?;
        }
        Ok(())
    }

    fn spool(&self, pin: &Pin, path: String, pages: u64) -> Spool {
        Spool {
            id: uuid::Uuid::new_v4().simple().to_string(),
            path,
            rows: pages,
            size_bytes: 0,
            params_hash: hash(&pin.asked),
            stood_at: String::new(),
            owner: pin.owner.clone(),
            expires_at: self.clocks.system.now().plus_seconds(self.page_seconds()),
        }
    }

    pub(crate) fn page_seconds(&self) -> i64 {
        i64::try_from(self.config.limits.page_seconds).unwrap_or(i64::MAX)
    }

    fn pinnable(&self, now: Instant) -> SpoolLimits {
        let limits = &self.config.limits;
        SpoolLimits { most: limits.pinned_answers, most_bytes: limits.pinned_bytes, now }
    }

    fn check_kept(&self, kept: SpoolKept, now: Instant) -> Result<()> {
        let limits = &self.config.limits;
        let (limit, most, key, until) = match kept {
            SpoolKept::Yes => return Ok(()),
            SpoolKept::TooMany { until } => (
                "pinned answers of one caller",
                limits.pinned_answers,
                "limits.pinned_answers",
                until,
            ),
            SpoolKept::TooLarge { until } => {
                ("bytes of pinned answers of one caller", limits.pinned_bytes, PINNED_BYTES, until)
            }
        };
        let wait_s = until.since(now).checked_div(MICROS_PER_SECOND).unwrap_or(0);
        let retry_after_s = u64::try_from(wait_s).unwrap_or(0).saturating_add(1);
        Err(Error::TooManyKept { limit, most, key, retry_after_s })
    }

    /// Reads a page of a pinned answer, and says whether more follows.
    ///
    /// Errors: [`Error::Invalid`] for a token of another question or caller, or one too old.
    pub(crate) async fn page(
        self: &Arc<Self>,
        field: &'static str,
        token: &PageToken,
        owner: &str,
        asked: &str,
    ) -> Result<Page> {
        let wrong =
            || Error::invalid(field, "is not a token that this service gave out, or is too old");
        let (store, id) = (Arc::clone(&self.store), token.id.clone());
        let row =
            crate::blocking(move || store.spool(&id).map_err(crate::stored("read a page"))).await?;
        let row = row.ok_or_else(wrong)?;
        let now = self.clocks.system.now();
        if row.owner != owner || row.params_hash != hash(asked) || row.expires_at <= now {
            return Err(wrong());
        }
        if token.page >= row.rows {
            return Err(wrong());
        }
        let lines = self.lines_of(&row, token.page).await?;
        let next = token.page.saturating_add(1);
        let next = (next < row.rows).then(|| PageToken { id: token.id.clone(), page: next });
        Ok(Page { lines, next, row })
    }

    /// The lines of a page of a pinned answer, counted from 0.
    pub(crate) async fn lines_of(&self, row: &Spool, page: u64) -> Result<Vec<String>> {
        let text = self.text_of(&path_of(&row.path, page)).await?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// What the writer of a pinned answer said of it as a whole.
    pub(crate) async fn head_of(&self, row: &Spool) -> Result<String> {
        self.text_of(&head_of(&row.path)).await
    }

    pub(crate) async fn text_of(&self, path: &str) -> Result<String> {
        let bytes = self.engine.get(path).await.map_err(crate::engine_failed("read a page"))?;
        String::from_utf8(bytes.into()).map_err(|e| Error::internal("read a page", e))
    }

    /// Deletes pinned answers whose tokens have expired.
    pub(crate) async fn remove_expired_pages(self: &Arc<Self>) -> Result<()> {
        let (store, now) = (Arc::clone(&self.store), self.clocks.system.now());
        let expired = crate::blocking(move || {
            store.spools_to_forget(now).map_err(crate::stored("read expired pages"))
        })
        .await?;
        for spool in expired {
            self.forget(spool).await?;
        }
        Ok(())
    }
}

/// An answer that is being pinned. Each page is written when it is full, behind the row that counts
/// it; nobody finds the answer before it is finished, and one that is not is forgotten.
pub(crate) struct Writer {
    inner: Arc<Inner>,
    /// Its row, as it stands in the books or will.
    spool: Spool,
    /// Seconds that it lives from its last page on.
    kept_s: i64,
    stood_at: String,
    /// Lines that are not written yet: a page of them at most.
    page: Vec<String>,
    lines: u64,
    /// Whether the row stands in the books.
    is_kept: bool,
}

impl Writer {
    /// How many lines there are so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Adds a line.
    ///
    /// Errors: [`Error::TooMuch`] for an answer too long for anybody, [`Error::TooManyKept`] while
    /// the owner keeps too many.
    pub(crate) async fn push(&mut self, line: String) -> Result<()> {
        let pushed = self.try_push(line).await;
        self.forgotten_if_failed(pushed).await
    }

    async fn try_push(&mut self, line: String) -> Result<()> {
        let limits = &self.inner.config.limits;
        let (page_rows, most) = (limits.page_rows.max(1), (limits.paged_rows, PAGED_ROWS));
        let most_bytes = (limits.pinned_bytes, PINNED_BYTES);
        if self.page.len() as u64 >= page_rows {
            self.write_page().await?;
        }
        let size_bytes = (line.len() as u64).saturating_add(1);
        self.lines = self.lines.saturating_add(1);
        self.spool.size_bytes = self.spool.size_bytes.saturating_add(size_bytes);
        too_long("rows of an answer", self.lines, most)?;
        too_long("bytes of an answer", self.spool.size_bytes, most_bytes)?;
        self.page.push(line);
        Ok(())
    }

    /// The lines of an answer that fits in a page; then nothing is pinned.
    pub(crate) fn whole(&mut self) -> Option<Vec<String>> {
        (!self.is_kept).then(|| std::mem::take(&mut self.page))
    }

    /// Pins what was added, with something to say of it as a whole; gives its id.
    ///
    /// Errors: as [`Writer::push`].
    pub(crate) async fn finish(mut self, head: &str) -> Result<String> {
        let finished = self.try_finish(head).await;
        self.forgotten_if_failed(finished).await?;
        self.is_kept = false; // nothing is left to forget
        Ok(self.spool.id.clone())
    }

    async fn try_finish(&mut self, head: &str) -> Result<()> {
        if !self.page.is_empty() || !self.is_kept {
            self.write_page().await?;
        }
        self.put(head_of(&self.spool.path), head.to_owned()).await?;
        let (store, id) = (Arc::clone(&self.inner.store), self.spool.id.clone());
        let stood_at = self.stood_at.clone();
        crate::blocking(move || {
            store.spool_written(&id, &stood_at).map_err(crate::stored("pin an answer"))
        })
        .await
    }

    /// Forgets what was written of an answer that failed, before that is told.
    async fn forgotten_if_failed(&mut self, done: Result<()>) -> Result<()> {
        if done.is_err() && std::mem::take(&mut self.is_kept) {
            self.inner.forget(self.spool.clone()).await?;
        }
        done
    }

    /// Writes a page: first its row says that it is there.
    async fn write_page(&mut self) -> Result<()> {
        let page = self.spool.rows;
        self.spool.rows = page.saturating_add(1);
        let now = self.inner.clocks.system.now();
        // However long the whole takes: what is being written does not expire.
        self.spool.expires_at = now.plus_seconds(self.kept_s);
        let (store, row, is_kept) =
            (Arc::clone(&self.inner.store), self.spool.clone(), self.is_kept);
        let most = self.inner.pinnable(now);
        let kept = crate::blocking(move || {
            let kept =
                if is_kept { store.grow_spool(&row, most) } else { store.insert_spool(&row, most) };
            kept.map_err(crate::stored("pin an answer"))
        })
        .await?;
        self.inner.check_kept(kept, now)?;
        self.is_kept = true;
        let lines = std::mem::take(&mut self.page);
        self.put(path_of(&self.spool.path, page), lines.join("\n")).await
    }

    async fn put(&self, path: String, text: String) -> Result<()> {
        let put = self.inner.engine.put(&path, text.into_bytes().into()).await;
        put.map_err(crate::engine_failed("pin an answer"))
    }
}

impl Drop for Writer {
    /// What nobody goes on with is forgotten; sweeping removes the rest.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.is_kept {
            return;
        }
        let (inner, spool) = (Arc::clone(&self.inner), self.spool.clone());
        runtime.spawn(async move {
            if let Err(error) = inner.forget(spool).await {
                tracing::warn!(%error, "an answer that was not finished is left to housekeeping");
            }
        });
    }
}

pub(crate) fn head_of(folder: &str) -> String {
    format!("{folder}/head.lines")
}

pub(crate) fn path_of(folder: &str, page: u64) -> String {
    format!("{folder}/{page:06}.lines")
}

/// Refuses what is longer than a limit, which its key sets.
pub(crate) fn too_long(
    limit: &'static str,
    asked: u64,
    (most, key): (u64, &'static str),
) -> Result<()> {
    if asked > most { Err(Error::TooMuch { limit, most, key }) } else { Ok(()) }
}

pub(crate) fn hash(asked: &str) -> String {
    blake3::hash(asked.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_a_limit_is_refused_with_its_key() {
        let told = |asked| too_long("rows of an answer", asked, (10, ANSWER_ROWS));
        assert!(told(10).is_ok());
        let expected = "rows of an answer is at most 10; set `limits.answer_rows` to change it";
        assert_eq!(told(11).unwrap_err().to_string(), expected);
    }
}
