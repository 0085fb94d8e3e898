//! Transactions: the lines of invoices one by one, and of the drafts of what is not billed yet.

use crate::resource::{Amount, Resource, amount, filled};
use crate::{Billing, V2019, at, invoices};
use armkit::{ArmError, List, Query, conditions, next_link};
use axum::http::Uri;
use calendar::{Day, Interval};
use domain::Error;
use domain::ids::BillingAccountId;
use httpkit::{BaseUrl, ExactNumber};
use money::Fixed18;
use serde::Serialize;
use service::{
    InvoiceLineKind, InvoiceLinePage, InvoiceLineTold, InvoiceLineType, InvoiceLinesAsked, Named,
};
use std::ops::Range;

pub(crate) type Transaction = Resource<TransactionProperties>;

/// The parameter of a next link that says where its page begins.
const SKIP_TOKEN: &str = "$skiptoken";
/// What `$filter` may compare.
const KIND: &str = "kind";
const TYPE: &str = "transactionType";

/// Where a list goes on: the address as the client used it.
pub(crate) struct Onward {
    pub(crate) base: BaseUrl,
    pub(crate) uri: Uri,
    pub(crate) query: Query,
}

impl Onward {
    /// Where a page begins, if it is not the first.
    pub(crate) fn token(&self) -> Result<Option<&str>, Error> {
        Ok(self.query.get(SKIP_TOKEN)?.filter(|token| !token.is_empty()))
    }

    /// A page as a version spells it.
    pub(crate) fn page(
        &self,
        (account, version): (&BillingAccountId, &str),
        page: &InvoiceLinePage,
    ) -> Result<List<Transaction>, Error> {
        let value = page.lines.iter().map(|told| transaction((account, version), told));
        let link = |token: &String| {
            next_link(&self.base, self.uri.path(), self.query.pairs(), (SKIP_TOKEN, token))
        };
        let value = value.collect::<Result<Vec<_>, _>>()?;
        Ok(List { value, next_link: page.next.as_ref().map(link) })
    }
}

/// Which transactions a list is asked for.
pub(crate) fn asked(billing: &Billing, query: &Query) -> Result<InvoiceLinesAsked, ArmError> {
    let days = days(query)?;
    let most_bytes = billing.reckoner.limits().filter_bytes;
    let conditions = conditions(query, most_bytes, &[KIND, TYPE])?;
    let holds = |property: &str, word: &str| {
        let of = conditions.iter().filter(|one| one.bare().eq_ignore_ascii_case(property));
        let mut of = of.map(|one| (one, word.to_lowercase().cmp(&one.value.to_lowercase())));
        of.all(|(one, order)| one.comparing.holds(order))
    };
    let kinds = InvoiceLineKind::ALL.into_iter().filter(|one| holds(KIND, kind(*one)));
    let types = InvoiceLineType::ALL.into_iter().filter(|one| holds(TYPE, transaction_type(*one)));
    Ok(InvoiceLinesAsked { days, kinds: kinds.collect(), types: types.collect() })
}

/// The whole days that are asked for.
pub(crate) fn days(query: &Query) -> Result<Range<Day>, ArmError> {
    let asked = invoices::days(query)?;
    Ok(asked.start().day()..last_day(&asked).next())
}

/// `TransactionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct TransactionProperties {
    kind: &'static str,
    date: String,
    invoice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type: Option<String>,
    product_description: String,
    transaction_type: &'static str,
    transaction_amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    azure_plan: Option<String>,
    azure_credit_applied: Amount,
    billing_currency: String,
    exchange_rate: ExactNumber<Fixed18>,
    pricing_currency: String,
    service_period_start_date: String,
    service_period_end_date: String,
    sub_total: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_of_measure: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<ExactNumber<Fixed18>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    market_price: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<ExactNumber<Fixed18>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_type: Option<String>,
}

/// A line as a version spells it.
pub(crate) fn transaction(
    (account, version): (&BillingAccountId, &str),
    told: &InvoiceLineTold,
) -> Result<Transaction, Error> {
    let of_account = at::account_id(account);
    let properties = properties((&of_account, version), told)?;
    // The first version has them below billing profiles.
    let above = properties.billing_profile_id.as_ref().filter(|_| version == V2019);
    let kind = if above.is_some() {
        "billingAccounts/billingProfiles/transactions"
    } else {
        "billingAccounts/transactions"
    };
    let id = format!("{}/transactions/{}", above.unwrap_or(&of_account), told.name);
    Ok(Resource::new(id, &told.name, kind, properties))
}

