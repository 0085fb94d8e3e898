//! Lines of invoices as pages keep them: one text each.

use crate::pages::{ANSWER_ROWS, Writer, too_long};
use crate::told_lines::{InvoiceLineTold, MeterNamed, Named, Reserved};
use calendar::{Day, Instant, Interval};
use domain::numbering::DocumentNumber;
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18, Money, MoneyError};
use serde::{Deserialize, Serialize};

/// A line of a pinned answer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    name: String,
    invoice: Option<String>,
    day: i32,
    category: String,
    profile: Option<Named>,
    section: Option<Named>,
    customer: Option<Named>,
    subscription: Option<Named>,
    offer: Option<Named>,
    meter: Option<MeterNamed>,
    description: String,
    /// Id and quantity.
    reservation: Option<(String, Option<String>)>,
    /// Microseconds since 1970.
    service_period: (i64, i64),
    pricing: String,
    exchange: Option<String>,
    billing: String,
    exact: String,
    /// In minor units, like what follows.
    paid: String,
    left: String,
    tax: Option<String>,
}

/// Where lines go.
pub(crate) enum Lines {
    /// They are wanted whole, at most so many.
    Whole(Vec<InvoiceLineTold>, u64),
    /// They are pinned as they come.
    Pinned(Writer),
}

/// An answer that is pinned if it is longer than a page.
pub(crate) enum Written {
    Whole(Vec<String>),
    Pinned(String),
}

impl Lines {
    /// Adds lines.
    ///
    /// Errors: those of [`Writer::push`]; [`Error::TooMuch`].
    pub(crate) async fn take(&mut self, told: Vec<InvoiceLineTold>) -> Result<()> {
        match self {
            Lines::Whole(lines, most) => {
                lines.extend(told);
                too_long("rows of an answer", lines.len() as u64, (*most, ANSWER_ROWS))
            }
            Lines::Pinned(writer) => {
                for line in told {
                    writer.push(kept(line)?).await?;
                }
                Ok(())
            }
        }
    }

    /// Ends an answer in pages of so many rows; the pinned one says how many lines it has.
    pub(crate) async fn page(self, page_rows: u64) -> Result<Written> {
        match self {
            Lines::Whole(lines, _) => {
                let lines = lines.into_iter().map(kept).collect::<Result<_>>()?;
                Ok(Written::Whole(lines))
            }
            Lines::Pinned(mut writer) if writer.lines() <= page_rows.max(1) => {
                Ok(Written::Whole(writer.whole().unwrap_or_default()))
            }
            Lines::Pinned(writer) => {
                let total = writer.lines().to_string();
                writer.finish(&total).await.map(Written::Pinned)
            }
        }
    }
}

/// Writes a line.
///
/// Errors: [`Error::Internal`].
fn kept(line: InvoiceLineTold) -> Result<String> {
    let minor = |money: Money| money.minor().to_string();
    let InvoiceLineTold {
        name,
        invoice,
        day,
        category,
        profile,
        section,
        customer,
        subscription,
        offer,
        meter,
        description,
        reservation,
        service_period,
        pricing,
        exchange,
        exact,
        paid,
        left,
        tax,
    } = line;
    let reserved = |Reserved { id, quantity }| (id, quantity.map(|one: Fixed18| one.to_string()));
    let kept = Kept {
        name,
        invoice: invoice.map(|number| number.to_string()),
        day: day.number(),
        category: category.name().to_owned(),
        profile,
        section,
        customer,
        subscription,
        offer,
        meter,
        description,
        reservation: reservation.map(reserved),
        service_period: (service_period.start().micros(), service_period.end().micros()),
        pricing: pricing.to_string(),
        exchange: exchange.map(|rate| rate.to_string()),
        billing: exact.currency.to_string(),
        exact: exact.major.to_string(),
        paid: minor(paid),
        left: minor(left),
        tax: tax.map(minor),
    };
    serde_json::to_string(&kept).map_err(|e| Error::internal("pin an answer", e))
}

