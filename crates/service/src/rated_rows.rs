//! Rated rows as columns: the schema of rated files, and the way there and back.

use crate::coder::{Coder, measure, meter_category, prices_of};
use crate::codes::{self, CodeKind, Codes};
use calendar::{Instant, Interval};
use domain::company::Company;
use domain::ids::{BillingAccountId, MeterId, PriceListId, ReservationId, SubscriptionId};
use domain::rated::{PriceReference, RatedRow, Reserved, RowKind};
use domain::usage::{ChargeCategory, Dimension, Position};
use domain::{Error, Result};
use engine::{Cell, Column, ColumnType, Rows, RowsBuilder, Schema};
use money::{Cost, Currency, Fixed18};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// Dimensions kept as codes; their values are few enough to be listed.
pub(crate) const CODED: [Dimension; 10] = [
    Dimension::TrafficType,
    Dimension::Direction,
    Dimension::SenderType,
    Dimension::Network,
    Dimension::Country,
    Dimension::Campaign,
    Dimension::Template,
    Dimension::Application,
    Dimension::Entity,
    Dimension::Location,
];

/// Dimensions kept as text.
pub(crate) const TEXTUAL: [Dimension; 3] =
    [Dimension::Sender, Dimension::Reference, Dimension::User];

/// Every kind of code that rated files hold.
pub(crate) fn code_kinds() -> Vec<CodeKind> {
    let fixed = [
        codes::ACCOUNT,
        codes::SUBSCRIPTION,
        codes::METER,
        codes::METER_CATEGORY,
        codes::MEASURE,
        codes::CURRENCY,
        codes::PRICE,
        codes::RESERVATION,
    ];
    fixed.into_iter().chain(CODED.into_iter().map(Dimension::name)).collect()
}

/// The columns of a rated file. `unit` is what is rated again together: account and meter.
pub(crate) fn schema() -> Result<Schema> {
    use ColumnType::{Decimal, Int32, Int64, Quantity, Text};
    let mut columns = vec![
        Column::new("unit", Int64),
        Column::new("account", Int32),
        Column::new("subscription", Int32),
        Column::new("meter", Int32),
        Column::new("meter_category", Int32),
        Column::new("measure", Int32),
        Column::new("currency", Int32),
        Column::new("day", Int32),
        Column::new("start", Int64),
        Column::new("end", Int64),
        Column::new("reported", Int64),
        Column::nullable("shard", Int32),
        Column::nullable("sequence", Int64),
        Column::nullable("epoch", Int32),
        Column::new("slice", Int32),
        Column::new("kind", Int32),
        Column::new("category", Int32),
        Column::new("tier", Int32),
        Column::new("records", Int64),
        Column::new("quantity", Quantity),
        Column::new("cost", Decimal),
        Column::nullable("unit_price", Decimal),
        Column::new("counter_before", Quantity),
        Column::nullable("price", Int32),
        Column::new("resource", Text),
        Column::nullable("tags", Text),
        Column::nullable("details", Text),
        Column::nullable("reservation", Int32),
        Column::nullable("hours_start", Int64),
        Column::nullable("hours_end", Int64),
        Column::nullable("amortised", Decimal),
        Column::nullable("list_cost", Decimal),
        Column::nullable("unused", Quantity),
    ];
    columns.extend(CODED.map(|dimension| Column::nullable(dimension.name(), Int32)));
    columns.extend(TEXTUAL.map(|dimension| Column::nullable(dimension.name(), Text)));
    Schema::new(&columns).map_err(crate::engine_failed("name the columns of rated rows"))
}

/// The columns by which a rated file is sorted.
pub(crate) const SORT: [&str; 5] = ["account", "meter", "start", "sequence", "slice"];

/// What is rated together: a billing account and a meter, within a billing period.
pub(crate) fn unit(account: i32, meter: i32) -> i64 {
    (i64::from(account) << 32) | i64::from(meter)
}