fn properties(
    (account, version): (&str, &str),
    told: &InvoiceLineTold,
) -> Result<TransactionProperties, Error> {
    let profile = told.profile.as_ref().map(|one| format!("{account}/billingProfiles/{}", one.id));
    let below = |above: Option<&String>, tail: &str, one: Option<&Named>| {
        Some(format!("{}/{tail}/{}", above?, one?.id))
    };
    let name = |one: &Option<Named>| one.as_ref().map(|one| one.name.clone());
    let (meter, reservation) = (told.meter.as_ref(), told.reservation.as_ref());
    let is_second = version != V2019;
    let number = told.invoice.as_ref().map(ToString::to_string);
    let invoice_id = number.as_ref().map(|number| format!("{account}/invoices/{number}"));
    Ok(TransactionProperties {
        kind: kind(told.kind()),
        date: told.day.start().to_string(),
        invoice_id: invoice_id.filter(|_| is_second),
        invoice: number.unwrap_or_else(|| "pending".to_owned()),
        order_id: reservation.map(|one| one.id.clone()),
        product_family: meter.and_then(|meter| filled(&meter.category)),
        product_type_id: meter.map(|meter| meter.id.clone()),
        product_type: meter.and_then(|meter| filled(&meter.subcategory)),
        product_description: told.description.clone(),
        transaction_type: transaction_type(told.line_type()),
        transaction_amount: Amount::from(told.exact),
        quantity: reservation.and_then(|one| whole(one.quantity?)),
        invoice_section_id: below(profile.as_ref(), "invoiceSections", told.section.as_ref()),
        invoice_section_display_name: name(&told.section),
        billing_profile_id: profile,
        billing_profile_display_name: name(&told.profile),
        customer_id: told.customer.as_ref().map(|one| format!("{account}/customers/{}", one.id)),
        customer_display_name: name(&told.customer),
        subscription_id: told.subscription.as_ref().map(|one| one.id.clone()),
        subscription_name: name(&told.subscription),
        azure_plan: name(&told.offer).filter(|_| is_second),
        azure_credit_applied: amount(told.paid)?,
        billing_currency: told.exact.currency.to_string(),
        exchange_rate: ExactNumber(told.exchange.unwrap_or(Fixed18::ONE)),
        pricing_currency: told.pricing.to_string(),
        service_period_start_date: told.service_period.start().to_string(),
        service_period_end_date: last_day(&told.service_period).start().to_string(),
        sub_total: amount(told.left)?,
        tax: told.tax.map(amount).transpose()?,
        unit_of_measure: meter.and_then(|meter| filled(&meter.unit)),
        order_name: None,
        discount: None,
        effective_price: None,
        market_price: None,
        units: None,
        unit_type: None,
    })
}

const fn kind(kind: InvoiceLineKind) -> &'static str {
    match kind {
        InvoiceLineKind::Reservation => "reservation",
        InvoiceLineKind::Other => "all",
    }
}

const fn transaction_type(line_type: InvoiceLineType) -> &'static str {
    match line_type {
        InvoiceLineType::Usage => "Usage Charge",
        InvoiceLineType::Purchase => "Purchase",
    }
}

/// A number of things; none where it is no whole number that the contract has room for.
fn whole(quantity: Fixed18) -> Option<i32> {
    quantity.to_string().parse().ok()
}

/// The day on which an interval ends.
fn last_day(period: &Interval) -> Day {
    if period.micros() == 0 { period.start().day() } else { period.end().plus_micros(-1).day() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Instant;

    #[test]
    fn transactions_are_asked_for_by_whole_days() {
        let check = |from: &str, to: &str, expected: &str| {
            let query = Query::parse(&format!("periodStartDate={from}&periodenddate={to}"));
            let days = days(&query).unwrap();
            assert_eq!(format!("{} {}", days.start, days.end), expected, "{from} {to}");
        };
        check("2026-08-01", "2026-08-31", "2026-08-01 2026-09-01");
        check("08-01-2026", "08-31-2026", "2026-08-01 2026-09-01");
        check("2026-08-01", "08-01-2026", "2026-08-01 2026-08-02");
        check("2026-08-01T06:00:00Z", "2026-08-31T00:00:00Z", "2026-08-01 2026-09-01");
    }

    #[test]
    fn only_whole_quantities_are_told() {
        let check = |text: &str, expected: Option<i32>| {
            assert_eq!(whole(Fixed18::parse(text).unwrap()), expected, "{text}");
        };
        check("4", Some(4));
        check("0.5", None);
        check("3000000000", None);
    }

    #[test]
    fn a_service_period_ends_on_its_last_day() {
        let check = |from: &str, until: &str, expected: &str| {
            let at = |text: &str| Instant::parse(text).unwrap();
            let period = Interval::new(at(from), at(until)).unwrap();
            assert_eq!(last_day(&period).to_string(), expected, "{from} {until}");
        };
        check("2026-08-01", "2026-09-01", "2026-08-31");
        check("2026-08-01", "2026-08-01T12:00:00Z", "2026-08-01");
        check("2026-08-01", "2026-08-01", "2026-08-01");
    }
}
