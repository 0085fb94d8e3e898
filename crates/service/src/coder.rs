//! The codes of the values of some rated rows, found and given out together.

use crate::codes::{self, CodeKind, Codes};
use crate::rated_rows::{CODED, price_text};
use domain::company::Company;
use domain::ids::MeterId;
use domain::rated::{PriceReference, RatedRow};
use domain::{Error, Result};
use std::collections::HashMap;

/// Each price of some rows as text.
pub(crate) type Prices<'a> = HashMap<&'a PriceReference, String>;

pub(crate) fn prices_of<'a>(rows: impl Iterator<Item = &'a RatedRow>) -> Prices<'a> {
    let mut prices = Prices::new();
    let mut last = None;
    for price in rows.filter_map(|row| row.price.as_ref()) {
        if last != Some(price) {
            prices.entry(price).or_insert_with(|| price_text(price));
            last = Some(price);
        }
    }
    prices
}

/// The codes of one kind. Rows beside each other share most values: the last one is remembered.
pub(crate) struct Kind<'a> {
    kind: CodeKind,
    codes: HashMap<&'a str, i32>,
    last: Option<(&'a str, i32)>,
}

impl<'a> Kind<'a> {
    fn of(kind: CodeKind) -> Kind<'a> {
        Kind { kind, codes: HashMap::new(), last: None }
    }

    fn want(&mut self, value: &'a str) {
        if self.last.is_none_or(|(last, _)| last != value) {
            self.codes.insert(value, 0);
            self.last = Some((value, 0));
        }
    }

    pub(crate) fn code(&mut self, value: &'a str) -> Result<i32> {
        if let Some((last, code)) = self.last
            && last == value
        {
            return Ok(code);
        }
        let missing = || {
            let what = format!("find the code of {} `{value}`", self.kind);
            Error::internal(what, "it was not wanted")
        };
        let code = self.codes.get(value).copied().ok_or_else(missing)?;
        self.last = Some((value, code));
        Ok(code)
    }
}

/// Finds the codes of the values of some rows.
pub(crate) struct Coder<'a> {
    pub(crate) company: &'a Company,
    prices: &'a Prices<'a>,
    pub(crate) account: Kind<'a>,
    pub(crate) subscription: Kind<'a>,
    pub(crate) meter: Kind<'a>,
    pub(crate) meter_category: Kind<'a>,
    pub(crate) measure: Kind<'a>,
    pub(crate) currency: Kind<'a>,
    price: Kind<'a>,
    pub(crate) reservation: Kind<'a>,
    pub(crate) coded: [Kind<'a>; CODED.len()],
    last_price: Option<(&'a PriceReference, i32)>,
}

impl<'a> Coder<'a> {
    pub(crate) fn new(company: &'a Company, prices: &'a Prices<'a>) -> Coder<'a> {
        Coder {
            company,
            prices,
            account: Kind::of(codes::ACCOUNT),
            subscription: Kind::of(codes::SUBSCRIPTION),
            meter: Kind::of(codes::METER),
            meter_category: Kind::of(codes::METER_CATEGORY),
            measure: Kind::of(codes::MEASURE),
            currency: Kind::of(codes::CURRENCY),
            price: Kind::of(codes::PRICE),
            reservation: Kind::of(codes::RESERVATION),
            coded: CODED.map(|dimension| Kind::of(dimension.name())),
            last_price: None,
        }
    }

    /// Every value of a row that has a code.
    pub(crate) fn want(&mut self, row: &'a RatedRow) {
        self.account.want(row.billing_account.as_str());
        self.subscription.want(row.subscription.as_str());
        self.meter.want(row.meter.as_str());
        self.meter_category.want(meter_category(self.company, &row.meter));
        self.measure.want(measure(self.company, &row.meter));
        self.currency.want(row.cost.currency.code());
        if let Some(reserved) = &row.reserved {
            self.reservation.want(reserved.reservation.as_str());
        }
        for (kind, dimension) in self.coded.iter_mut().zip(&CODED) {
            if let Some(value) = row.dimensions.get(dimension) {
                kind.want(value);
            }
        }
    }

    /// Gives every value that is wanted its code.
    pub(crate) async fn assign(&mut self, codes: &std::sync::Arc<Codes>) -> Result<()> {
        let prices = self.prices;
        prices.values().for_each(|price| self.price.want(price));
        let own = [
            &mut self.account,
            &mut self.subscription,
            &mut self.meter,
            &mut self.meter_category,
            &mut self.measure,
            &mut self.currency,
            &mut self.price,
            &mut self.reservation,
        ];
        let mut kinds: Vec<&mut Kind<'a>> = own.into_iter().chain(&mut self.coded).collect();
        let wanted = kinds
            .iter()
            .flat_map(|kind| kind.codes.keys().map(|value| (kind.kind, (*value).to_owned())));
        codes.assign(wanted.collect()).await?;
        for kind in &mut kinds {
            kind.last = None;
            for (value, code) in &mut kind.codes {
                *code = codes.code(kind.kind, value)?;
            }
        }
        Ok(())
    }

    pub(crate) fn price(&mut self, price: &'a PriceReference) -> Result<i32> {
        if let Some((last, code)) = self.last_price
            && last == price
        {
            return Ok(code);
        }
        let missing = || Error::internal("find the code of a price", "it was not wanted");
        let prices = self.prices;
        let code = self.price.code(prices.get(price).ok_or_else(missing)?)?;
        self.last_price = Some((price, code));
        Ok(code)
    }
}

pub(crate) fn meter_category<'a>(company: &'a Company, meter: &MeterId) -> &'a str {
    company.meters.get(meter).map_or("", |meter| meter.category.as_str())
}

pub(crate) fn measure<'a>(company: &'a Company, meter: &MeterId) -> &'a str {
    company.meters.get(meter).map_or("", |meter| meter.unit.as_str())
}