/// Reads what [`kept`] wrote.
///
/// Errors: [`Error::Internal`], [`Error::Money`].
pub(crate) fn told(text: &str) -> Result<InvoiceLineTold> {
    let line: Kept = serde_json::from_str(text).map_err(unread)?;
    let money = |source: MoneyError| Error::money("read a page", source);
    let fixed = |text: String| Fixed18::parse(&text).map_err(money);
    let currency = |code: &str| Currency::parse(code).map_err(money);
    let billing = currency(&line.billing)?;
    let minor = |text: String| {
        text.parse::<i128>().map(|minor| Money::from_minor(minor, billing)).map_err(unread)
    };
    let (start, end) = line.service_period;
    let (start, end) = (Instant::from_micros(start), Instant::from_micros(end));
    let reservation = match line.reservation {
        None => None,
        Some((id, quantity)) => Some(Reserved { id, quantity: quantity.map(fixed).transpose()? }),
    };
    Ok(InvoiceLineTold {
        name: line.name,
        invoice: line.invoice.map(|text| DocumentNumber::parse(&text)).transpose()?,
        day: Day::from_number(line.day),
        category: ChargeCategory::parse(&line.category)
            .ok_or_else(|| Error::internal("read a page", line.category.clone()))?,
        profile: line.profile,
        section: line.section,
        customer: line.customer,
        subscription: line.subscription,
        offer: line.offer,
        meter: line.meter,
        description: line.description,
        reservation,
        service_period: Interval::new(start, end).map_err(unread)?,
        pricing: currency(&line.pricing)?,
        exchange: line.exchange.map(fixed).transpose()?,
        exact: Cost { major: fixed(line.exact)?, currency: billing },
        paid: minor(line.paid)?,
        left: minor(line.left)?,
        tax: line.tax.map(minor).transpose()?,
    })
}

fn unread(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("read a page", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> Option<Named> {
        Some(Named { id: id.to_owned(), name: format!("The \"{id}\"\nof all") })
    }

    #[test]
    fn what_is_kept_of_a_line_is_the_line() {
        let check = |line: InvoiceLineTold| {
            let text = kept(line.clone()).unwrap();
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(told(&text).unwrap(), line);
        };
        let usd = Currency::parse("USD").unwrap();
        let money = |minor| Money::from_minor(minor, usd);
        let moment = |text: &str| Instant::parse(text).unwrap();
        let whole = InvoiceLineTold {
            name: "RKC-00000007-12".to_owned(),
            invoice: Some(DocumentNumber::parse("RKC-00000007").unwrap()),
            day: moment("2026-05-01").day(),
            category: ChargeCategory::Refund,
            profile: named("ships"),
            section: named("freight"),
            customer: named("bakery"),
            subscription: named("s"),
            offer: named("PAYG"),
            meter: Some(MeterNamed {
                id: "vm".to_owned(),
                category: "Machines".to_owned(),
                subcategory: String::new(),
                unit: "Hours".to_owned(),
            }),
            description: "Hours".to_owned(),
            reservation: Some(Reserved { id: "r".to_owned(), quantity: Some(Fixed18::ONE) }),
            service_period: Interval::new(moment("2026-05-01"), moment("2026-06-01")).unwrap(),
            pricing: Currency::parse("EUR").unwrap(),
            exchange: Some(Fixed18::parse("1.0842").unwrap()),
            exact: Cost { major: Fixed18::parse("-0.000000000000000001").unwrap(), currency: usd },
            paid: money(235),
            left: money(-1),
            tax: Some(money(0)),
        };
        check(whole.clone());
        check(InvoiceLineTold {
            invoice: None,
            profile: None,
            section: None,
            customer: None,
            subscription: None,
            offer: None,
            meter: None,
            reservation: Some(Reserved { id: "r".to_owned(), quantity: None }),
            exchange: None,
            tax: None,
            ..whole.clone()
        });
        check(InvoiceLineTold { reservation: None, ..whole });
    }
}