/// Turns the rated rows of each of some units into columns, giving new values their codes first:
/// those of all units at once, for each time is a durable change of the books.
pub(crate) async fn to_columns(
    codes: &Arc<Codes>,
    company: &Company,
    units: &[&[RatedRow]],
) -> Result<Vec<Rows>> {
    let prices = prices_of(units.iter().copied().flatten());
    let mut coder = Coder::new(company, &prices);
    units.iter().copied().flatten().for_each(|row| coder.want(row));
    coder.assign(codes).await?;
    units.iter().map(|rows| build(&mut coder, rows)).collect()
}

fn build<'a>(coder: &mut Coder<'a>, rows: &'a [RatedRow]) -> Result<Rows> {
    let mut builder = RowsBuilder::new(schema()?, rows.len());
    rows.iter().try_for_each(|row| push(&mut builder, coder, row))?;
    builder.finish().map_err(crate::engine_failed("build rated rows"))
}

fn push<'a>(builder: &mut RowsBuilder, coder: &mut Coder<'a>, row: &'a RatedRow) -> Result<()> {
    let company = coder.company;
    let account = coder.account.code(row.billing_account.as_str())?;
    let meter = coder.meter.code(row.meter.as_str())?;
    let tags = (!row.tags.is_empty()).then(|| json_object(&row.tags));
    let price = row.price.as_ref().map(|price| coder.price(price)).transpose()?;
    let position = row.position;
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut cells = vec![
        Cell::Int64(unit(account, meter)),
        Cell::Int32(account),
        Cell::Int32(coder.subscription.code(row.subscription.as_str())?),
        Cell::Int32(meter),
        Cell::Int32(coder.meter_category.code(meter_category(company, &row.meter))?),
        Cell::Int32(coder.measure.code(measure(company, &row.meter))?),
        Cell::Int32(coder.currency.code(row.cost.currency.code())?),
        Cell::Int32(row.service_period.start().day().number()),
        Cell::Int64(row.service_period.start().micros()),
        Cell::Int64(row.service_period.end().micros()),
        Cell::Int64(row.reported_at.micros()),
        position.map_or(Cell::Null, |p| Cell::Int32(i32::from(p.shard))),
        position.map_or(Cell::Null, |p| Cell::Int64(whole(p.sequence))),
        position.map_or(Cell::Null, |p| Cell::Int32(i32::try_from(p.epoch).unwrap_or(i32::MAX))),
        Cell::Int32(i32::from(row.slice)),
        Cell::Int32(place_of(&RowKind::ALL, &row.kind)),
        Cell::Int32(place_of(&ChargeCategory::ALL, &row.category)),
        Cell::Int32(i32::from(row.tier)),
        Cell::Int64(i64::from(row.slice == 0 && position.is_some())),
        Cell::Decimal(row.quantity.atoms()),
        Cell::Decimal(row.cost.major.atoms()),
        row.unit_price.map_or(Cell::Null, |price| Cell::Decimal(price.atoms())),
        Cell::Decimal(row.counter_before.atoms()),
        price.map_or(Cell::Null, Cell::Int32),
        Cell::Text(&row.resource),
        tags.as_deref().map_or(Cell::Null, Cell::Text),
        row.details.as_deref().map_or(Cell::Null, Cell::Text),
    ];
    cells.extend(match row.reserved.as_deref() {
        None => [Cell::Null; 6],
        Some(Reserved { reservation, hours, amortised, list_cost, unused }) => [
            Cell::Int32(coder.reservation.code(reservation.as_str())?),
            Cell::Int64(hours.start().micros()),
            Cell::Int64(hours.end().micros()),
            Cell::Decimal(amortised.atoms()),
            Cell::Decimal(list_cost.atoms()),
            Cell::Decimal(unused.atoms()),
        ],
    });
    for (kind, dimension) in coder.coded.iter_mut().zip(&CODED) {
        cells.push(match row.dimensions.get(dimension) {
            Some(value) => Cell::Int32(kind.code(value)?),
            None => Cell::Null,
        });
    }
    for dimension in TEXTUAL {
        cells.push(row.dimensions.get(&dimension).map_or(Cell::Null, |value| Cell::Text(value)));
    }
    builder.push(&cells).map_err(crate::engine_failed("build a rated row"))
}

