//! Invoices, as both versions read them: whose are asked for, of which days, and which one.
//!
//! Source: `microsoft-billing.md` sections 2, 3.3 and 7.

use crate::at::At;
use crate::listing::Listing;
use crate::{Billing, kinds};
use armkit::{ArmError, List, Query};
use calendar::{Instant, Interval};
use domain::Error;
use domain::access::Caller;
use domain::agreements::AgreementType;
use domain::ids::SubscriptionId;
use domain::numbering::DocumentNumber;
use service::{InvoiceTold, InvoicesOf};

const FROM: &str = "periodStartDate";
const UNTIL: &str = "periodEndDate";

/// Whose invoices a path names, and under which kind of agreement.
#[derive(Debug)]
pub(crate) struct Whose {
    pub(crate) of: InvoicesOf,
    pub(crate) kind: Option<AgreementType>,
}

impl Billing {
    /// Those of the billing account; `operation` has its row among the kinds of agreement.
    pub(crate) async fn invoices_of_account(
        &self,
        caller: &Caller,
        at: &At,
        operation: &str,
    ) -> Result<Whose, ArmError> {
        let account = self.account(caller, at.account(), operation).await?;
        Ok(Whose { of: InvoicesOf::Account(account.id), kind: account.kind })
    }

    /// Those of the billing profile.
    pub(crate) async fn invoices_of_profile(
        &self,
        caller: &Caller,
        at: &At,
    ) -> Result<Whose, ArmError> {
        let (account, profile) = self.place(caller, at).await?;
        Ok(Whose { of: InvoicesOf::Profile(profile.place), kind: account.kind })
    }

    /// Those of the subscription below a billing account.
    pub(crate) async fn invoices_of_billing_subscription(
        &self,
        caller: &Caller,
        at: &At,
    ) -> Result<Whose, ArmError> {
        let account = self.account(caller, at.account(), at.operation).await?;
        let given = at.name("billingSubscriptionName");
        let missing = |_| Error::not_found("billing subscription", given);
        let subscription = SubscriptionId::new(given).map_err(missing)?;
        let of = InvoicesOf::Subscription { payer: account.id, subscription };
        Ok(Whose { of, kind: account.kind })
    }

    /// Those of the subscription, whoever pays for it.
    pub(crate) async fn invoices_of_subscription(
        &self,
        caller: &Caller,
        at: &At,
    ) -> Result<Whose, ArmError> {
        let given = at.name("subscriptionId");
        let missing = |_| Error::not_found("subscription", given);
        let subscription = SubscriptionId::new(given).map_err(missing)?;
        let payer = self.reckoner.payer_of(caller, &subscription).await?;
        kinds::demand(at.operation, payer.kind)?;
        let of = InvoicesOf::Subscription { payer: payer.id, subscription };
        Ok(Whose { of, kind: payer.kind })
    }

    /// All invoices that were issued on the days that the query names.
    pub(crate) async fn issued(
        &self,
        caller: &Caller,
        whose: &Whose,
        query: &Query,
    ) -> Result<Vec<InvoiceTold>, ArmError> {
        let all = self.reckoner.invoices_of(caller, &whose.of, days(query)?).await?;
        Ok(self.reckoner.invoices_told(caller, &whose.of, &all).await?)
    }

    /// The invoice that the path names.
    pub(crate) async fn invoice(
        &self,
        caller: &Caller,
        whose: &Whose,
        at: &At,
    ) -> Result<InvoiceTold, ArmError> {
        Ok(self.reckoner.invoice_of(caller, &whose.of, &number(at)?).await?)
    }
}

impl Listing {
    /// A page of them.
    pub(crate) async fn issued(
        &self,
        caller: &Caller,
        whose: &Whose,
        query: &Query,
    ) -> Result<List<InvoiceTold>, ArmError> {
        let reckoner = &self.billing.reckoner;
        let all = reckoner.invoices_of(caller, &whose.of, days(query)?).await?;
        let List { value, next_link } = self.page(all, place)?;
        let value = reckoner.invoices_told(caller, &whose.of, &value).await?;
        Ok(List { value, next_link })
    }
}

/// The number of the invoice that a path names.
pub(crate) fn number(at: &At) -> Result<DocumentNumber, Error> {
    let given = at.name("invoiceName");
    DocumentNumber::parse(given).map_err(|_| Error::not_found("invoice", given))
}

/// Where an invoice stands in a list: as numbers ascend. No seller's id has a control character, so
/// that one comes before those that begin with it.
fn place(number: &DocumentNumber) -> String {
    let DocumentNumber { seller, sequence } = number;
    format!("{seller}\0{sequence:020}")
}

