//! What every price file is read into.

use crate::error::{FieldError, FileError, ImportError};
use crate::usage::MeterHint;
use calendar::Instant;
use domain::catalog::{
    Aggregation, CounterChange, Meter, OfferTerm, Price, PricingModel, Tier, TierBase, TierScope,
};
use domain::ids::{MeterId, OfferId};
use money::{Currency, Fixed18, Rounding};
use std::collections::BTreeMap;
use std::io::Read;

/// A price file's format, as far as a file's head shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceFormat {
    /// An answer of Microsoft.Commerce `RateCard`.
    AzureRateCard,
    /// An answer of Microsoft.Consumption `pricesheets`.
    AzurePriceSheetJson,
    /// OCI's public price list.
    OciPriceList,
}

/// One price list, not yet bound to its id and reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedPrices {
    /// Meters it names, sorted by id; aggregation is [`domain::catalog::Aggregation::Sum`].
    pub meters: Vec<Meter>,
    /// Of every price.
    pub currency: Currency,
    /// The language of its names, where it says so.
    pub locale: Option<String>,
    /// Two-letter country where it holds, where it is known.
    pub region: Option<String>,
    /// Its offer, for rate cards.
    pub offer: Option<OfferId>,
    /// Prices, sorted by meter, lineage and effective instant.
    pub prices: Vec<Price>,
    /// Terms of the offer, for rate cards.
    pub terms: Vec<OfferTerm>,
    /// Whether its prices hold tax.
    pub tax: Tax,
    /// Rates that have digits beyond the 18th place, so that none is rounded in silence.
    pub rounded: Vec<RoundedRate>,
    /// Where the next part of the list is, if this is not all of it.
    pub next_link: Option<String>,
}

/// Whether prices hold tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tax {
    /// They do.
    Included,
    /// They do not.
    Excluded,
}

/// A rate that was rounded half away from zero to 18 places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundedRate {
    /// Whose rate.
    pub meter: MeterId,
    /// Since when.
    pub effective_from: Instant,
    /// In the tier from here.
    pub tier_from: Fixed18,
    /// As the file spells it.
    pub given: String,
    /// As it is kept.
    pub kept: Fixed18,
}

/// The longest price file that is read; a rate card of 4,000 meters has 2 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Reads a whole price file; it is one fact, so one wrong row refuses it.
pub(crate) fn read_whole(reader: impl Read) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let mut limited = reader.take(MAX_FILE_BYTES.saturating_add(1));
    limited.read_to_end(&mut bytes).map_err(FileError::Unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(FileError::shape(format!("is longer than {MAX_FILE_BYTES} bytes")));
    }
    let without_mark = bytes.strip_prefix(b"\xEF\xBB\xBF").map(<[u8]>::to_vec);
    Ok(without_mark.unwrap_or(bytes))
}

/// One rate of a list, before rates are gathered to prices.
pub(crate) struct Rate {
    /// Number in the file, from 1.
    pub line: u64,
    pub meter: Meter,
    pub lineage: String,
    pub effective_from: Instant,
    pub included: Fixed18,
    /// The tier's lower bound as the file spells it.
    pub from: String,
    /// The price as the file spells it.
    pub price: String,
}

/// What holds for every price of a list.
#[derive(Clone, Copy)]
pub(crate) struct Habit {
    pub scope: TierScope,
    pub places: u32,
}

/// Gathers rates to meters and prices.
#[derive(Default)]
pub(crate) struct Gatherer {
    meters: BTreeMap<MeterId, (Instant, Meter)>,
    prices: BTreeMap<(MeterId, String, Instant), Gathered>,
    rounded: Vec<RoundedRate>,
}

struct Gathered {
    line: u64,
    included: Fixed18,
    tiers: Vec<Tier>,
}

impl Gatherer {
    /// Adds a rate. The newest version of a meter names it.
    pub(crate) fn add(&mut self, rate: Rate) -> Result<(), FieldError> {
        let Rate { line, meter, lineage, effective_from, included, from, price } = rate;
        let bound = crate::values::exact("tier", &from)?;
        let kept = crate::values::rounded("price", &price)?;
        if Fixed18::parse(price.trim()).is_err() {
            let meter = meter.id.clone();
            let given = price.trim().to_owned();
            self.rounded.push(RoundedRate { meter, effective_from, tier_from: bound, given, kept });
        }
        let spelled = Some(from.trim()).filter(|text| *text != bound.to_string());
        let spelled = spelled.map(str::to_owned);
        let tier = Tier { from: bound, price: kept, flat: Fixed18::ZERO, spelled };
        let key = (meter.id.clone(), lineage, effective_from);
        let known = self.meters.entry(meter.id.clone()).or_insert((effective_from, meter.clone()));
        if known.0 < effective_from {
            *known = (effective_from, meter);
        }
        let fresh = || Gathered { line, included, tiers: Vec::new() };
        let gathered = self.prices.entry(key).or_insert_with(fresh);
        if gathered.tiers.iter().any(|other| other.from == bound) {
            return Err(FieldError::new("tier", format!("`{from}` is there twice")));
        }
        if gathered.included != included {
            return Err(FieldError::new("included_quantity", "differs between tiers"));
        }
        gathered.tiers.push(tier);
        Ok(())
    }

    /// All meters, prices and rounded rates. Each price's tiers must start at 0.
    #[expect(clippy::type_complexity, reason = "three lists that one caller takes apart at once")]
    pub(crate) fn finish(
        self,
        habit: Habit,
    ) -> Result<(Vec<Meter>, Vec<Price>, Vec<RoundedRate>), ImportError> {
        let mut prices = Vec::with_capacity(self.prices.len());
        for ((meter, lineage, effective_from), gathered) in self.prices {
            let Gathered { line, included, mut tiers } = gathered;
            tiers.sort_by_key(|tier| tier.from);
            let first = tiers.first().map(|tier| tier.from);
            if first != Some(Fixed18::ZERO) {
                let problem = "the first tier does not start at 0";
                return Err(FieldError::new("tier", problem).at(line, meter.as_str()).into());
            }
            let model = match tiers.as_slice() {
                [only] if only.spelled.is_none() => PricingModel::PerUnit { price: only.price },
                _ => PricingModel::Graduated { tiers },
            };
            prices.push(Price {
                meter,
                lineage,
                effective_from,
                counter: CounterChange::Continues,
                conditions: Vec::new(),
                model,
                base: TierBase::BillingPeriod,
                scope: habit.scope,
                included,
                minimum: None,
                maximum: None,
                cost_places: habit.places,
                rounding: Rounding::HalfAwayFromZero,
            });
        }
        let meters = self.meters.into_values().map(|(_, meter)| meter).collect();
        Ok((meters, prices, self.rounded))
    }
}

/// A meter of the catalog from what a file says about it.
pub(crate) fn meter(hint: MeterHint, tags: Vec<String>) -> Meter {
    let MeterHint { id, name, category, subcategory, region, unit } = hint;
    Meter {
        id,
        name,
        category,
        subcategory,
        region,
        unit,
        tags,
        aggregation: Aggregation::Sum,
        names: BTreeMap::new(),
    }
}
