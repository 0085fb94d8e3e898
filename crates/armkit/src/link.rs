//! Lists in pages: `value` and an absolute `nextLink`.

use httpkit::BaseUrl;
use serde::Serialize;
use url::form_urlencoded;

/// A page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The items.
    pub value: Vec<T>,
    /// Where the next page is; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}

impl<T> List<T> {
    /// The same page of other items.
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> List<U> {
        List { value: self.value.into_iter().map(to).collect(), next_link: self.next_link }
    }
}

/// The absolute address of the next page: the same query with `token` in the place of an earlier
/// one. `path` is encoded already, as it came in.
///
/// Source: `clients.md`, paging: clients follow the link unchanged, with GET.
pub fn next_link(
    base: &BaseUrl,
    path: &str,
    query: &[(String, String)],
    token: (&str, &str),
) -> String {
    let kept = query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(token.0));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair(token.0, token.1)
        .finish();
    format!("{base}{path}?{query}")
}
