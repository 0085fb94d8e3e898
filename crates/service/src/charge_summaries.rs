//! Charge summaries: what somebody is charged, added up by billing period and by who it stands at.
//!
//! They are sums of usage details, rounding rows and notes among them. So those of a billing
//! account are what its balance of the period says: covered and billed separately together are the
//! total usage, marketplace charges stand apart, and what buys prepayment is no charge. The details
//! are read one page file at a time; what is kept is one sum for each group.

use crate::Reckoner;
use crate::pages::{ANSWER_ROWS, too_long};
use crate::told_lines::Named;
use crate::usage_details::{DetailSpan, DetailTold, DetailsAsked};
use async_recursion::async_recursion as boxed;
use calendar::BillingPeriod;
use domain::access::{Action, Caller, Scope};
use domain::credits::Coverage;
use domain::{Error, Result};
use money::{Cost, Currency};
use std::collections::{BTreeMap, BTreeSet};

/// Which charges, and by what they are told apart.
#[derive(Debug, Clone)]
pub struct ChargeSummariesAsked {
    /// Of a billing account or a place in it.
    pub scope: Scope,
    /// Of when.
    pub span: DetailSpan,
    /// By what, beside the billing period.
    pub by: ChargesBy,
}

/// By what charges are told apart, beside the billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChargesBy {
    /// By nothing else.
    Period,
    /// By billing profile.
    Profile,
    /// By invoice section, with its billing profile.
    Section,
    /// By the partner's customer.
    Customer,
}

/// What a billing period's charges come to, all of them or those of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeSummary {
    /// In which they are billed.
    pub period: BillingPeriod,
    /// Whether they stand on invoices and notes; else a close is still to come.
    pub is_invoiced: bool,
    /// The billing profile, where they are told apart by it.
    pub profile: Option<Named>,
    /// The invoice section, where they are told apart by it.
    pub section: Option<Named>,
    /// The partner's customer, where they are told apart by it.
    pub customer: Option<Named>,
    /// What every lot may pay.
    pub covered: Cost,
    /// What prepayment cannot cover.
    pub separate: Cost,
    /// Marketplace charges.
    pub marketplace: Cost,
}

/// What tells groups apart: the ids of places, in the order in which they are told.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    period: BillingPeriod,
    is_draft: bool,
    profile: Option<String>,
    section: Option<String>,
    customer: Option<String>,
}

impl Reckoner {
    /// Adds charges up, by billing period and place; what costs nothing has no group.
    ///
    /// Errors: as [`Reckoner::details_stream`]; [`Error::Forbidden`] for who reads usage there and
    /// no charges; [`Error::TooMuch`]; [`Error::Money`].
    #[boxed]
    pub async fn charge_summaries(
        &self,
        caller: &Caller,
        asked: &ChargeSummariesAsked,
    ) -> Result<Vec<ChargeSummary>> {
        let ChargeSummariesAsked { scope, span, by } = asked.clone();
        let details = DetailsAsked { scope, span, kinds: BTreeSet::new(), filter: None };
        let mut stream = self.details_stream(caller, &details).await?;
        if !stream.shows_charges() {
            return Err(Error::Forbidden { action: Action::ReadCharges.name() });
        }
        let mut groups = BTreeMap::new();
        while let Some(details) = stream.next().await? {
            for detail in &details {
                add(&mut groups, by, detail)?;
            }
            let most = (self.limits().answer_rows, ANSWER_ROWS);
            too_long("groups of an answer", groups.len() as u64, most)?;
        }
        Ok(groups.into_values().collect())
    }
}

/// Adds what a detail costs to its group.
fn add(
    groups: &mut BTreeMap<Key, ChargeSummary>,
    by: ChargesBy,
    detail: &DetailTold,
) -> Result<()> {
    let Some(cost) = detail.cost.as_ref().map(|cost| cost.billing) else { return Ok(()) };
    let of_coverage: fn(&mut ChargeSummary) -> &mut Cost = match detail.coverage {
        Coverage::Covered => |group| &mut group.covered,
        Coverage::Separate => |group| &mut group.separate,
        Coverage::Marketplace => |group| &mut group.marketplace,
        // Prepayment that is bought is no charge.
        Coverage::Purchase => return Ok(()),
    };
    if cost.major.is_zero() {
        return Ok(());
    }
    let meant = |is_meant: bool, named: &Option<Named>| named.clone().filter(|_| is_meant);
    let has_profile = matches!(by, ChargesBy::Profile | ChargesBy::Section);
    let profile = meant(has_profile, &detail.profile);
    let section = meant(by == ChargesBy::Section, &detail.section);
    let customer = meant(by == ChargesBy::Customer, &detail.customer);
    let id = |named: &Option<Named>| named.as_ref().map(|named| named.id.clone());
    let (period, is_invoiced) = (detail.period, detail.invoice.is_some());
    let key = Key {
        period,
        is_draft: !is_invoiced,
        profile: id(&profile),
        section: id(&section),
        customer: id(&customer),
    };
    let zero = || Cost::zero(cost.currency);
    let group = groups.entry(key).or_insert_with(|| ChargeSummary {
        period,
        is_invoiced,
        profile,
        section,
        customer,
        covered: zero(),
        separate: zero(),
        marketplace: zero(),
    });
    let sum = of_coverage(group);
    let added = sum.checked_add(cost);
    *sum = added.map_err(|source| Error::money(format!("charges of {period}"), source))?;
    Ok(())
}

