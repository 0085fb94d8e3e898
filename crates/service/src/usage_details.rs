//! Usage details: the rows of data sets, told one by one with the names of what they are for.
//!
//! A data set is everything of one billing account in one billing period as of one refresh: see
//! `data_sets`. How they are read: `detail_reads`. Source: `docs/decisions/0020-data-sets.md`.

use crate::balance_summaries::BalanceOfPeriod;
use crate::told_lines::{MeterNamed, Named};
use calendar::{BillingPeriod, Day, Instant, Interval};
use domain::access::Scope;
use domain::credits::Coverage;
use domain::ids::BillingAccountId;
use domain::numbering::DocumentNumber;
use domain::rated::RowKind;
use domain::usage::{ChargeCategory, Dimension};
use money::{Cost, Fixed18};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Which details are asked for.
#[derive(Debug, Clone)]
pub struct DetailsAsked {
    /// Of what: a billing account, a place in it, or a subscription, of which the account that
    /// pays for it now is asked.
    pub scope: Scope,
    /// Of when.
    pub span: DetailSpan,
    /// Of what kinds; of all where none is named.
    pub kinds: BTreeSet<DetailKind>,
    /// A further test.
    pub filter: Option<DetailFilter>,
}

/// Of when details are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetailSpan {
    /// All of one billing period.
    Period(BillingPeriod),
    /// Those that count on these days, half-open: [`DetailTold::day`]. Billing periods follow one
    /// another, oldest first.
    Days(Range<Day>),
}

/// A test of details that a surface makes of its own filter.
#[derive(Clone)]
pub struct DetailFilter {
    /// What it was made of: a token is good for the same text only.
    pub asked: String,
    /// Whether a detail passes. It sees no cost that the caller may not see.
    pub keeps: Arc<dyn Fn(&DetailTold) -> bool + Send + Sync>,
}

impl fmt::Debug for DetailFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetailFilter").field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// What a detail stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DetailKind {
    /// Rated usage of this kind. [`RowKind::Unused`] costs nothing: it is what a reservation lost,
    /// told for its amortised cost.
    Rated(RowKind),
    /// A line of an invoice that is no usage: a purchase, a fee, a recurring charge, a commitment's
    /// shortfall, a discount.
    Charge,
    /// What a closed billing period was short of, or had too much, billed in this one.
    Correction,
    /// What a credit note or void note of this billing period takes back; below zero.
    Note,
    /// What a line gained or lost when it was booked.
    Rounding,
}

impl DetailKind {
    /// Its name in files and answers.
    pub const fn name(self) -> &'static str {
        match self {
            DetailKind::Rated(kind) => kind.name(),
            DetailKind::Charge => "charge",
            DetailKind::Correction => "correction",
            DetailKind::Note => "note",
            DetailKind::Rounding => "rounding",
        }
    }

    /// Finds a kind by [`DetailKind::name`].
    pub fn parse(name: &str) -> Option<DetailKind> {
        match name {
            "charge" => Some(DetailKind::Charge),
            "correction" => Some(DetailKind::Correction),
            "note" => Some(DetailKind::Note),
            "rounding" => Some(DetailKind::Rounding),
            _ => RowKind::parse(name).map(DetailKind::Rated),
        }
    }
}

