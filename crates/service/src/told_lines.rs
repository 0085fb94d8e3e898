//! Lines of invoices as they are told one by one: with the names of what they are for.

use crate::structure::Look;
use calendar::{Day, Interval};
use domain::closes::Part;
use domain::company::Placement;
use domain::encoding::books::line_key;
use domain::holdings::Held;
use domain::ids::{BillingAccountId, PlaceId, ProductId, SubscriptionId};
use domain::invoice::{Invoice, Line, LineKey};
use domain::numbering::DocumentNumber;
use domain::places::{Level, PlaceKey};
use domain::reservations::{HeldReservation, ReservationCharge};
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18, Money};
use serde::{Deserialize, Serialize};

/// What a name of a draft's line begins with.
pub(crate) const DRAFT: &str = "draft-";
/// How many digits follow.
pub(crate) const DRAFT_DIGITS: usize = 32;

/// A line of an invoice, or of the draft of one.
///
/// Exact sum + what it gained by booking + set off − paid by lots = left; over an invoice nothing
/// is set off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLineTold {
    /// By which it is found again: number of invoice and line; of a draft what its key comes to.
    pub name: String,
    /// The number of its invoice; none while that is a draft.
    pub invoice: Option<DocumentNumber>,
    /// The day that it counts on: when its service period began, or the nearest day of the billing
    /// period that its invoice is for.
    pub day: Day,
    /// What kind of charge.
    pub category: ChargeCategory,
    /// The billing profile that pays, if one does.
    pub profile: Option<Named>,
    /// Under which section of the invoice it stands.
    pub section: Option<Named>,
    /// The partner's customer that holds what it is for.
    pub customer: Option<Named>,
    /// Of which subscription, if any.
    pub subscription: Option<Named>,
    /// The offer that this was on.
    pub offer: Option<Named>,
    /// The meter of usage.
    pub meter: Option<MeterNamed>,
    /// What it is for, in words.
    pub description: String,
    /// The reservation that it is for.
    pub reservation: Option<Reserved>,
    /// When it was used or held.
    pub service_period: Interval,
    /// What it is priced in.
    pub pricing: Currency,
    /// What one unit of that is in the billing currency; none where they are the same.
    pub exchange: Option<Fixed18>,
    /// Its exact sum in the billing currency.
    pub exact: Cost,
    /// What lots paid of it.
    pub paid: Money,
    /// What is left to pay before tax.
    pub left: Money,
    /// Its part of the invoice's tax; none of a draft.
    pub tax: Option<Money>,
}

/// Something by its id and its name, which is the id where it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A meter by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterNamed {
    /// Its id.
    pub id: String,
    /// Service or channel; may be empty, as all names of a meter that is not declared.
    pub category: String,
    /// Finer kind; may be empty.
    pub subcategory: String,
    /// What a quantity of one stands for; may be empty.
    pub unit: String,
}

/// A reservation on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Its id.
    pub id: String,
    /// What it covers in each hour, as far as it was bought or given back.
    pub quantity: Option<Fixed18>,
}

/// Whether a line is for a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceLineKind {
    /// For a reservation itself.
    Reservation,
    /// For anything else.
    Other,
}

/// Whether a line is for what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceLineType {
    /// For what was used, and what amends that.
    Usage,
    /// For what was bought, and for what comes with a purchase: fees, refunds, a vendor's tax.
    Purchase,
}

impl InvoiceLineKind {
    /// All of them.
    pub const ALL: [InvoiceLineKind; 2] = [InvoiceLineKind::Reservation, InvoiceLineKind::Other];
}

impl InvoiceLineType {
    /// All of them.
    pub const ALL: [InvoiceLineType; 2] = [InvoiceLineType::Usage, InvoiceLineType::Purchase];
}

impl InvoiceLineTold {
    /// Whether it is for a reservation.
    pub fn kind(&self) -> InvoiceLineKind {
        match self.reservation {
            Some(_) => InvoiceLineKind::Reservation,
            None => InvoiceLineKind::Other,
        }
    }

