//! Lists in pages: all of them show what the first one saw, to whom may still see it.
//!
//! A list whose description is not marked `x-ms-pageable` comes whole, and asks for none of this.

use crate::Billing;
use crate::at::At;
use armkit::{ArmError, List, ListAsked, PageStart, Pages, Shown};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use calendar::Instant;
use domain::access::{Action, Caller};
use domain::places::Level;
use service::{PlaceTold, Reckoner, Snapshot};

/// A page of a list that is asked for.
pub(crate) struct Listing {
    /// What handlers work with, held to what the first page saw.
    pub(crate) billing: Billing,
    asked: ListAsked,
    start: PageStart,
}

/// Pages of as many items as are configured.
pub(crate) fn pages(reckoner: &Reckoner) -> Pages {
    let most = usize::try_from(reckoner.limits().page_rows).unwrap_or(usize::MAX);
    Pages::new(reckoner.sealing_secret("reckoner azure-billing pages, version 1"), most)
}

impl Listing {
    /// The page of a whole list, whose items ascend by their keys.
    pub(crate) fn page<T>(
        &self,
        list: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Result<List<T>, ArmError> {
        self.keyed(list.into_iter().map(|item| (key(&item), item)).collect())
    }

    /// Sections where the caller may make subscriptions, each with its billing profile.
    pub(crate) async fn creatable(
        &self,
        caller: &Caller,
        at: &At,
    ) -> Result<List<(PlaceTold, PlaceTold)>, ArmError> {
        let (billing, action) = (&self.billing, Action::CreateSubscriptions);
        let account = billing.account(caller, at.account(), at.operation).await?;
        let (of, level) = (&account.id, Level::InvoiceSection);
        let sections = billing.reckoner.places_allowing(caller, of, level, action).await?;
        let profiles = billing.family(caller, of, &[Level::BillingProfile]).await?;
        let both = sections.into_iter().filter_map(|section| {
            let profile = profiles.find(section.parent.as_ref()?)?.clone();
            Some((section, profile))
        });
        self.page(both, |(section, _)| section.place.key.id.to_string())
    }

    /// The page of a whole list in which each item has the same number at every page.
    pub(crate) fn numbered<T>(
        &self,
        list: impl IntoIterator<Item = T>,
    ) -> Result<List<T>, ArmError> {
        let numbered = (0_u32..).zip(list);
        self.keyed(numbered.map(|(number, item)| (format!("{number:08}"), item)).collect())
    }

    fn keyed<T>(&self, list: Vec<(String, T)>) -> Result<List<T>, ArmError> {
        let page = self.billing.pages.page(&self.asked, &self.start, list)?;
        if page.next_link.is_some() {
            self.billing.reckoner.keep_snapshot();
        }
        Ok(page)
    }
}

impl FromRequestParts<Billing> for Listing {
    type Rejection = ArmError;

    async fn from_request_parts(parts: &mut Parts, state: &Billing) -> Result<Listing, ArmError> {
        let asked = ListAsked::from_request_parts(parts, state).await?;
        let now = state.reckoner.system_now();
        let (reckoner, start) = match state.pages.start(&asked, now.seconds())? {
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
        let billing = Billing { reckoner, ..state.clone() };
        Ok(Listing { billing, asked, start })
    }
}