/// One detail: rated usage of one meter, resource, day and price, or one charge.
///
/// The costs of the details of a data set whose coverage is [`Coverage::Covered`] or
/// [`Coverage::Separate`], rounding rows among them, are the total usage of its balance; those of
/// [`Coverage::Marketplace`] the marketplace charges. [`Coverage::Purchase`] buys prepayment and is
/// no usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailTold {
    /// Its name, one of its own within its data set; 32 hex digits.
    pub name: String,
    /// Who pays.
    pub billing_account: BillingAccountId,
    /// The billing period that it is billed in.
    pub period: BillingPeriod,
    /// The day that it counts on, of that period.
    pub day: Day,
    /// What it stands for.
    pub kind: DetailKind,
    /// What kind of charge; of a rounding row and of a note that of its line.
    pub category: ChargeCategory,
    /// In which sum of the balance summary it counts.
    pub coverage: Coverage,
    /// When it was used or held: from the first of what was added up to the last.
    pub service_period: Interval,
    /// The billing profile that pays, if one does.
    pub profile: Option<Named>,
    /// Under which section of the invoice it stands.
    pub section: Option<Named>,
    /// The partner's customer where its subscription stood.
    pub customer: Option<Named>,
    /// The department where its subscription stood.
    pub department: Option<Named>,
    /// The enrollment account where its subscription stood.
    pub enrollment_account: Option<Named>,
    /// Whom the house books it to: the cost center of the innermost place that has one; may be
    /// empty.
    pub cost_center: String,
    /// The mail address of the enrollment account's owner, if anybody said.
    pub owner_email: Option<String>,
    /// Of which subscription, if any.
    pub subscription: Option<Named>,
    /// The offer that this was on.
    pub offer: Option<Named>,
    /// The meter of usage.
    pub meter: Option<MeterNamed>,
    /// The region that the meter is priced for; may be empty.
    pub meter_region: String,
    /// What it is for, in words: the meter's name, of usage.
    pub description: String,
    /// What was used: its id as it was recorded; may be empty.
    pub resource: String,
    /// Values of the typed dimensions, the location among them.
    pub dimensions: BTreeMap<Dimension, String>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// The source's own details: a JSON object.
    pub details: Option<String>,
    /// The reservation that covered it, was lost, was bought or was given back.
    pub reservation: Option<Named>,
    /// What a charge that is no usage is for: the id of a plan, product or reservation event; may
    /// be empty.
    pub item: String,
    /// The invoice or note that it stands on; none while that is a draft.
    pub invoice: Option<DocumentNumber>,
    /// How much: in the meter's unit, of usage; of a charge what was bought, 1 where nothing is
    /// counted; 0 of corrections, notes and rounding rows.
    pub quantity: Fixed18,
    /// The price that rated it: its lineage in the price list; none where no price did.
    pub price: Option<String>,
    /// Number of the price's tier, from 0.
    pub tier: u16,
    /// What it costs; none where the caller may not see charges.
    pub cost: Option<DetailCost>,
}

/// What a detail costs. All costs are exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailCost {
    /// Price of one unit in major units of the pricing currency; none where cost is not quantity ×
    /// price: packages, flat fees, minimums, corrections.
    pub unit_price: Option<Fixed18>,
    /// What it costs in the pricing currency.
    pub pricing: Cost,
    /// What one unit of the pricing currency is in the billing currency; none where they are the
    /// same.
    pub exchange: Option<Fixed18>,
    /// What it costs in the billing currency.
    pub billing: Cost,
    /// The same with reservations spread over their hours, in place of their purchase.
    pub amortised: Cost,
    /// What usage that a reservation covered would have cost, in the billing currency.
    pub list: Option<Cost>,
}

/// A data set: one billing account in one billing period as of one refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// A hash of all it holds, which is what an entity tag is made of, beside what was asked and
    /// whether charges are shown: another one for other contents, the same for the same. 64 hex
    /// digits.
    pub id: String,
    /// Whose.
    pub billing_account: BillingAccountId,
    /// Of when.
    pub period: BillingPeriod,
    /// When it was made: business time.
    pub refreshed_at: Instant,
    /// Whether the period is closed for the account; else it is as a close then would have been.
    pub is_final: bool,
    /// How many details it has, at all places.
    pub rows: u64,
    /// The account's balance, of the same moment; none where the caller may not see it.
    pub balance: Option<BalanceOfPeriod>,
}

/// Some details, and where to go on.
#[derive(Debug, Clone)]
pub struct DetailPage {
    /// The details: billing periods oldest first, and of each what was rated before what was not.
    pub details: Vec<DetailTold>,
    /// A token for the next page, if there is one.
    pub next: Option<String>,
    /// Whether the caller sees what details cost.
    pub shows_charges: bool,
    /// The data sets that the page was read of, without balances.
    pub data_sets: Vec<DataSet>,
}

/// A billing period, and what there is to read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodTold {
    /// Which one.
    pub period: BillingPeriod,
    /// Whether it is closed for the account.
    pub is_final: bool,
    /// Whether there are details that are not of the marketplace.
    pub has_usage: bool,
    /// Whether there are details of the marketplace.
    pub has_marketplace: bool,
    /// Whether there is a balance.
    pub has_balance: bool,
    /// Whether there is a price sheet.
    pub has_prices: bool,
}
