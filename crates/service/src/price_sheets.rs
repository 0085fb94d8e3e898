//! Price sheets: the prices that hold for a billing profile, or for a whole billing account without
//! profiles, in a billing period; and those by which an invoice was rated.

use crate::declared::Declared;
use crate::documents::INVOICE;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant, Interval};
use domain::accepted_agreements::AgreementCategory;
use domain::access::{Action, Caller, Scope};
use domain::agreements::{Agreement, AgreementType};
use domain::catalog::{Condition, Meter, Price, PriceReach};
use domain::closes::{Part, Share};
use domain::company::{Company, Placement};
use domain::encoding::books::decode_invoice;
use domain::ids::{BillingAccountId, MeterId, OfferId, PlaceId};
use domain::numbering::DocumentNumber;
use domain::places::{Detail, Level, Place, PlaceKey};
use domain::price_sheets::{
    HeldPrice, SheetTier, SheetZone, base_price, held_prices, list_price, price_at, tiers,
};
use domain::pricing::{Buyer, PriceBook};
use domain::reservations::Reservation;
use domain::{Error, Result};
use money::{Currency, Fixed18};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use store::CloseState;

/// Which price sheet.
#[derive(Debug, Clone)]
pub struct PriceSheetAsked {
    /// Of which billing account.
    pub billing_account: BillingAccountId,
    /// Of which of its profiles; none for an account that has none.
    pub profile: Option<PlaceId>,
    /// Which prices.
    pub prices: SheetPrices,
}

/// Which prices stand in a sheet.
#[derive(Debug, Clone)]
pub enum SheetPrices {
    /// Those of a billing period, as they are declared now.
    Of(BillingPeriod),
    /// Those by which an invoice was rated, whatever was declared since.
    Applied(DocumentNumber),
}

/// A price sheet. Its rows are made one meter after the other, while it is read.
pub struct PriceSheet {
    /// Whose.
    pub billing_account: BillingAccountId,
    /// Its name.
    pub account_name: String,
    /// The kind of its agreement, if it has one.
    pub kind: Option<AgreementType>,
    /// Of which profile, if of one.
    pub profile: Option<PlaceId>,
    /// The profile's name; empty if there is none.
    pub profile_name: String,
    /// What is billed in.
    pub billing_currency: Currency,
    declared: Arc<Declared>,
    during: Interval,
    /// What is bought on; none while nothing is.
    offers: Vec<Option<OfferId>>,
    /// When the agreement was signed, if anybody said.
    signed: Option<Instant>,
    /// The meter whose rows were made last.
    last: Option<MeterId>,
    ready: VecDeque<PriceRow>,
}

/// A tier of a price of a meter, or the price of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// The meter.
    pub meter: Meter,
    /// The offer on whose rate card it stands; none for agreed prices.
    pub offer: Option<OfferId>,
    /// It holds only for usage with these values.
    pub conditions: Vec<Condition>,
    /// Where the tier begins, and what it asks.
    pub tier: SheetTier,
    /// Free quantity before the first tier, in the meter's unit.
    pub included: Fixed18,
    /// What the rate card asks there, if it has the meter.
    pub list_price: Option<Fixed18>,
    /// What was asked when the agreement was signed, if the books know it.
    pub base_price: Option<Fixed18>,
    /// Of all prices of the row.
    pub currency: Currency,
    /// When.
    pub during: Interval,
    /// What is paid for at once, of a reservation; none for usage.
    pub term: Option<Interval>,
    /// The price's lineage in its list, which rated usage names too; none of a reservation.
    pub lineage: Option<String>,
    /// Number of the tier, from 0, as rated usage has it; none of what is included, and of a
    /// reservation.
    pub number: Option<u16>,
}

