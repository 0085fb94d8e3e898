//! Rating units: each by itself, and those together that reservations couple.
//!
//! What a reservation covers of one meter in an hour it cannot cover of another. So all meters of
//! an account that its reservations of a billing period name are rated together, and again
//! together. An account without reservations costs one look.

use crate::declared::Declared;
use crate::rating::Read;
use crate::units::{account_of, meter_code};
use crate::{Inner, codes, rated_rows};
use calendar::BillingPeriod;
use domain::Result;
use domain::ids::{BillingAccountId, MeterId};
use domain::rating::{Counters, Rated, RatingUnit};
use domain::reservations::Reservation;
use domain::resolve::Settlement;
use domain::usage::{LoggedRecord, Position, QuarantineReason, Quarantined};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Units of one account that are rated together, and their records.
struct Group {
    account: BillingAccountId,
    units: BTreeMap<MeterId, (i64, Rated)>,
    records: Vec<LoggedRecord>,
    carried: Counters,
}

impl Inner {
    /// Codes of the accounts that have reservations.
    pub(crate) fn reserving(&self, declared: &Declared) -> BTreeSet<i32> {
        let accounts = declared.company.reservations.keys();
        accounts.filter_map(|account| self.codes.find(codes::ACCOUNT, account.as_str())).collect()
    }

    /// Some units, and those that reservations couple them with in a billing period.
    pub(crate) async fn with_coupled(
        self: &Arc<Self>,
        declared: &Declared,
        period: BillingPeriod,
        mut units: BTreeSet<i64>,
    ) -> Result<BTreeSet<i64>> {
        let company = &declared.company;
        let mut coupled: BTreeMap<i32, BTreeSet<MeterId>> = BTreeMap::new();
        for (account, held) in &company.reservations {
            let bought = held.iter().map(|held| &held.bought);
            let bought = bought.filter(|one| one.term.overlaps(&period.interval()));
            let meters: BTreeSet<MeterId> = bought.flat_map(|one| one.meters.clone()).collect();
            let Some(code) = self.codes.find(codes::ACCOUNT, account.as_str()) else { continue };
            let own = units.range(rated_rows::unit(code, 0)..=rated_rows::unit(code, i32::MAX));
            let touched = own.copied().any(|unit| {
                let meter = self.meter_of(unit).ok().flatten();
                meter.is_some_and(|meter| meters.contains(&meter))
            });
            if touched {
                coupled.insert(code, meters);
            }
        }
        let wanted = coupled.values().flatten().map(|meter| (codes::METER, meter.to_string()));
        self.codes.assign(wanted.collect()).await?;
        for (account, meters) in coupled {
            for meter in meters {
                let meter = self.codes.code(codes::METER, meter.as_str())?;
                units.insert(rated_rows::unit(account, meter));
            }
        }
        Ok(units)
    }

    /// Rates units from all their records. Those that are coupled must all be there.
    pub(crate) fn rate_all(
        &self,
        declared: &Declared,
        period: BillingPeriod,
        units: BTreeMap<i64, Vec<Read>>,
        carried: &BTreeMap<i64, Counters>,
    ) -> Result<Vec<(i64, Rated)>> {
        let company = &declared.company;
        let mut rated = Vec::with_capacity(units.len());
        let mut coupled: BTreeMap<BillingAccountId, Group> = BTreeMap::new();
        for (unit, records) in units {
            let account = self.codes.value(codes::ACCOUNT, account_of(unit))?;
            let account = BillingAccountId::new(&account)?;
            let (records, quarantine) = counting(declared, &account, records);
            let waiting = Rated { quarantine, ..Rated::default() };
            let Some(meter) = self.meter_of(unit)? else {
                rated.push((unit, waiting));
                continue;
            };
            let carried = carried.get(&unit);
            if company.is_reserved(&account, &meter, period.interval()) {
                let group = coupled.entry(account.clone()).or_insert_with(|| Group::of(account));
                group.add(meter, (unit, waiting), records, carried);
            } else {
                let mut group = Group::of(account);
                group.add(meter, (unit, waiting), records, carried);
                rated.extend(group.rate(declared, period, &[]));
            }
        }
        for (account, group) in coupled {
            let reservations = company.reservations_in(&account, period.interval())?;
            rated.extend(group.rate(declared, period, &reservations));
        }
        Ok(rated)
    }