impl ChargeSummary {
    /// What it is told in.
    pub fn currency(&self) -> Currency {
        self.covered.currency
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage_details::{DetailCost, DetailKind};
    use calendar::{Instant, Interval};
    use domain::ids::{BillingAccountId, LegalEntityId};
    use domain::numbering::DocumentNumber;
    use domain::usage::ChargeCategory;
    use money::Fixed18;

    fn named(id: &str) -> Option<Named> {
        (!id.is_empty()).then(|| Named { id: id.to_owned(), name: id.to_uppercase() })
    }

    /// `2026-09 ships fuel covered 1.25`: period, profile, section, coverage, cost; a profile of
    /// `-` is none. Details of September are invoiced.
    fn detail(text: &str) -> DetailTold {
        let [period, profile, section, coverage, cost] =
            <[&str; 5]>::try_from(text.split(' ').collect::<Vec<_>>()).unwrap();
        let all =
            [Coverage::Covered, Coverage::Separate, Coverage::Marketplace, Coverage::Purchase];
        let coverage = all.into_iter().find(|one| one.name() == coverage).unwrap();
        let period = BillingPeriod::parse(period).unwrap();
        let currency = Currency::parse("EUR").unwrap();
        let billing = Cost { major: Fixed18::parse(cost).unwrap(), currency };
        let is_invoiced = period.to_string() == "2026-09";
        let seller = LegalEntityId::new("RKC").unwrap();
        DetailTold {
            name: String::new(),
            billing_account: BillingAccountId::new("a").unwrap(),
            period,
            day: period.start().day(),
            kind: DetailKind::Charge,
            category: ChargeCategory::Usage,
            coverage,
            service_period: Interval::at(Instant::parse("2026-09-01").unwrap()),
            profile: named(profile.trim_matches('-')),
            section: named(section.trim_matches('-')),
            customer: None,
            department: None,
            enrollment_account: None,
            cost_center: String::new(),
            owner_email: None,
            subscription: None,
            offer: None,
            meter: None,
            meter_region: String::new(),
            description: String::new(),
            resource: String::new(),
            dimensions: BTreeMap::new(),
            tags: BTreeMap::new(),
            details: None,
            reservation: None,
            item: String::new(),
            invoice: is_invoiced.then_some(DocumentNumber { seller, sequence: 1 }),
            quantity: Fixed18::from_int(0),
            price: None,
            tier: 0,
            cost: Some(DetailCost {
                unit_price: None,
                pricing: billing,
                exchange: None,
                billing,
                amortised: billing,
                list: None,
            }),
        }
    }

    #[test]
    fn charges_are_the_sums_of_details() {
        let check = |by: ChargesBy, expected: &[&str]| {
            let mut groups = BTreeMap::new();
            for text in [
                "2026-09 ships fuel covered 1.25",
                "2026-09 ships fuel covered -0.005",
                "2026-09 ships crew billed_separately 2",
                "2026-09 - - marketplace 7",
                "2026-09 ships fuel purchase 100",
                "2026-10 ships fuel covered 0",
                "2026-10 cars - covered 3",
            ] {
                add(&mut groups, by, &detail(text)).unwrap();
            }
            let id = |named: &Option<Named>| {
                named.as_ref().map_or("-", |one| one.id.as_str()).to_owned()
            };
            let told: Vec<String> = groups
                .values()
                .map(|group| {
                    let ChargeSummary { period, is_invoiced, covered, separate, .. } = group;
                    let marketplace = group.marketplace.major;
                    let (profile, section) = (id(&group.profile), id(&group.section));
                    let (covered, separate) = (covered.major, separate.major);
                    format!(
                        "{period} {is_invoiced} {profile} {section} {covered} {separate} \
                         {marketplace}"
                    )
                })
                .collect();
            assert_eq!(told, expected, "{by:?}");
        };
        check(ChargesBy::Period, &["2026-09 true - - 1.245 2 7", "2026-10 false - - 3 0 0"]);
        check(
            ChargesBy::Profile,
            &[
                "2026-09 true - - 0 0 7",
                "2026-09 true ships - 1.245 2 0",
                "2026-10 false cars - 3 0 0",
            ],
        );
        check(
            ChargesBy::Section,
            &[
                "2026-09 true - - 0 0 7",
                "2026-09 true ships crew 0 2 0",
                "2026-09 true ships fuel 1.245 0 0",
                "2026-10 false cars - 3 0 0",
            ],
        );
    }
}