    /// Whether it is for what was used.
    pub fn line_type(&self) -> InvoiceLineType {
        match self.category {
            ChargeCategory::Usage
            | ChargeCategory::Marketplace
            | ChargeCategory::Adjustment
            | ChargeCategory::Rounding => InvoiceLineType::Usage,
            ChargeCategory::Purchase
            | ChargeCategory::Tax
            | ChargeCategory::Credit
            | ChargeCategory::Fee
            | ChargeCategory::Refund => InvoiceLineType::Purchase,
        }
    }
}

/// Tells the lines of one invoice.
pub(crate) struct Telling<'a> {
    look: &'a Look,
    invoice: &'a Invoice,
    number: Option<&'a DocumentNumber>,
    profile: Option<Named>,
}

impl<'a> Telling<'a> {
    /// Of an invoice, or of a draft if it has no number.
    pub(crate) fn of(
        look: &'a Look,
        invoice: &'a Invoice,
        number: Option<&'a DocumentNumber>,
    ) -> Telling<'a> {
        let account = &invoice.billing_account;
        let part = Part::of_document(&invoice.id, account, invoice.period);
        let profile = part.as_ref().and_then(Part::profile);
        let profile = profile.and_then(|id| look.named(account, Level::BillingProfile, id));
        Telling { look, invoice, number, profile }
    }

    /// Errors: [`Error::Money`].
    pub(crate) fn line(&self, line: &Line) -> Result<InvoiceLineTold> {
        let Line { key, pricing, exchange, exact, paid, left, tax, .. } = line;
        let (account, period) = (&self.invoice.billing_account, self.invoice.period);
        let last = period.end().plus_micros(-1);
        let (look, section) = (self.look, key.section.as_ref());
        let amounts = paid.iter().map(|part| part.amount);
        let paid = Money::checked_sum(self.invoice.currency, amounts);
        let of =
            |source| Error::money(format!("line {} of {}", line.number, self.invoice.id), source);
        Ok(InvoiceLineTold {
            name: self.name_of(line),
            invoice: self.number.cloned(),
            day: key.service_period.start().max(period.start()).min(last).day(),
            category: key.category,
            profile: self.profile.clone(),
            section: section.and_then(|id| look.named(account, Level::InvoiceSection, id.as_str())),
            customer: look.customer_on(account, key),
            subscription: key.subscription.as_ref().map(|id| look.subscription_named(id)),
            offer: key.subscription.as_ref().and_then(|id| look.offer_on(account, id, key)),
            meter: look.meter_on(key),
            description: look.description_of(account, key),
            reservation: look.reserved_on(account, key),
            service_period: key.service_period,
            pricing: pricing.currency,
            exchange: exchange.as_ref().map(|exchange| exchange.rate),
            exact: *exact,
            paid: paid.map_err(of)?,
            left: *left,
            tax: self.number.map(|_| *tax),
        })
    }

    fn name_of(&self, line: &Line) -> String {
        if let Some(number) = self.number {
            return format!("{number}-{}", line.number);
        }
        let mut hash = blake3::Hasher::new();
        for text in [self.invoice.id.as_str(), line.pricing.currency.code()] {
            hash.update(text.as_bytes()).update(&[0]);
        }
        hash.update(&line_key(&line.key));
        let digits = hash.finalize().to_hex().to_string();
        format!("{DRAFT}{}", digits.chars().take(DRAFT_DIGITS).collect::<String>())
    }
}

impl Look {
    /// A place by its id and name, whether it is still there or not.
    pub(crate) fn named(
        &self,
        account: &BillingAccountId,
        level: Level,
        id: &str,
    ) -> Option<Named> {
        let key = PlaceKey { level, id: PlaceId::new(id).ok()? };
        let name = self.shell(account, &key).map_or_else(|| id.to_owned(), |told| told.name);
        Some(Named { id: id.to_owned(), name })
    }

