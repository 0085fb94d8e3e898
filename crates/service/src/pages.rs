//! Pages: an answer that is longer than a page is pinned once and then read piece by piece.
//!
//! The first question writes the whole answer, one object a page; every later page is read from
//! there. What comes in meanwhile changes nothing that a walk over the pages sees. The objects live
//! as long as their tokens do. The same question asked again of the same usage and facts finds the
//! answer pinned; each caller may keep so many answers and bytes at a time.

use crate::Inner;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::{Error, Result};
use std::sync::Arc;
use store::{Spool, SpoolKept, SpoolLimits, StoreError};

/// The key of the limit for answers that come whole.
pub(crate) const ANSWER_ROWS: &str = "limits.answer_rows";
pub(crate) const PAGED_ROWS: &str = "limits.paged_rows";
const PINNED_BYTES: &str = "limits.pinned_bytes";

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

    /// Pins an answer: lines of text, one a row.
    ///
    /// Errors: [`Error::TooMuch`] for an answer too long for anybody, [`Error::TooManyKept`] while
    /// the owner keeps too many.
    pub(crate) async fn pin(self: &Arc<Self>, pin: &Pin, lines: Vec<String>) -> Result<String> {
        let limits = &self.config.limits;
        let page_rows = usize::try_from(limits.page_rows.max(1)).unwrap_or(usize::MAX);
        let size = |line: &String| (line.len() as u64).saturating_add(1);
        let size_bytes = lines.iter().map(size).fold(0, u64::saturating_add);
        too_long("rows of an answer", lines.len() as u64, (limits.paged_rows, PAGED_ROWS))?;
        too_long("bytes of an answer", size_bytes, (limits.pinned_bytes, PINNED_BYTES))?;
        let now = self.clocks.system.now();
        let pages = lines.chunks(page_rows).len() as u64;
        let spool = Spool { size_bytes, ..self.spool(pin, String::new(), pages) };
        let (id, path) = (spool.id.clone(), format!("pages/{}", spool.id));
        let spool = Spool { path, ..spool };
        let (store, row, most) = (Arc::clone(&self.store), spool.clone(), self.pinnable(now));
        let kept = crate::blocking(move || {
            store.insert_spool(&row, most).map_err(crate::stored("pin an answer"))
        })
        .await?;
        self.check_kept(kept, now)?;
        let (this, stood_at) = (Arc::clone(self), pin.stood_at.clone());
        // Goes on when the caller goes away, so that the answer is there when they come back.
        let written = tokio::spawn(async move {
            let written = this.write_pages(&spool, &lines, page_rows, &stood_at).await;
            if written.is_err() {
                this.forget(spool).await?;
            }
            written
        });
        written.await.map_err(|e| Error::internal("pin an answer", e))??;
        Ok(id)
    }

    async fn write_pages(
        self: &Arc<Self>,
        spool: &Spool,
        lines: &[String],
        page_rows: usize,
        stood_at: &str,
    ) -> Result<()> {
        for (page, lines) in lines.chunks(page_rows).enumerate() {
            let bytes = lines.join("\n").into_bytes();
            let put = self.engine.put(&path_of(&spool.path, page as u64), bytes.into()).await;
            put.map_err(crate::engine_failed("pin an answer"))?;
        }
        let (store, id, stood_at) =
            (Arc::clone(&self.store), spool.id.clone(), stood_at.to_owned());
        crate::blocking(move || {
            store.spool_written(&id, &stood_at).map_err(crate::stored("pin an answer"))
        })
        .await
    }

    /// Forgets a pinned answer, and deletes its files if nobody shares them.
    async fn forget(self: &Arc<Self>, spool: Spool) -> Result<()> {
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

    fn page_seconds(&self) -> i64 {
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
    ) -> Result<(Vec<String>, Option<PageToken>)> {
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
        let failed = crate::engine_failed;
        let path = path_of(&row.path, token.page);
        let bytes = self.engine.get(&path).await.map_err(failed("read a page"))?;
        let text = std::str::from_utf8(&bytes).map_err(|e| Error::internal("read a page", e))?;
        let next = token.page.saturating_add(1);
        let next = (next < row.rows).then(|| PageToken { id: token.id.clone(), page: next });
        Ok((text.lines().map(str::to_owned).collect(), next))
    }

    /// Deletes pinned answers whose tokens have expired.
    pub(crate) async fn remove_expired_pages(self: &Arc<Self>) -> Result<()> {
        let (store, now) = (Arc::clone(&self.store), self.clocks.system.now());
        let expired = crate::blocking(move || {
            store.expired_spools(now).map_err(crate::stored("read expired pages"))
        })
        .await?;
        for spool in expired {
            self.forget(spool).await?;
        }
        Ok(())
    }
}

fn path_of(folder: &str, page: u64) -> String {
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

fn hash(asked: &str) -> String {
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