    /// The meter of a unit; none for records that cannot be read.
    fn meter_of(&self, unit: i64) -> Result<Option<MeterId>> {
        match meter_code(unit) {
            0 => Ok(None),
            code => MeterId::new(&self.codes.value(codes::METER, code)?).map(Some),
        }
    }
}

impl Group {
    fn of(account: BillingAccountId) -> Group {
        let (units, records, carried) = (BTreeMap::new(), Vec::new(), Counters::new());
        Group { account, units, records, carried }
    }

    /// Takes a unit in, with its records that count and what earlier periods hand on to it.
    fn add(
        &mut self,
        meter: MeterId,
        unit: (i64, Rated),
        records: Vec<LoggedRecord>,
        carried: Option<&Counters>,
    ) {
        self.units.insert(meter, unit);
        if self.records.is_empty() {
            self.records = records;
        } else {
            self.records.extend(records);
        }
        self.carried.extend(carried.cloned().unwrap_or_default());
    }

    /// Rates its records, and deals what comes of them out to its units.
    fn rate(
        self,
        declared: &Declared,
        period: BillingPeriod,
        reservations: &[Reservation],
    ) -> Vec<(i64, Rated)> {
        let Group { account, mut units, records, carried } = self;
        let mut rated = domain::rating::rate(&RatingUnit {
            book: &declared.book,
            billing_account: &account,
            period,
            records: &records,
            reservations,
            carried: &carried,
        });
        // A counter whose numbers leave their range waits whole; everybody else goes on.
        if rated.failed.take().is_some() {
            rated.quarantine.extend(records.iter().map(out_of_range));
        }
        if units.len() > 1 {
            return dealt(rated, &records, units);
        }
        let Some((meter, (unit, waiting))) = units.pop_first() else { return Vec::new() };
        // Minimums of the account's other meters belong to other units.
        rated.rows.retain(|row| row.meter == meter);
        rated.quarantine.extend(waiting.quarantine);
        vec![(unit, rated)]
    }
}

/// What was rated together, dealt out to the units by meter; what is of none is another unit's.
fn dealt(
    rated: Rated,
    records: &[LoggedRecord],
    mut units: BTreeMap<MeterId, (i64, Rated)>,
) -> Vec<(i64, Rated)> {
    for row in rated.rows {
        if let Some((_, of)) = units.get_mut(&row.meter) {
            of.rows.push(row);
        }
    }
    for (key, value) in rated.counters {
        if let Some((_, of)) = units.get_mut(&key.meter) {
            of.counters.insert(key, value);
        }
    }
    let meters: HashMap<Position, &MeterId> =
        records.iter().map(|one| (one.position, &one.record.meter)).collect();
    for waits in rated.quarantine {
        let unit = meters.get(&waits.position).and_then(|meter| units.get_mut(*meter));
        if let Some((_, of)) = unit {
            of.quarantine.push(waits);
        }
    }
    units.into_values().collect()
}

/// The records of a unit that count, and those that wait before anything is rated.
fn counting(
    declared: &Declared,
    account: &BillingAccountId,
    records: Vec<Read>,
) -> (Vec<LoggedRecord>, Vec<Quarantined>) {
    let settlements = declared.settlements_of(account);
    let mut kept = Vec::with_capacity(records.len());
    let mut unreadable = Vec::new();
    for read in records {
        match read {
            Read::Kept(_, record) => kept.push(*record),
            Read::Unreadable(_, quarantined, conflict_of) => {
                if stands(settlements, quarantined.position, conflict_of) {
                    unreadable.push(quarantined);
                }
            }
        }
    }
    let extracts: Vec<_> = declared.extracts_of(account).iter().map(|e| e.view()).collect();
    let resolved = domain::resolve::resolve(kept, &extracts, settlements);
    let mut waiting = resolved.quarantine;
    waiting.extend(unreadable);
    (resolved.records, waiting)
}

fn out_of_range(logged: &LoggedRecord) -> Quarantined {
    Quarantined {
        position: logged.position,
        key: logged.record.key.clone(),
        reason: QuarantineReason::OutOfRange,
        field: "counter",
    }
}

/// Whether a record is the one that stands for its key: the first, unless another was chosen.
fn stands(settlements: &[Settlement], position: Position, conflict_of: Option<Position>) -> bool {
    let first = conflict_of.unwrap_or(position);
    let chosen = settlements.iter().rev().find(|s| s.first == first).map(|s| s.chosen);
    chosen.map_or(conflict_of.is_none(), |chosen| chosen == position)
}
