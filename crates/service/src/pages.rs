//! Pages: an answer that is longer than a page is pinned once and then read piece by piece.
//!
//! The first question writes the whole answer, one object a page; every later page is read from
//! there. What comes in meanwhile changes nothing that a walk over the pages sees. The objects live
//! as long as their token does.

use crate::Inner;
use domain::{Error, Result};
use std::sync::Arc;
use store::Spool;

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

impl Inner {
    /// Pins an answer: lines of text, one a row. `asked` is what the token will be good for.
    pub(crate) async fn pin(
        self: &Arc<Self>,
        owner: String,
        asked: &str,
        lines: Vec<String>,
    ) -> Result<String> {
        let most = self.config.limits.paged_rows;
        if lines.len() as u64 > most {
            return Err(Error::TooMuch {
                limit: "rows of an answer",
                most,
                key: "limits.paged_rows",
            });
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        let page_rows = usize::try_from(self.config.limits.page_rows.max(1)).unwrap_or(usize::MAX);
        let failed = crate::engine_failed;
        for (page, lines) in lines.chunks(page_rows).enumerate() {
            let bytes = lines.join("\n").into_bytes();
            let path = path_of(&id, page as u64);
            self.engine.put(&path, bytes.into()).await.map_err(failed("pin an answer"))?;
        }
        let kept_s = i64::try_from(self.config.limits.page_seconds).unwrap_or(i64::MAX);
        let row = Spool {
            id: id.clone(),
            path: format!("pages/{id}"),
            rows: lines.chunks(page_rows).len() as u64,
            params_hash: hash(asked),
            owner,
            expires_at: self.clocks.system.now().plus_seconds(kept_s),
        };
        let store = Arc::clone(&self.store);
        crate::blocking(move || store.insert_spool(&row).map_err(crate::stored("pin an answer")))
            .await?;
        Ok(id)
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
        let path = path_of(&token.id, token.page);
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
        for row in expired {
            for page in 0..row.rows {
                let path = path_of(&row.id, page);
                self.engine.delete(&path).await.map_err(crate::engine_failed("delete a page"))?;
            }
            let store = Arc::clone(&self.store);
            crate::blocking(move || {
                store.delete_spool(&row.id).map_err(crate::stored("forget a page"))
            })
            .await?;
        }
        Ok(())
    }
}

fn path_of(id: &str, page: u64) -> String {
    format!("pages/{id}/{page:06}.lines")
}

fn hash(asked: &str) -> String {
    blake3::hash(asked.as_bytes()).to_hex().to_string()
}