impl Reckoner {
    /// Finds a price sheet.
    ///
    /// Errors: [`Error::NotFound`] for a place that the caller may not know of, and for an invoice
    /// that is not there or of another place; [`Error::Forbidden`].
    #[boxed]
    pub async fn price_sheet(
        &self,
        caller: &Caller,
        asked: &PriceSheetAsked,
    ) -> Result<PriceSheet> {
        let PriceSheetAsked { billing_account, profile, prices } = asked;
        let place = profile.as_ref().map(|id| {
            let key = PlaceKey { level: Level::BillingProfile, id: id.clone() };
            Place { billing_account: billing_account.clone(), key }
        });
        let scope = place.clone().map_or(Scope::Account(billing_account.clone()), Scope::Place);
        let look = self.demand_in_sight(caller, Action::ReadPriceSheet, &scope)?;
        let account = look.company.accounts.get(billing_account);
        let account = account.ok_or_else(|| scope.missing(Action::ReadPriceSheet))?;
        let facts = place.and_then(|place| look.company.places.facts_at(&place, look.now));
        let (declared, period) = match prices {
            SheetPrices::Of(period) => (Arc::clone(&look.declared), *period),
            SheetPrices::Applied(number) => {
                self.0.applied((billing_account, profile.as_ref()), number).await?
            }
        };
        let during = period.interval();
        let profile_id = profile.as_ref().map(PlaceId::as_str);
        let own_currency = facts.and_then(|facts| {
            let Detail::BillingProfile(profile) = &facts.detail else { return None };
            Some(profile.currency)
        });
        Ok(PriceSheet {
            billing_account: billing_account.clone(),
            account_name: account.name_at(look.now).unwrap_or_default().to_owned(),
            kind: look.company.places.of(billing_account).map(|places| places.kind()),
            profile: profile.clone(),
            profile_name: facts.map(|facts| facts.name.clone()).unwrap_or_default(),
            billing_currency: own_currency.unwrap_or(account.currency),
            offers: offers(&declared, (billing_account, profile_id), during),
            signed: signed(&look.company, billing_account, look.now),
            declared,
            during,
            last: None,
            ready: VecDeque::new(),
        })
    }
}

impl Inner {
    /// What an invoice of an account, or of one of its profiles, was rated by, and its billing
    /// period.
    async fn applied(
        self: &Arc<Self>,
        (account, profile): (&BillingAccountId, Option<&PlaceId>),
        number: &DocumentNumber,
    ) -> Result<(Arc<Declared>, BillingPeriod)> {
        let missing = || Error::not_found("invoice", number.to_string());
        let (store, asked) = (Arc::clone(&self.store), number.clone());
        let row = crate::blocking(move || {
            let found = store.document(asked.seller.as_str(), asked.sequence);
            found.map_err(crate::stored("read a document"))
        })
        .await?;
        let is_its = |row: &store::DocumentRow| {
            row.kind == INVOICE && row.billing_account == account.as_str()
        };
        let row = row.filter(is_its).ok_or_else(missing)?;
        let invoice = decode_invoice(&row.body)?;
        let period = invoice.period;
        let share = Part::of_document(&invoice.id, account, period).map(|part| part.share);
        let is_there = match (profile, &share) {
            (None, _) => true,
            (Some(profile), Some(Share::Profile(own))) => own == profile.as_str(),
            (Some(_), Some(Share::Account | Share::Subscription(_)) | None) => false,
        };
        if !is_there {
            return Err(missing());
        }
        let version = match row.seen {
            Some(seen) => seen.company_version,
            None => self.closed_by(account, period).await?,
        };
        Ok((self.declared_at(version).await?, period))
    }

    /// The number of the newest fact that the close of an account's billing period went by.
    async fn closed_by(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<u64> {
        let closes = self.closes_of(account).await?;
        let close = closes.into_iter().find(|close| close.period == period.number());
        match close.map(|close| close.state) {
            Some(CloseState::Closed { closed, link: _ }) => Ok(closed.company_version),
            Some(CloseState::Parked { .. }) | None => {
                Err(Error::not_found("close", format!("{account} in {period}")))
            }
        }
    }
}

impl PriceSheet {
    /// Makes the rows of the next meter that has any; false behind the last one.
    fn advance(&mut self) -> Result<bool> {
        let declared = Arc::clone(&self.declared);
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = declared.company.meters.range::<MeterId, _>((after, Bound::Unbounded));
        let Some((id, meter)) = rest.next() else { return Ok(false) };
        self.last = Some(id.clone());
        let rows = self.rows_of(meter)?;
        self.ready.extend(rows);
        Ok(true)
    }

    fn rows_of(&self, meter: &Meter) -> Result<Vec<PriceRow>> {
        let (mut rows, mut told): (Vec<PriceRow>, Vec<HeldPrice<'_>>) = (Vec::new(), Vec::new());
        for offer in &self.offers {
            let buyer = Buyer {
                billing_account: &self.billing_account,
                profile: self.profile.as_ref().map(PlaceId::as_str),
                offer: offer.as_ref(),
            };
            for held in held_prices(&self.declared.book, buyer, &meter.id, self.during) {
                let is_same = |known: &HeldPrice<'_>| {
                    std::ptr::eq(known.price, held.price) && known.during == held.during
                };
                if !told.iter().any(is_same) {
                    rows.extend(self.tiers_of(meter, buyer, &held)?);
                    told.push(held);
                }
            }
        }
        rows.extend(self.reserved(meter));
        Ok(rows)
    }

