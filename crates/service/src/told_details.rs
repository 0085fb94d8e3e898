//! Usage details with the names of what they are for, and where that stood.

use crate::structure::Look;
use crate::told_lines::{Named, shares};
use crate::usage_details::{DetailKind, DetailTold};
use calendar::{BillingPeriod, Day, Instant, Interval};
use domain::access::Scope;
use domain::closes::Part;
use domain::company::Company;
use domain::credits::Coverage;
use domain::ids::{BillingAccountId, PlaceId, ProductId};
use domain::invoice::LineKey;
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place, PlaceKey};
use money::Fixed18;
use std::collections::BTreeMap;

/// Where what a charge is for stood: places that no line of an invoice says.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stood {
    pub(crate) customer: Option<PlaceKey>,
    pub(crate) department: Option<PlaceKey>,
    pub(crate) enrollment_account: Option<PlaceKey>,
}

impl Stood {
    /// Where the subscription, product or plan of a line stood: at the last moment that its
    /// standing shares with an interval, which may be a moment itself.
    pub(crate) fn of(
        company: &Company,
        account: &BillingAccountId,
        key: &LineKey,
        during: &Interval,
    ) -> Stood {
        let Some((place, at)) = stood_at(company, account, key, during) else {
            return Stood::default();
        };
        let known = company.places.of(account);
        let enclosing = |level| known.and_then(|known| known.enclosing(&place, level, at)).cloned();
        Stood {
            customer: enclosing(Level::Customer),
            department: enclosing(Level::Department),
            enrollment_account: enclosing(Level::EnrollmentAccount),
        }
    }
}

fn stood_at(
    company: &Company,
    account: &BillingAccountId,
    key: &LineKey,
    during: &Interval,
) -> Option<(PlaceKey, Instant)> {
    let places = &company.places;
    let held = match &key.subscription {
        Some(id) => places.subscriptions.get(id),
        None => {
            let id = ProductId::new(&key.item).ok();
            id.and_then(|id| places.products.get(&id)).map(|product| &product.held)
        }
    };
    let standings = held.into_iter().flat_map(|held| held.standings.spans());
    let stood =
        standings.filter(|(span, _)| shares(span, during)).filter_map(|(span, standing)| {
            let place = standing.place.as_ref().filter(|one| one.billing_account == *account)?;
            Some((place.key.clone(), span.start().max(during.start())))
        });
    stood.last().or_else(|| {
        let mut plans = company.plans_of(account).iter();
        let plan = plans.find(|plan| plan.id.as_str() == key.item)?;
        Some((plan.place.clone()?, during.start()))
    })
}

/// What a detail is of, besides its amounts.
pub(crate) struct Subject<'a> {
    pub(crate) kind: DetailKind,
    pub(crate) part: Option<&'a Part>,
    pub(crate) key: &'a LineKey,
    pub(crate) coverage: Coverage,
    pub(crate) stood: &'a Stood,
    pub(crate) invoice: Option<&'a DocumentNumber>,
    pub(crate) service_period: Interval,
    /// What tells it from all others of its data set.
    pub(crate) identity: &'a str,
}

/// Tells details of one account in one billing period.
pub(crate) struct DetailTeller<'a> {
    pub(crate) look: &'a Look,
    pub(crate) account: &'a BillingAccountId,
    pub(crate) period: BillingPeriod,
}

impl DetailTeller<'_> {
    /// A detail without amounts, and without what only rated usage has.
    pub(crate) fn tell(&self, of: &Subject<'_>) -> DetailTold {
        let (look, account, key) = (self.look, self.account, of.key);
        let profile = of.part.and_then(Part::profile);
        let section = key.section.as_ref();
        let named = |key: &Option<PlaceKey>| {
            let PlaceKey { level, id } = key.as_ref()?;
            look.named(account, *level, id.as_str())
        };
        let profile = profile.and_then(|id| look.named(account, Level::BillingProfile, id));
        let section =
            section.and_then(|id| look.named(account, Level::InvoiceSection, id.as_str()));
        let meter = key.meter.as_ref().and_then(|id| look.company.meters.get(id));
        let reserved = look.reserved_on(account, key);
        let at = LineKey { service_period: of.service_period, ..key.clone() };
        DetailTold {
            name: name_of(of),
            billing_account: account.clone(),
            period: self.period,
            day: self.day_of(of.service_period.start()),
            kind: of.kind,
            category: key.category,
            coverage: of.coverage,
            service_period: of.service_period,
            customer: named(&of.stood.customer),
            department: named(&of.stood.department),
            enrollment_account: named(&of.stood.enrollment_account),
            cost_center: self.cost_center(of.stood, [section.as_ref(), profile.as_ref()]),
            owner_email: self.owner_email(of.stood),
            profile,
            section,
            subscription: key.subscription.as_ref().map(|id| look.subscription_named(id)),
            offer: key.subscription.as_ref().and_then(|id| look.offer_on(account, id, &at)),
            meter: look.meter_on(key),
            meter_region: meter.map(|meter| meter.region.clone()).unwrap_or_default(),
            description: look.description_of(account, key),
            resource: String::new(),
            dimensions: BTreeMap::new(),
            tags: BTreeMap::new(),
            details: None,
            reservation: reserved
                .map(|reserved| Named { name: reserved.id.clone(), id: reserved.id }),
            item: key.item.clone(),
            invoice: of.invoice.cloned(),
            quantity: Fixed18::ZERO,
            price: None,
            tier: 0,
            cost: None,
        }
    }

    /// The day of the billing period that is nearest to a moment.
    fn day_of(&self, at: Instant) -> Day {
        let last = self.period.end().plus_micros(-1);
        at.max(self.period.start()).min(last).day()
    }

    /// The cost center of the innermost place that has one.
    fn cost_center(&self, stood: &Stood, above: [Option<&Named>; 2]) -> String {
        let Stood { customer, department, enrollment_account } = stood;
        let keys = [enrollment_account, department, customer].into_iter().flatten().cloned();
        let levels = [Level::InvoiceSection, Level::BillingProfile];
        let above = above.into_iter().zip(levels).filter_map(|(named, level)| {
            Some(PlaceKey { level, id: PlaceId::new(&named?.id).ok()? })
        });
        let center = |key: PlaceKey| {
            let place = Place { billing_account: self.account.clone(), key };
            let facts = self.look.company.places.facts_at(&place, self.look.now)?;
            Some(facts.cost_center.clone()).filter(|center| !center.is_empty())
        };
        keys.chain(above).find_map(center).unwrap_or_default()
    }

    fn owner_email(&self, stood: &Stood) -> Option<String> {
        let key = stood.enrollment_account.clone()?;
        let place = Place { billing_account: self.account.clone(), key };
        self.look.owner(&Scope::Place(place))?.email
    }
}

fn name_of(of: &Subject<'_>) -> String {
    let mut hash = blake3::Hasher::new();
    let key = format!("{:?} {:?}", of.part, of.key);
    for text in [of.kind.name(), key.as_str(), of.identity] {
        hash.update(text.as_bytes()).update(&[0]);
    }
    hash.finalize().to_hex().chars().take(NAME_DIGITS).collect()
}

/// How many digits a detail's name has.
const NAME_DIGITS: usize = 32;
