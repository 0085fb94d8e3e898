//! Closing a payer's billing period: from rated rows, plans and corrections to documents and
//! ledger entries.
//!
//! All that is declared counts as it stands at the period's last moment. What is computed here is
//! a pure function of facts and balances, so that whoever closes twice comes to the same.
//!
//! Source: architecture, section 3 (close); `docs/decisions/0011-closes.md`.

mod offers;
mod reservations;

pub use offers::is_of_offer;

use crate::agreements::{Agreement, AgreementType};
use crate::billing_terms::{BillingTerms, HeldPlan};
use crate::company::{BillingAccount, Company};
use crate::correction::{self, Correction};
use crate::credits::{self, Lot, OpenLot};
use crate::delivery::{Billed, Sent};
use crate::ids::{BillingAccountId, DocumentId, InvoiceSectionId, SubscriptionId};
use crate::invoice::{self, ExchangeRate, Invoice, InvoiceTerms, LineKey, LineReference, LineSums};
use crate::ledger::Balances;
use crate::places::Level;
use crate::posting::{self, lot_account};
use crate::pricing::PriceBook;
use crate::rated::{RatedRow, RowKind};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Money};
use std::collections::{BTreeMap, BTreeSet};

/// Which of a billing period's documents a charge stands on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// Of whose charges.
    pub share: Share,
    /// Of which charges.
    pub kind: PartKind,
}

/// Whose charges of a billing account have a document of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// The account's: enterprise and messaging agreements, and what stands at no profile.
    Account,
    /// Those of a billing profile: customer and partner agreements.
    Profile(String),
    /// Those of a subscription: online services agreements.
    Subscription(SubscriptionId),
}

/// Which charges stand on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// All but marketplace charges.
    Own,
    /// Marketplace charges, which have an invoice of their own.
    Marketplace,
}

impl Part {
    fn of(share: Share, category: ChargeCategory) -> Part {
        let is_apart = category == ChargeCategory::Marketplace;
        Part { share, kind: if is_apart { PartKind::Marketplace } else { PartKind::Own } }
    }

    /// The billing profile whose charges it has, if they are a profile's.
    pub fn profile(&self) -> Option<&str> {
        match &self.share {
            Share::Profile(profile) => Some(profile),
            Share::Account | Share::Subscription(_) => None,
        }
    }

    /// The subscription whose charges it has, if they are a subscription's.
    pub fn subscription(&self) -> Option<&SubscriptionId> {
        match &self.share {
            Share::Subscription(subscription) => Some(subscription),
            Share::Account | Share::Profile(_) => None,
        }
    }

    /// The id of a payer's invoice of a billing period: `acme/2026-03`,
    /// `acme/2026-03/marketplace/profile/ships`.
    ///
    /// Errors: [`Error::Invalid`] when it would be too long.
    pub fn document(
        &self,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<DocumentId> {
        self.named(account, &period.to_string())
    }

    /// The id of the `number`th invoice in the place of a voided one: `acme/2026-03/rebill/1`.
    ///
    /// Errors: [`Error::Invalid`] when it would be too long.
    pub fn rebill(
        &self,
        account: &BillingAccountId,
        period: BillingPeriod,
        number: usize,
    ) -> Result<DocumentId> {
        self.named(account, &format!("{period}/rebill/{number}"))
    }

    fn named(&self, account: &BillingAccountId, period: &str) -> Result<DocumentId> {
        let kind = match self.kind {
            PartKind::Own => "",
            PartKind::Marketplace => "/marketplace",
        };
        let share = match &self.share {
            Share::Account => String::new(),
            Share::Profile(profile) => format!("/profile/{profile}"),
            Share::Subscription(subscription) => format!("/subscription/{subscription}"),
        };
        DocumentId::new(&format!("{account}/{period}{kind}{share}"))
    }

    /// The billing period and the part that an invoice's id stands for; none if it is not of that
    /// account.
    pub fn of_id(id: &DocumentId, account: &BillingAccountId) -> Option<(BillingPeriod, Part)> {
        let tail = id.as_str().strip_prefix(account.as_str())?.strip_prefix('/')?;
        let period = BillingPeriod::parse(tail.split('/').next()?).ok()?;
        Some((period, Part::of_document(id, account, period)?))
    }

    /// The part that an invoice's id stands for; none if it is not of that account and period.
    pub fn of_document(
        id: &DocumentId,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Option<Part> {
        let tail = id.as_str().strip_prefix(&format!("{account}/{period}"))?;
        let tail = match tail.strip_prefix("/rebill/") {
            Some(numbered) => numbered.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => tail,
        };
        let (kind, tail) = match tail.strip_prefix("/marketplace") {
            Some(tail) => (PartKind::Marketplace, tail),
            None => (PartKind::Own, tail),
        };
        let share = if tail.is_empty() {
            Share::Account
        } else if let Some(profile) = tail.strip_prefix("/profile/") {
            Share::Profile(profile.to_owned())
        } else {
            let subscription = tail.strip_prefix("/subscription/")?;
            Share::Subscription(SubscriptionId::new(subscription).ok()?)
        };
        Some(Part { share, kind })
    }
}

/// What a payer is charged in a billing period, by document and line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Charges {
    parts: BTreeMap<Part, LineSums>,
}

impl Charges {
    /// Adds a charge.
    ///
    /// Errors: [`Error::Money`].
    pub fn add(&mut self, part: Part, key: LineKey, cost: Cost) -> Result<()> {
        self.parts.entry(part).or_default().add(key, cost)
    }