/// Turns columns back into rated rows; all columns of [`schema`] must be there.
pub(crate) fn from_columns(codes: &Codes, rows: &Rows) -> Result<Vec<RatedRow>> {
    let (columns, mut values) = (Columns::of(rows)?, Values::of(codes));
    (0..rows.len()).map(|at| columns.row(&mut values, at)).collect()
}

/// What codes stand for, looked up and read once: rows have few values, and many rows have them.
struct Values<'a> {
    codes: &'a Codes,
    accounts: HashMap<i32, BillingAccountId>,
    subscriptions: HashMap<i32, SubscriptionId>,
    meters: HashMap<i32, MeterId>,
    currencies: HashMap<i32, Currency>,
    prices: HashMap<i32, PriceReference>,
    texts: HashMap<(CodeKind, i32), Arc<str>>,
}

impl<'a> Values<'a> {
    fn of(codes: &'a Codes) -> Values<'a> {
        Values {
            codes,
            accounts: HashMap::new(),
            subscriptions: HashMap::new(),
            meters: HashMap::new(),
            currencies: HashMap::new(),
            prices: HashMap::new(),
            texts: HashMap::new(),
        }
    }

    fn text(&mut self, kind: CodeKind, code: i32) -> Result<Arc<str>> {
        let codes = self.codes;
        once(&mut self.texts, (kind, code), || codes.value(kind, code))
    }

    fn account(&mut self, code: i32) -> Result<BillingAccountId> {
        let text = || self.codes.value(codes::ACCOUNT, code);
        once(&mut self.accounts, code, || BillingAccountId::new(&text()?))
    }

    fn subscription(&mut self, code: i32) -> Result<SubscriptionId> {
        let text = || self.codes.value(codes::SUBSCRIPTION, code);
        once(&mut self.subscriptions, code, || SubscriptionId::new(&text()?))
    }

    fn meter(&mut self, code: i32) -> Result<MeterId> {
        let text = || self.codes.value(codes::METER, code);
        once(&mut self.meters, code, || MeterId::new(&text()?))
    }

    fn currency(&mut self, code: i32) -> Result<Currency> {
        let text = || self.codes.value(codes::CURRENCY, code);
        once(&mut self.currencies, code, || {
            Currency::parse(&text()?).map_err(|e| Error::money("read a rated row", e))
        })
    }

    fn price(&mut self, code: i32) -> Result<PriceReference> {
        let text = || self.codes.value(codes::PRICE, code);
        once(&mut self.prices, code, || price_of(&text()?))
    }
}

/// What was made of a key before, or is now.
fn once<K: Eq + Hash, T: Clone>(
    made: &mut HashMap<K, T>,
    key: K,
    make: impl FnOnce() -> Result<T>,
) -> Result<T> {
    match made.entry(key) {
        Entry::Occupied(there) => Ok(there.get().clone()),
        Entry::Vacant(free) => Ok(free.insert(make()?).clone()),
    }
}

type Ints<'a> = engine::View<'a, engine::Int32s>;
type Longs<'a> = engine::View<'a, engine::Int64s>;
type Decimals<'a> = engine::View<'a, engine::Decimals>;
type Texts<'a> = engine::View<'a, engine::Texts>;

/// Typed views of the columns, looked up once: a row has many, and there are many rows.
struct Columns<'a> {
    account: Ints<'a>,
    subscription: Ints<'a>,
    meter: Ints<'a>,
    currency: Ints<'a>,
    start: Longs<'a>,
    end: Longs<'a>,
    reported: Longs<'a>,
    shard: Ints<'a>,
    sequence: Longs<'a>,
    epoch: Ints<'a>,
    slice: Ints<'a>,
    kind: Ints<'a>,
    category: Ints<'a>,
    tier: Ints<'a>,
    quantity: Decimals<'a>,
    cost: Decimals<'a>,
    unit_price: Decimals<'a>,
    counter_before: Decimals<'a>,
    price: Ints<'a>,
    resource: Texts<'a>,
    tags: Texts<'a>,
    details: Texts<'a>,
    reservation: Ints<'a>,
    hours_start: Longs<'a>,
    hours_end: Longs<'a>,
    amortised: Decimals<'a>,
    list_cost: Decimals<'a>,
    unused: Decimals<'a>,
    coded: Vec<(Dimension, Ints<'a>)>,
    textual: Vec<(Dimension, Texts<'a>)>,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a Rows) -> Result<Columns<'a>> {
        let failed = || crate::engine_failed("read rated rows");
        let int = |name: &str| rows.i32(name).map_err(failed());
        let long = |name: &str| rows.i64(name).map_err(failed());
        let decimal = |name: &str| rows.decimal(name).map_err(failed());
        let text = |name: &str| rows.text(name).map_err(failed());
        Ok(Columns {
            account: int("account")?,
            subscription: int("subscription")?,
            meter: int("meter")?,
            currency: int("currency")?,
            start: long("start")?,
            end: long("end")?,
            reported: long("reported")?,
            shard: int("shard")?,
            sequence: long("sequence")?,
            epoch: int("epoch")?,
            slice: int("slice")?,
            kind: int("kind")?,
            category: int("category")?,
            tier: int("tier")?,
            quantity: decimal("quantity")?,
            cost: decimal("cost")?,
            unit_price: decimal("unit_price")?,
            counter_before: decimal("counter_before")?,
            price: int("price")?,
            resource: text("resource")?,
            tags: text("tags")?,
            details: text("details")?,
            reservation: int("reservation")?,
            hours_start: long("hours_start")?,
            hours_end: long("hours_end")?,
            amortised: decimal("amortised")?,
            list_cost: decimal("list_cost")?,
            unused: decimal("unused")?,
            coded: CODED.into_iter().map(|d| Ok((d, int(d.name())?))).collect::<Result<_>>()?,
            textual: TEXTUAL
                .into_iter()
                .map(|d| Ok((d, text(d.name())?)))
                .collect::<Result<_>>()?,
        })
    }

    fn row(&self, values: &mut Values<'_>, at: usize) -> Result<RatedRow> {
        let cost = decimal(&self.cost, at).ok_or_else(|| null("cost"))?;
        let (start, end) = (there(self.start.get(at), "start")?, there(self.end.get(at), "end")?);
        Ok(RatedRow {
            position: self.position(at)?,
            slice: small(there(self.slice.get(at), "slice")?)?,
            kind: *at_place(&RowKind::ALL, there(self.kind.get(at), "kind")?)?,
            billing_account: values.account(there(self.account.get(at), "account")?)?,
            subscription: values.subscription(there(self.subscription.get(at), "subscription")?)?,
            resource: self.resource.get(at).unwrap_or_default().to_owned(),
            meter: values.meter(there(self.meter.get(at), "meter")?)?,
            category: *at_place(&ChargeCategory::ALL, there(self.category.get(at), "category")?)?,
            service_period: Interval::new(Instant::from_micros(start), Instant::from_micros(end))
                .map_err(|e| Error::internal("read a rated row", e))?,
            reported_at: Instant::from_micros(there(self.reported.get(at), "reported")?),
            quantity: decimal(&self.quantity, at).ok_or_else(|| null("quantity"))?,
            unit_price: decimal(&self.unit_price, at),
            tier: small(there(self.tier.get(at), "tier")?)?,
            cost: Cost {
                major: cost,
                currency: values.currency(there(self.currency.get(at), "currency")?)?,
            },
            price: self.price.get(at).map(|code| values.price(code)).transpose()?,
            counter_before: decimal(&self.counter_before, at).unwrap_or_default(),
            dimensions: self.dimensions(values, at)?,
            tags: self.tags.get(at).map(tags_of).transpose()?.unwrap_or_default(),
            details: self.details.get(at).map(str::to_owned),
            reserved: self.reserved(values, at)?.map(Box::new),
        })
    }

    fn reserved(&self, values: &mut Values<'_>, at: usize) -> Result<Option<Reserved>> {
        let Some(code) = self.reservation.get(at) else { return Ok(None) };
        let hour = |column: &Longs<'_>| {
            there(column.get(at), "hours of a reservation").map(Instant::from_micros)
        };
        let number = |column| there(decimal(column, at), "numbers of a reservation");
        Ok(Some(Reserved {
            reservation: ReservationId::new(&values.text(codes::RESERVATION, code)?)?,
            hours: Interval::new(hour(&self.hours_start)?, hour(&self.hours_end)?)
                .map_err(|e| Error::internal("read a rated row", e))?,
            amortised: number(&self.amortised)?,
            list_cost: number(&self.list_cost)?,
            unused: number(&self.unused)?,
        }))
    }

    fn dimensions(
        &self,
        values: &mut Values<'_>,
        at: usize,
    ) -> Result<BTreeMap<Dimension, String>> {
        let mut dimensions = BTreeMap::new();
        for (dimension, column) in &self.coded {
            if let Some(code) = column.get(at) {
                dimensions.insert(*dimension, values.text(dimension.name(), code)?.to_string());
            }
        }
        for (dimension, column) in &self.textual {
            if let Some(value) = column.get(at) {
                dimensions.insert(*dimension, value.to_owned());
            }
        }
        Ok(dimensions)
    }

    fn position(&self, at: usize) -> Result<Option<Position>> {
        let sequence = self.sequence.get(at);
        let (Some(shard), Some(sequence), Some(epoch)) =
            (self.shard.get(at), sequence, self.epoch.get(at))
        else {
            return Ok(None);
        };
        let bad = |_| Error::internal("read a rated row", "its position is out of range");
        Ok(Some(Position {
            shard: u16::try_from(shard).map_err(bad)?,
            sequence: u64::try_from(sequence).map_err(bad)?,
            epoch: u32::try_from(epoch).map_err(bad)?,
        }))
    }
}

fn decimal(column: &Decimals<'_>, at: usize) -> Option<Fixed18> {
    column.get(at).map(Fixed18::from_atoms)
}

fn there<T>(value: Option<T>, column: &'static str) -> Result<T> {
    value.ok_or_else(|| null(column))
}

fn null(column: &'static str) -> Error {
    Error::internal("read a rated row", format!("{column} is null"))
}

fn small(value: i32) -> Result<u16> {
    u16::try_from(value).map_err(|e| Error::internal("read a rated row", e))
}

/// The number of an item in its list, as rated files keep it.
pub(crate) fn place_of<T: PartialEq>(all: &[T], item: &T) -> i32 {
    all.iter().position(|one| one == item).and_then(|at| i32::try_from(at).ok()).unwrap_or(-1)
}

/// The item of a number that [`place_of`] gave.
pub(crate) fn at_place<T>(all: &[T], place: i32) -> Result<&T> {
    usize::try_from(place)
        .ok()
        .and_then(|place| all.get(place))
        .ok_or_else(|| Error::internal("read a rated row", format!("no item has number {place}")))
}

/// A price reference as one line of text: list, version, lineage, instant, by tabs.
pub(crate) fn price_text(price: &PriceReference) -> String {
    let PriceReference { list, version, lineage, effective_from } = price;
    format!("{list}\t{version}\t{lineage}\t{}", effective_from.micros())
}

/// Reads what [`price_text`] wrote.
pub(crate) fn price_of(text: &str) -> Result<PriceReference> {
    let bad = || Error::internal("read a price reference", format!("`{text}` is none"));
    let mut parts = text.split('\t');
    let mut next = || parts.next().ok_or_else(bad);
    Ok(PriceReference {
        list: PriceListId::new(next()?)?,
        version: next()?.parse().map_err(|_| bad())?,
        lineage: next()?.to_owned(),
        effective_from: Instant::from_micros(next()?.parse().map_err(|_| bad())?),
    })
}

/// Tags as one JSON object, keys sorted.
pub(crate) fn json_object(tags: &BTreeMap<String, String>) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| "{}".to_owned())
}

/// Reads what [`json_object`] wrote.
pub(crate) fn tags_of(text: &str) -> Result<BTreeMap<String, String>> {
    serde_json::from_str(text).map_err(|e| Error::internal("read the tags of a rated row", e))
}