/// The days that a list is asked for: both count.
pub(crate) fn days(query: &Query) -> Result<Interval, ArmError> {
    let (from, until) = (moment(query, FROM)?, moment(query, UNTIL)?);
    let end = match until {
        Asked::Day(day) => day.day().next().start(),
        Asked::Moment(moment) => moment.plus_micros(1),
    };
    let (Asked::Day(start) | Asked::Moment(start)) = from;
    Interval::new(start, end).map_err(|_| {
        let error = Error::invalid(UNTIL, format!("lies before `{FROM}`"));
        ArmError::from(error).with_target(UNTIL)
    })
}

/// What a date stands for.
enum Asked {
    Day(Instant),
    Moment(Instant),
}

fn moment(query: &Query, name: &'static str) -> Result<Asked, ArmError> {
    let wrong = |error: Error| ArmError::from(error).with_target(name);
    let text = query.required(name).map_err(wrong)?.trim();
    let day = american(text).unwrap_or_else(|| text.to_owned());
    // A date alone, however it is written; a plus may stand where the time begins.
    let is_day = !day.contains(['T', 't', ' ', '+']);
    let moment = Instant::parse(&day).map_err(|_| {
        let problem = format!("`{text}` is no date; write 2026-11-18 or 11-18-2026");
        wrong(Error::invalid(name, problem))
    })?;
    Ok(if is_day { Asked::Day(moment) } else { Asked::Moment(moment) })
}

/// `2026-11-18` of `11-18-2026`.
pub(crate) fn american(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let has_form = (month.len(), day.len(), year.len()) == (2, 2, 4) && parts.next().is_none();
    has_form.then(|| format!("{year}-{month}-{day}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::LegalEntityId;

    #[test]
    fn places_in_a_list_ascend_as_numbers_do() {
        let sellers = ["North", "North EU", "North-2", "Northern", "north"];
        let sequences = [1, 2, 10, 100_000_000];
        let mut numbers: Vec<DocumentNumber> = sellers
            .iter()
            .flat_map(|seller| {
                let seller = LegalEntityId::new(seller).unwrap();
                sequences.map(|sequence| DocumentNumber { seller: seller.clone(), sequence })
            })
            .collect();
        numbers.sort();
        assert!(numbers.iter().map(place).is_sorted());
    }

    #[test]
    fn invoices_are_asked_for_by_days_of_issue_and_both_count() {
        let check = |from: &str, until: &str, expected: Result<(&str, &str), &str>| {
            let told = days(&Query::parse(&format!("{FROM}={from}&PERIODenddate={until}")));
            match (told, expected) {
                (Ok(days), Ok((start, end))) => {
                    let expected = [start, end].map(|text| Instant::parse(text).unwrap());
                    assert_eq!([days.start(), days.end()], expected, "{from} {until}");
                }
                (Err(error), Err(says)) => {
                    assert_eq!(error.status().as_u16(), 400);
                    assert!(format!("{error:?}").contains(says), "{error:?}");
                }
                (told, _) => panic!("{from} {until}: {told:?}"),
            }
        };
        check("2026-10-01", "2026-10-31", Ok(("2026-10-01", "2026-11-01")));
        check("10-01-2026", "10-31-2026", Ok(("2026-10-01", "2026-11-01")));
        check("2026-10-05", "10-05-2026", Ok(("2026-10-05", "2026-10-06")));
        check("20261005", "20261005", Ok(("2026-10-05", "2026-10-06")));
        check("2026-10-05Z", "2026-10-05Z", Ok(("2026-10-05", "2026-10-06")));
        let times = Ok(("2026-10-05T06:00:00Z", "2026-10-05T07:00:00.000001Z"));
        check("2026-10-05T06:00:00Z", "2026-10-05T09:00:00%2B02:00", times);
        let hours = Ok(("2026-10-05T06:00:00Z", "2026-10-05T07:00:00.000001Z"));
        check("2026-10-05T06:00:00Z", "2026-10-05+07:00:00", hours);
        check("2026-10-31", "2026-10-01", Err("periodEndDate: lies before `periodStartDate`"));
        check("", "2026-10-01", Err("periodStartDate: must be given"));
        check("2026-10-01", "", Err("periodEndDate: must be given"));
        check("soon", "2026-10-01", Err("periodStartDate: `soon` is no date"));
        check("2026-10-01", "31-10-2026", Err("periodEndDate: `31-10-2026` is no date"));
        check("2026-10-01", "10-2026", Err("periodEndDate: `10-2026` is no date"));
    }
}