    /// The lines of a document.
    pub fn part(&self, part: &Part) -> LineSums {
        self.parts.get(part).cloned().unwrap_or_default()
    }

    /// Each document's lines.
    pub fn iter(&self) -> impl Iterator<Item = (&Part, &LineSums)> {
        self.parts.iter()
    }

    /// The documents that these charges have, and those that were sent for the period.
    pub fn parts_with<'a>(
        &self,
        sent: impl IntoIterator<Item = &'a Invoice>,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> BTreeSet<Part> {
        let sent = sent.into_iter().filter(|invoice| invoice.billing_account == *account);
        let sent = sent.filter_map(|invoice| Part::of_document(&invoice.id, account, period));
        self.parts.keys().cloned().chain(sent).collect()
    }
}

/// A payer in a billing period, and what is declared of it.
#[derive(Debug, Clone)]
pub struct Payer<'a> {
    /// Everything that is declared.
    pub company: &'a Company,
    /// Its prices.
    pub book: &'a PriceBook,
    /// Who pays.
    pub account: &'a BillingAccount,
    /// For when.
    pub period: BillingPeriod,
    /// On which terms.
    pub terms: BillingTerms,
}

impl<'a> Payer<'a> {
    /// Finds a payer's terms at the end of a billing period.
    ///
    /// Errors: [`Error::NotFound`] for an account that is not there; [`Error::Conflict`] where no
    /// terms hold and none or several sell.
    pub fn of(
        book: &'a PriceBook,
        id: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Payer<'a>> {
        let company = book.company();
        let missing = || Error::not_found("billing account", id.as_str());
        let account = company.accounts.get(id).ok_or_else(missing)?;
        let terms = company.terms_at(id, last_moment(period))?;
        Ok(Payer { company, book, account, period, terms })
    }

