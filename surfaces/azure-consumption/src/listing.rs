//! Lists in pages: all of them show what the first one saw, to whom may still see it.

use crate::Consumption;
use armkit::{ArmError, List, ListAsked, PageStart, Pages, Query, Shown};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use calendar::Instant;
use domain::Error;
use service::{Reckoner, Snapshot};

const TOP: &str = "$top";
/// The most that `$top` may be, as the descriptions declare it.
const TOP_MOST: usize = 1_000;

/// A page of a list that is asked for.
pub(crate) struct Listing {
    /// What handlers work with, held to what the first page saw.
    pub(crate) consumption: Consumption,
    pub(crate) asked: ListAsked,
    start: PageStart,
    pages: Pages,
}

/// Pages of as many items as are configured.
pub(crate) fn pages(reckoner: &Reckoner) -> Pages {
    let secret = reckoner.sealing_secret("reckoner azure-consumption pages, version 1");
    Pages::new(secret, rows_most(reckoner))
}

fn rows_most(reckoner: &Reckoner) -> usize {
    usize::try_from(reckoner.limits().page_rows).unwrap_or(usize::MAX)
}

/// Items of a page: those of `$top`, and at most as many as are configured.
///
/// Errors: [`Error::Invalid`] for what is no number from 1 to 1,000.
pub(crate) fn items_most(reckoner: &Reckoner, query: &Query) -> Result<usize, Error> {
    Ok(top(query)?.map_or_else(|| rows_most(reckoner), |top| top.min(rows_most(reckoner))))
}

fn top(query: &Query) -> Result<Option<usize>, Error> {
    let Some(text) = query.get(TOP)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.parse::<usize>().ok().filter(|number| (1..=TOP_MOST).contains(number));
    let wrong = || Error::invalid(TOP, format!("must be a number from 1 to {TOP_MOST}"));
    number.map(Some).ok_or_else(wrong)
}

impl Listing {
    /// The page of a whole list in which each item has the same number at every page.
    pub(crate) fn numbered<T>(
        &self,
        list: impl IntoIterator<Item = T>,
    ) -> Result<List<T>, ArmError> {
        let numbered = (0_u32..).zip(list).map(|(number, item)| (format!("{number:08}"), item));
        let page = self.pages.page(&self.asked, &self.start, numbered.collect())?;
        if page.next_link.is_some() {
            self.consumption.reckoner.keep_snapshot();
        }
        Ok(page)
    }
}

impl FromRequestParts<Consumption> for Listing {
    type Rejection = ArmError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Consumption,
    ) -> Result<Listing, ArmError> {
        let asked = ListAsked::from_request_parts(parts, state).await?;
        let pages = match top(asked.query())? {
            Some(top) => state.pages.clone().at_most(top),
            None => state.pages.clone(),
        };
        let now = state.reckoner.system_now();
        let (reckoner, start) = match pages.start(&asked, now.seconds())? {
            Some(start) => {
                let at = Instant::from_micros(start.shown.at_micros);
                let snapshot = Snapshot { version: start.shown.version, at };
                (state.reckoner.held_to(snapshot).await?, start)
            }
            None => {
                let (reckoner, Snapshot { version, at }) = state.reckoner.held();
                let kept_s = i64::try_from(reckoner.limits().page_seconds).unwrap_or(i64::MAX);
                let until_s = now.plus_seconds(kept_s).seconds();
                let shown = Shown { version, at_micros: at.micros(), until_s };
                (reckoner, PageStart { shown, after: None })
            }
        };
        let consumption = Consumption { reckoner, ..state.clone() };
        Ok(Listing { consumption, asked, start, pages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_is_asked_for_within_bounds() {
        let check = |query: &str, expected: Result<Option<usize>, ()>| {
            assert_eq!(top(&Query::parse(query)).map_err(drop), expected, "{query}");
        };
        check("", Ok(None));
        check("$top=", Ok(None));
        check("$top=1", Ok(Some(1)));
        check("%24TOP=1000", Ok(Some(1_000)));
        check("$top=0", Err(()));
        check("$top=1001", Err(()));
        check("$top=-1", Err(()));
        check("$top=all", Err(()));
        check("$top=1&$top=2", Err(()));
    }
}
