//! What an answer leaves out: records that wait in quarantine, counted by meter and reason.

use crate::rating::View;
use crate::units::meter_code;
use crate::{Inner, Reckoner, codes};
use async_recursion::async_recursion as boxed;
use calendar::Day;
use domain::Result;
use domain::access::{Action, Caller, Scope};
use domain::ids::{BillingAccountId, MeterId};
use domain::usage::{QuarantineReason, Quarantined};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Records that are in no sum, because they wait for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Of which meter; none where a record cannot be read.
    pub meter: Option<MeterId>,
    /// Why they wait.
    pub reason: QuarantineReason,
    /// Which field says so; `counter` where only the sum of all of them leaves its range.
    pub field: &'static str,
    /// How many.
    pub records: u64,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut { meter, reason, field, records } = self;
        match meter {
            Some(meter) => write!(f, "{records} of meter `{meter}` wait: {} ", reason.name())?,
            None => write!(f, "{records} wait: {} ", reason.name())?,
        }
        write!(f, "({field})")?;
        if *field == "counter" {
            write!(f, "; together they leave the range of their tier counter")?;
        }
        Ok(())
    }
}

impl Reckoner {
    /// Counts the records that wait, of one billing account or of all, in the billing periods that
    /// some days touch: what sums over those days leave out.
    ///
    /// Errors: [`domain::Error::Forbidden`], [`domain::Error::NotFound`].
    #[boxed]
    pub async fn left_out(
        &self,
        caller: &Caller,
        account: Option<&BillingAccountId>,
        days: &Range<Day>,
    ) -> Result<Vec<LeftOut>> {
        let scope = account.map_or(Scope::Installation, |account| Scope::Account(account.clone()));
        self.demand(caller, Action::ReadCharges, &scope).await?;
        let accounts: Vec<_> = account.into_iter().cloned().collect();
        let mut counts = BTreeMap::new();
        for period in self.0.periods_within(days) {
            for key in self.0.keys_of(period, &accounts) {
                let view = self.0.refresh(key).await?;
                for (unit, records) in waiting(&view) {
                    let of = |one: &&Quarantined| {
                        account.is_none_or(|account| one.key.billing_account == *account)
                    };
                    for Quarantined { reason, field, .. } in records.iter().filter(of) {
                        let count: &mut u64 =
                            counts.entry((meter_code(*unit), *reason, *field)).or_default();
                        *count = count.saturating_add(1);
                    }
                }
            }
        }
        self.0.named(counts)
    }
}

/// The records that wait in a view, by unit.
fn waiting(view: &View) -> impl Iterator<Item = (&i64, &Vec<Quarantined>)> {
    let overlay = view.overlay.as_deref();
    let written = view.rated.iter().flat_map(|rated| rated.quarantine.iter());
    let kept = written.filter(move |(unit, _)| !overlay.is_some_and(|o| o.units.contains(unit)));
    kept.chain(overlay.into_iter().flat_map(|overlay| overlay.quarantine.iter()))
}

impl Inner {
    fn named(
        &self,
        counts: BTreeMap<(i32, QuarantineReason, &'static str), u64>,
    ) -> Result<Vec<LeftOut>> {
        let mut named = Vec::with_capacity(counts.len());
        for ((code, reason, field), records) in counts {
            let meter = match code {
                0 => None,
                code => Some(MeterId::new(&self.codes.value(codes::METER, code)?)?),
            };
            named.push(LeftOut { meter, reason, field, records });
        }
        named.sort_by(|a, b| (&a.meter, a.reason, a.field).cmp(&(&b.meter, b.reason, b.field)));
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_says_how_many_and_why() {
        let check = |meter: Option<&str>, reason, field: &'static str, expected: &str| {
            let meter = meter.map(|meter| MeterId::new(meter).expect("an id"));
            assert_eq!(LeftOut { meter, reason, field, records: 17 }.to_string(), expected);
        };
        check(
            Some("hours"),
            QuarantineReason::OutOfRange,
            "counter",
            "17 of meter `hours` wait: out_of_range (counter); together they leave the range of \
             their tier counter",
        );
        check(
            Some("hours"),
            QuarantineReason::NoPrice,
            "meter",
            "17 of meter `hours` wait: no_price (meter)",
        );
        check(None, QuarantineReason::Unreadable, "tags", "17 wait: unreadable (tags)");
    }
}