    pub(crate) fn subscription_named(&self, id: &SubscriptionId) -> Named {
        let known = self.company.subscriptions.get(id);
        let name = known.map_or_else(|| id.to_string(), |known| known.name.clone());
        Named { id: id.to_string(), name }
    }

    /// The offer that a line's subscription was on: the last one within its service period.
    pub(crate) fn offer_on(
        &self,
        account: &BillingAccountId,
        id: &SubscriptionId,
        key: &LineKey,
    ) -> Option<Named> {
        let is_meant = |one: &&Placement| {
            one.billing_account == *account && shares(&one.during, &key.service_period)
        };
        let placements = self.company.subscriptions.get(id)?.placements.iter();
        let offer = self.offer(&placements.rev().find(is_meant)?.offer);
        let id = offer.id.to_string();
        Some(Named { name: offer.name.unwrap_or_else(|| id.clone()), id })
    }

    /// The customer that held what a line is for, a subscription or the product of a plan: the last
    /// one within its service period.
    fn customer_on(&self, account: &BillingAccountId, key: &LineKey) -> Option<Named> {
        let places = &self.company.places;
        let held: &Held = match &key.subscription {
            Some(id) => places.subscriptions.get(id)?,
            None => &places.products.get(&ProductId::new(&key.item).ok()?)?.held,
        };
        let during = &key.service_period;
        let of_line = held.standings.spans().filter(|(span, _)| shares(span, during));
        let stood = of_line.filter_map(|(span, standing)| {
            let place = standing.place.as_ref().filter(|one| one.billing_account == *account)?;
            let at = span.start().max(during.start());
            places.of(account)?.enclosing(&place.key, Level::Customer, at)
        });
        let customer = stood.last()?;
        self.named(account, customer.level, customer.id.as_str())
    }

    pub(crate) fn meter_on(&self, key: &LineKey) -> Option<MeterNamed> {
        let id = key.meter.as_ref()?;
        let known = self.company.meters.get(id);
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        Some(MeterNamed {
            id: id.to_string(),
            category: text(known.map(|meter| &meter.category)),
            subcategory: text(known.map(|meter| &meter.subcategory)),
            unit: text(known.map(|meter| &meter.unit)),
        })
    }

    pub(crate) fn description_of(&self, account: &BillingAccountId, key: &LineKey) -> String {
        if let Some(id) = &key.meter {
            let known = self.company.meters.get(id);
            return known.map_or_else(|| id.to_string(), |meter| meter.name.clone());
        }
        let mut plans = self.company.plans_of(account).iter();
        match plans.find(|held| held.id.as_str() == key.item) {
            Some(plan) => plan.name.clone(),
            None if key.item.is_empty() => key.category.name().to_owned(),
            None => key.item.clone(),
        }
    }

    /// The reservation that a line is for: its item is the reservation and what happened to it.
    pub(crate) fn reserved_on(
        &self,
        account: &BillingAccountId,
        key: &LineKey,
    ) -> Option<Reserved> {
        let (id, event) = key.item.rsplit_once(' ').filter(|_| key.meter.is_none())?;
        let all = self.company.reservations_of(account);
        let held = all.iter().find(|held: &&HeldReservation| held.bought.id.as_str() == id)?;
        let charges = held.course(all).map(|course| course.charges).unwrap_or_default();
        let is_meant = |charge: &&ReservationCharge| {
            charge.event.name() == event && charge.at == key.service_period.start()
        };
        let quantity = charges.iter().find(is_meant).map(|charge| charge.quantity);
        Some(Reserved { id: id.to_owned(), quantity })
    }
}

/// Whether something held during a service period, which may be a moment.
pub(crate) fn shares(held: &Interval, service: &Interval) -> bool {
    held.contains(service.start()) || held.overlaps(service)
}