    /// What the payer's rated rows, offers, plans and reservations come to.
    ///
    /// `lots` are those that lines are cut by. Errors: [`Error::Invalid`] for a plan or reservation
    /// that cannot be; [`Error::Money`].
    pub fn charges<'r>(
        &self,
        rows: impl IntoIterator<Item = &'r RatedRow>,
        lots: &[Lot],
    ) -> Result<Charges> {
        let spans = credits::cuts(self.period.interval(), lots);
        let mut charges = Charges::default();
        rows.into_iter().try_for_each(|row| self.add_row(&mut charges, row, &spans))?;
        self.add_charges_without_usage(&mut charges)?;
        Ok(charges)
    }

    /// Adds a rated row; `spans` are what lines are cut into: [`credits::cuts`].
    ///
    /// Errors: [`Error::Money`].
    pub fn add_row(&self, charges: &mut Charges, row: &RatedRow, spans: &[Interval]) -> Result<()> {
        // Lost hours of a reservation are recorded, not charged.
        if row.kind == RowKind::Unused {
            return Ok(());
        }
        let (part, key) = self.line_of(row, spans);
        charges.add(part, key, row.cost)
    }

    /// Adds offers, plans and reservations, once all rows are there: discounts are on usage.
    ///
    /// Errors: [`Error::Invalid`] for a plan or reservation that cannot be; [`Error::Money`].
    pub fn add_charges_without_usage(&self, charges: &mut Charges) -> Result<()> {
        self.add_terms_of_offers(charges)?;
        for held in self.company.plans_of(&self.account.id) {
            for charge in held.plan.charges(self.period)? {
                let key = self.plan_key(held, charge.service_period);
                let share = self.share_of_plan(held, charge.service_period.start());
                charges.add(Part::of(share, key.category), key, charge.cost)?;
            }
        }
        self.add_reservations(charges)
    }

    fn agreement(&self) -> Option<AgreementType> {
        let at = last_moment(self.period);
        self.company.places.agreement_at(&self.account.id, at).map(Agreement::kind)
    }

    /// On which document and line a rated row stands; `spans` are what lines are cut into:
    /// [`credits::cuts`].
    pub fn line_of(&self, row: &RatedRow, spans: &[Interval]) -> (Part, LineKey) {
        (Part::of(self.share_of(row), row.category), self.usage_key(row, spans))
    }

    /// Whose document usage stands on.
    fn share_of(&self, row: &RatedRow) -> Share {
        self.share(Some(&row.subscription), row.service_period.start())
    }

    fn share(&self, subscription: Option<&SubscriptionId>, at: Instant) -> Share {
        let Some(id) = subscription else { return Share::Account };
        match self.agreement() {
            Some(AgreementType::Customer | AgreementType::Partner) => {
                let subscription = self.company.subscriptions.get(id);
                let placement = subscription.and_then(|found| {
                    found.placement_at(at)?;
                    // Once another account pays, what is charged here stands where it did last.
                    let mut own = found.placements.iter().rev().filter(|placement| {
                        let is_own = placement.billing_account == self.account.id;
                        is_own && placement.during.start() <= at
                    });
                    own.next()
                });
                let profile = placement.and_then(|placement| placement.profile.clone());
                profile.map_or(Share::Account, Share::Profile)
            }
            Some(AgreementType::OnlineServices) => Share::Subscription(id.clone()),
            Some(AgreementType::Enterprise | AgreementType::Messaging) | None => Share::Account,
        }
    }

    /// Whose document a plan stands on: that of its subscription, or of the profile it is held at.
    fn share_of_plan(&self, held: &HeldPlan, at: Instant) -> Share {
        if held.subscription.is_some() {
            return self.share(held.subscription.as_ref(), at);
        }
        let profile = held.place.as_ref().and_then(|place| {
            let places = self.company.places.of(&self.account.id)?;
            places.enclosing(place, Level::BillingProfile, at)
        });
        profile.map_or(Share::Account, |profile| Share::Profile(profile.id.to_string()))
    }

    /// The invoice section that a subscription stands in at a moment.
    fn section(&self, subscription: &SubscriptionId, at: Instant) -> Option<InvoiceSectionId> {
        let places = &self.company.places;
        let standing = places.subscriptions.get(subscription)?.standings.at(at)?;
        let place = standing.place.as_ref().filter(|of| of.billing_account == self.account.id)?;
        let section =
            places.of(&self.account.id)?.enclosing(&place.key, Level::InvoiceSection, at)?;
        InvoiceSectionId::new(section.id.as_str()).ok()
    }

    fn usage_key(&self, row: &RatedRow, spans: &[Interval]) -> LineKey {
        let start = row.service_period.start();
        let span = spans.iter().find(|span| span.contains(start)).copied();
        LineKey {
            section: self.section(&row.subscription, start),
            category: row.category,
            subscription: Some(row.subscription.clone()),
            meter: Some(row.meter.clone()),
            item: String::new(),
            service_period: span.unwrap_or_else(|| self.period.interval()),
            tax: self.terms.tax_category.clone(),
            amends: None,
            buys: None,
            rate: None,
        }
    }

    fn plan_key(&self, held: &HeldPlan, service_period: Interval) -> LineKey {
        let tax = held.tax_category.as_ref().unwrap_or(&self.terms.tax_category);
        LineKey {
            section: None,
            category: ChargeCategory::Purchase,
            subscription: held.subscription.clone(),
            meter: None,
            // The id: a name may change, and a line is found by its key when it is corrected.
            item: held.id.to_string(),
            service_period,
            tax: tax.clone(),
            amends: None,
            buys: None,
            rate: None,
        }
    }

    /// What the period's charges, computed again, differ by from what was billed for it.
    ///
    /// `sent` is all that the payer was ever sent. A period without an invoice is amended as a
    /// whole, by the id that its invoice would have had. What was withdrawn by a void note is
    /// billed by a rebill or not at all: nothing corrects it. Errors: [`Error::Money`].
    pub fn corrections(&self, sent: &Sent, again: &Charges) -> Result<Vec<(Part, Correction)>> {
        let mut all = Vec::new();
        for part in again.parts_with(&sent.invoices, &self.account.id, self.period) {
            let id = part.document(&self.account.id, self.period)?;
            let stands = sent.standing_for(&id).last().copied();
            if stands.is_some_and(|invoice| sent.is_void(&invoice.id)) {
                continue;
            }
            let billed = stands.cloned().unwrap_or_else(|| self.empty(id.clone()));
            // All are of what stands now, whichever invoice they were made on.
            let of = |at: Correction| {
                let amends = LineReference { document: billed.id.clone(), ..at.amends };
                Correction { amends, ..at }
            };
            let earlier: Vec<Correction> = sent.corrections_of(&id).into_iter().map(of).collect();
            let found = correction::corrections(&billed, &earlier, &again.part(&part))?;
            all.extend(found.into_iter().map(|correction| (part.clone(), correction)));
        }
        Ok(all)
    }

    pub(crate) fn empty(&self, id: DocumentId) -> Invoice {
        Invoice {
            id,
            billing_account: self.account.id.clone(),
            seller: self.terms.seller.clone(),
            period: self.period,
            currency: self.account.currency,
            lines: Vec::new(),
            taxes: Vec::new(),
            replaces: None,
        }
    }

    /// What is left of lots that hold before the period's end, and were not granted before.
    pub fn lots_to_grant(&self, is_granted: impl Fn(&Lot) -> bool) -> Vec<&'a Lot> {
        let lots = self.company.lots_of(&self.account.id).iter();
        lots.filter(|lot| lot.holds.start() < self.period.end() && !is_granted(lot)).collect()
    }

    /// Makes documents and entries of charges: grants lots, draws them down, taxes, lets open
    /// credit pay, and ends lots that end in the period.
    ///
    /// `kept` are exchange rates that corrections keep; `at` is when the documents are issued.
    /// Errors: [`Error::NotFound`] for a missing exchange rate or tax rule; [`Error::Overdrawn`];
    /// [`Error::Money`].
    pub fn bill(
        &self,
        charges: &Charges,
        kept: &[ExchangeRate],
        grants: &[&Lot],
        before: &Balances,
        at: Instant,
    ) -> Result<Billed> {
        let mut billed = Billed::on(before);
        for lot in grants {
            billed.post(vec![posting::grant(lot, lot.holds.start())?])?;
        }
        for (part, sums) in charges.iter() {
            let own = self.lot_of_offer(part)?;
            if let Some(lot) = &own {
                billed.post(vec![posting::grant(lot, lot.holds.start())?])?;
            }
            let id = part.document(&self.account.id, self.period)?;
            let invoice = self.draft(&id, sums, (own.as_ref(), kept), &billed.balances)?;
            billed.issue(invoice, at)?;
            billed.end(own.as_ref())?;
        }
        let lots = self.company.lots_of(&self.account.id).iter();
        billed.end(lots.filter(|lot| lot.holds.end() <= self.period.end()))?;
        Ok(billed)
    }

    pub(crate) fn draft(
        &self,
        id: &DocumentId,
        sums: &LineSums,
        (own, kept): (Option<&Lot>, &[ExchangeRate]),
        balances: &Balances,
    ) -> Result<Invoice> {
        let at = last_moment(self.period);
        let mut rates: Vec<ExchangeRate> = Vec::new();
        let to = self.account.currency;
        for (_, Cost { currency, .. }) in sums.iter().filter(|(key, _)| key.rate.is_none()) {
            if currency != to && !rates.iter().any(|rate| rate.from == currency) {
                // The rate that a correction keeps must not stand in for one that is missing.
                let missing = || Error::not_found("exchange rate", format!("{currency} to {to}"));
                let rate = self.company.exchange_rate_at(currency, to, at);
                rates.push(rate.ok_or_else(missing)?.clone());
            }
        }
        rates.extend_from_slice(kept);
        let lots = self.company.lots_of(&self.account.id).iter().chain(own);
        let lots: Vec<OpenLot<'_>> =
            lots.map(|lot| OpenLot { lot, left: left_of(lot, balances) }).collect();
        invoice::draft(
            &InvoiceTerms {
                id,
                billing_account: &self.account.id,
                seller: &self.terms.seller,
                period: self.period,
                currency: to,
                rates: &rates,
                lots: &lots,
                separately: &self.terms.separately,
                taxes: &self.company.taxes_at(&self.account.id, at)?,
                rounding: self.terms.rounding,
            },
            sums,
        )
    }

    /// The first moment at which what is issued now is overdue.
    pub fn due_until(&self, issued_at: Instant) -> Instant {
        let days = i32::from(self.terms.payment_days).saturating_add(1);
        let issued = issued_at.day().number();
        calendar::Day::from_number(issued.saturating_add(days)).start()
    }
}

pub(crate) fn left_of(lot: &Lot, balances: &Balances) -> Money {
    balances.of(&lot_account(lot.kind, &lot.id), lot.granted.currency())
}

/// The moment at which declared facts are looked at.
fn last_moment(period: BillingPeriod) -> Instant {
    period.end().plus_micros(-1)
}

#[cfg(test)]
mod tests;
