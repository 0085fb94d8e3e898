//! Lists in pages that all show what the first of them saw.
//!
//! A list of a POST is followed with GET: its address answers both.

use crate::{List, Query, next_link};
use axum::extract::{FromRequestParts, OriginalUri};
use domain::{Error, Result};
use http::request::Parts;
use httpkit::{Asking, BaseUrl, Purpose, Refusal, Sealer};
use serde::{Deserialize, Serialize};

/// The parameter of a next link that says where its page begins.
const SKIP_TOKEN: &str = "$skiptoken";
/// The parameter that says in which version a list is asked for.
const VERSION: &str = "api-version";

/// The question for a page of a list: who asks, its address as the client used it, and its query.
#[derive(Debug, Clone)]
pub struct ListAsked {
    actor: String,
    base: BaseUrl,
    path: String,
    query: Query,
}

/// What all pages of a list show, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The number of the newest fact when the first page was read.
    pub version: u64,
    /// The business moment of the first page, in microseconds since 1970.
    pub at_micros: i64,
    /// Until when the next page can be asked for, in seconds of real time since 1970.
    pub until_s: i64,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageStart {
    /// What it shows.
    pub shown: Shown,
    /// The key of the last item before this page; none before the first.
    pub after: Option<String>,
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

    /// The same, of at most so many items where those are fewer; at least one.
    #[must_use]
    pub fn at_most(self, most: usize) -> Pages {
        Pages { most: self.most.min(most).max(1), ..self }
    }

    /// Where the asked page begins; none for the first.
    ///
    /// `now_s` is the real time, in seconds since 1970. Errors: [`Error::Invalid`] for a token that
    /// this list of this caller's did not give out, and for one that is too old.
    pub fn start(&self, asked: &ListAsked, now_s: i64) -> Result<Option<PageStart>> {
        let Some(token) = asked.token()? else { return Ok(None) };
        let start: PageStart = self.sealer.open(&asked.list(), token)?;
        if start.shown.until_s <= now_s {
            return Err(Error::invalid(SKIP_TOKEN, "is too old; ask for the list anew"));
        }
        Ok(Some(start))
    }

    /// The page of a list that begins at `start`. The list is whole, as it stood then, and its
    /// items ascend by their keys, each of which is there once.
    ///
    /// Errors: [`Error::Internal`] when a token cannot be written.
    pub fn page<T>(
        &self,
        asked: &ListAsked,
        start: &PageStart,
        list: Vec<(String, T)>,
    ) -> Result<List<T>> {
        let before = |key: &String| start.after.as_ref().is_some_and(|after| key <= after);
        let mut rest = list.into_iter().skip_while(|(key, _)| before(key));
        let page: Vec<(String, T)> = rest.by_ref().take(self.most).collect();
        let is_last = rest.next().is_none();
        let next_link = match page.last() {
            Some((after, _)) if !is_last => {
                let start = PageStart { shown: start.shown, after: Some(after.clone()) };
                Some(asked.next_link(&self.sealer.seal(&asked.list(), &start)?))
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

    /// Where the page begins that is asked for, as a token; none for the first.
    ///
    /// Errors: [`Error::Invalid`] when it is given twice.
    pub fn token(&self) -> Result<Option<&str>> {
        Ok(self.query.get(SKIP_TOKEN)?.filter(|token| !token.is_empty()))
    }

    /// The absolute address of the page that begins at a token.
    pub fn next_link(&self, token: &str) -> String {
        next_link(&self.base, &self.path, self.query.pairs(), (SKIP_TOKEN, token))
    }

    /// The list that is asked for, whatever page and spelling: whose it is, its path and its query.
    /// A version may be left out of the first question, and stand in the next.
    fn list(&self) -> String {
        let pairs = self.query.pairs().iter();
        let beside =
            |name: &str| [SKIP_TOKEN, VERSION].iter().any(|of| name.eq_ignore_ascii_case(of));
        let of_list = |(name, _): &&(String, String)| !beside(name);
        let mut told: Vec<String> = pairs
            .filter(of_list)
            .map(|(name, value)| format!("{}={value}", name.to_lowercase()))
            .collect();
        told.sort();
        format!("{}\n{}?{}", self.actor, self.path.to_lowercase(), told.join("&"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ListAsked {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> std::result::Result<ListAsked, Refusal> {
        let Asking(caller) = Asking::from_request_parts(parts, state).await?;
        let base = BaseUrl::from_request_parts(parts, state).await?;
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let query = Query::parse(uri.query().unwrap_or_default());
        Ok(ListAsked { actor: caller.actor(), base, path: uri.path().to_owned(), query })
    }
}