    /// What was reserved from the billing period on, by the first meter that it covers.
    fn reserved(&self, meter: &Meter) -> Vec<PriceRow> {
        let company = &self.declared.company;
        let profile = self.profile.as_ref().map(PlaceId::as_str);
        let held = company.reservations_of(&self.billing_account).iter();
        let begun = held.map(|held| &held.bought).filter(|bought| {
            let (of, since) = (&bought.billed_to, bought.term.start());
            let placement = company.subscriptions.get(of).and_then(|of| of.placement_at(since));
            bought.first_meter() == Some(&meter.id)
                && self.during.contains(since)
                && placement.is_some_and(|one| is_paid_by(one, &self.billing_account, profile))
        });
        let row = |bought: &Reservation| PriceRow {
            meter: meter.clone(),
            offer: None,
            conditions: bought.conditions.clone(),
            tier: SheetTier {
                from: Fixed18::ZERO,
                price: bought.price.major,
                block: bought.quantity,
                zone: SheetZone::Tier,
            },
            included: Fixed18::ZERO,
            list_price: None,
            base_price: None,
            currency: bought.price.currency,
            during: self.during,
            term: Some(bought.term),
            lineage: None,
            number: None,
        };
        begun.map(row).collect()
    }

    fn tiers_of(
        &self,
        meter: &Meter,
        buyer: Buyer<'_>,
        held: &HeldPrice<'_>,
    ) -> Result<Vec<PriceRow>> {
        let book: &PriceBook = &self.declared.book;
        let HeldPrice { list, price, during } = *held;
        let failed = |source| Error::money(format!("prices of meter `{}`", meter.id), source);
        let tiers_of = |price: Option<&Price>| -> Result<Vec<SheetTier>> {
            price.map_or(Ok(Vec::new()), |price| tiers(price).map_err(failed))
        };
        let listed = tiers_of(list_price(book, buyer, held))?;
        let base = tiers_of(base_price((book, self.signed), buyer, held))?;
        let row = |(tier, number): (SheetTier, Option<u16>)| PriceRow {
            meter: meter.clone(),
            offer: match &list.reach {
                PriceReach::Offer { offer, .. } => Some(offer.clone()),
                PriceReach::Account { .. } => None,
            },
            conditions: price.conditions.clone(),
            included: price.included,
            list_price: price_at(&listed, &tier),
            base_price: price_at(&base, &tier),
            currency: list.currency,
            tier,
            during,
            term: None,
            lineage: Some(price.lineage.clone()),
            number,
        };
        let all = tiers_of(Some(price))?.into_iter();
        let (free, paid): (Vec<_>, Vec<_>) = all.partition(|one| one.zone == SheetZone::Included);
        let paid = paid.into_iter().zip((0..=u16::MAX).map(Some));
        Ok(free.into_iter().map(|one| (one, None)).chain(paid).map(row).collect())
    }
}

impl Iterator for PriceSheet {
    type Item = Result<PriceRow>;

    fn next(&mut self) -> Option<Result<PriceRow>> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(Ok(row));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What an account, or one of its profiles, buys on in an interval.
fn offers(
    declared: &Declared,
    (account, profile): (&BillingAccountId, Option<&str>),
    during: Interval,
) -> Vec<Option<OfferId>> {
    let placed = declared.book.placed(account).iter();
    let subscriptions = placed.filter_map(|id| declared.company.subscriptions.get(id));
    let placements = subscriptions.flat_map(|one| &one.placements).filter(|placement| {
        placement.during.overlaps(&during) && is_paid_by(placement, account, profile)
    });
    let offers: BTreeSet<&OfferId> = placements.map(|placement| &placement.offer).collect();
    if offers.is_empty() {
        return vec![None];
    }
    offers.into_iter().cloned().map(Some).collect()
}

fn is_paid_by(placement: &Placement, account: &BillingAccountId, profile: Option<&str>) -> bool {
    placement.billing_account == *account
        && profile.is_none_or(|profile| placement.profile.as_deref() == Some(profile))
}

/// When an account's agreement was signed: when its text was accepted, else since when it is known;
/// an enterprise's at the start of its term.
fn signed(company: &Company, account: &BillingAccountId, now: Instant) -> Option<Instant> {
    let accepted = company.accepted_agreements_at(account, now);
    let own = accepted.filter(|(_, one)| one.category == AgreementCategory::CustomerAgreement);
    let first = own.map(|(_, one)| one.accepted_at).min();
    first.or_else(|| {
        let (span, agreement) = company.places.of(account)?.agreement.spans().next()?;
        Some(match agreement {
            Agreement::Enterprise(enrollment) => enrollment.term.start(),
            Agreement::Customer { .. }
            | Agreement::Partner
            | Agreement::OnlineServices
            | Agreement::Messaging => span.start(),
        })
    })
}
