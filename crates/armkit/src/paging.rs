//! Lists in pages that all show what the first of them saw.
//!
//! A list of a POST is followed with GET, so its address answers both; the table has a line for each.

use crate::{List, Query, next_link};
use axum::extract::{FromRequestParts, OriginalUri};
use domain::{Error, Result};
use http::request::Parts;
use httpkit::{BaseUrl, Purpose, Refusal, Sealer};
use serde::{Deserialize, Serialize};

/// The parameter of a next link that says where its page begins.
const SKIP_TOKEN: &str = "$skiptoken";

/// The question for a page of a list: its address as the client used it, and its query.
#[derive(Debug, Clone)]
pub struct ListAsked {
    base: BaseUrl,
    path: String,
    query: Query,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageStart {
    /// What everything stood at when the first page was read: the number of the newest fact.
    pub snapshot: u64,
    /// The key of the last item before this page.
    pub after: String,
}

/// What a token says: it is good for the list that gave it out.
#[derive(Serialize, Deserialize)]
struct Token {
    list: String,
    start: PageStart,
}

/// Cuts lists into pages.
#[derive(Debug, Clone)]
pub struct Pages {
    sealer: Sealer,
    most: usize,
}

impl Pages {
    /// Pages of at most so many items, at least one; tokens are sealed with a secret that the
    /// caller keeps.
    pub fn new(secret: [u8; 32], most: usize) -> Pages {
        let purpose = Purpose { operation: "arm lists", field: SKIP_TOKEN };
        Pages { sealer: Sealer::new(secret, purpose), most: most.max(1) }
    }

    /// Where the asked page begins; none for the first.
    ///
    /// Errors: [`Error::Invalid`] for a token that this list did not give out.
    pub fn start(&self, asked: &ListAsked) -> Result<Option<PageStart>> {
        let Some(token) = asked.query.get(SKIP_TOKEN)?.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let Token { list, start } = self.sealer.open(token)?;
        if list != asked.list() {
            return Err(Error::invalid(SKIP_TOKEN, "is a token of another list"));
        }
        Ok(Some(start))
    }

    /// The page of a list that begins at `start`. The list is whole, as it stood at `snapshot`, and
    /// its items ascend by their keys, each of which is there once.
    ///
    /// Errors: [`Error::Internal`] when a token cannot be written.
    pub fn page<T>(
        &self,
        asked: &ListAsked,
        snapshot: u64,
        start: Option<&PageStart>,
        list: Vec<(String, T)>,
    ) -> Result<List<T>> {
        let before = |key: &String| start.is_some_and(|start| *key <= start.after);
        let mut rest = list.into_iter().skip_while(|(key, _)| before(key));
        let page: Vec<(String, T)> = rest.by_ref().take(self.most).collect();
        let is_last = rest.next().is_none();
        let next_link = match page.last() {
            Some((after, _)) if !is_last => {
                let start = PageStart { snapshot, after: after.clone() };
                Some(asked.next_link(&self.sealer.seal(&Token { list: asked.list(), start })?))
            }
            _ => None,
        };
        Ok(List { value: page.into_iter().map(|(_, item)| item).collect(), next_link })
    }
}

impl ListAsked {
    /// The query without the place of the page.
    pub fn query(&self) -> &Query {
        &self.query
    }

    fn next_link(&self, token: &str) -> String {
        next_link(&self.base, &self.path, self.query.pairs(), (SKIP_TOKEN, token))
    }

    /// The list that is asked for, whatever page and spelling: its path and its query.
    fn list(&self) -> String {
        let pairs = self.query.pairs().iter();
        let of_list = |(name, _): &&(String, String)| !name.eq_ignore_ascii_case(SKIP_TOKEN);
        let mut told: Vec<String> = pairs
            .filter(of_list)
            .map(|(name, value)| format!("{}={value}", name.to_lowercase()))
            .collect();
        told.sort();
        format!("{}?{}", self.path.to_lowercase(), told.join("&"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ListAsked {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> std::result::Result<ListAsked, Refusal> {
        let base = BaseUrl::from_request_parts(parts, state).await?;
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let query = Query::parse(uri.query().unwrap_or_default());
        Ok(ListAsked { base, path: uri.path().to_owned(), query })
    }
}
