//! Credit summaries: what lots held when the last period was closed, what the open ones do to them,
//! and what they can still pay now.
//!
//! Current + adjustments − expired − charges = estimated, in each lot and in the sum.
//!
//! Source: Microsoft.Consumption, group Credits.

use crate::credits::Lot;
use crate::{Error, Result};
use calendar::Instant;
use money::{Currency, Money};

/// A lot, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotNow {
    /// The lot.
    pub lot: Lot,
    /// What the ledger says is left: after closed periods. None if it was not granted there yet.
    pub booked: Option<Money>,
    /// What the usage of open periods takes of it.
    pub drawn: Money,
}

impl LotNow {
    /// What is left of it after closed periods: all of it, where it was not granted yet.
    pub fn left(&self) -> Money {
        self.booked.unwrap_or(self.lot.granted)
    }

    /// What open periods leave of it.
    ///
    /// Errors: [`Error::Money`].
    pub fn undrawn(&self) -> Result<Money> {
        let of = |source| Error::money(format!("lot {}", self.lot.id), source);
        self.left().checked_sub(self.drawn).map_err(of)
    }

    /// What it can still pay at a moment: nothing unless it holds then.
    ///
    /// Errors: [`Error::Money`].
    pub fn available(&self, at: Instant) -> Result<Money> {
        match self.lot.holds.contains(at) {
            true => self.undrawn(),
            false => Ok(Money::zero(self.drawn.currency())),
        }
    }

    /// What it has lost by its end, or will lose by the close that books it.
    ///
    /// Errors: [`Error::Money`].
    pub fn expiring(&self, at: Instant) -> Result<Money> {
        match at < self.lot.holds.end() {
            true => Ok(Money::zero(self.drawn.currency())),
            false => self.undrawn(),
        }
    }
}

/// What lots hold and can pay, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditSummary {
    /// What the ledger says is left: after closed periods.
    pub current: Money,
    /// What is granted and not in the ledger yet, less what is there and holds later only.
    pub adjustments: Money,
    /// What lots that have ended still hold, until a close books their end.
    pub expired: Money,
    /// What the usage of open periods takes.
    pub charges: Money,
    /// What lots that hold now can still pay: the available balance.
    pub estimated: Money,
}

/// Adds lots up, as they stand at a moment.
///
/// Errors: [`Error::Money`].
pub fn summary(currency: Currency, lots: &[LotNow], at: Instant) -> Result<CreditSummary> {
    let of = |source| Error::money("credit summary", source);
    let zero = Money::zero(currency);
    let (mut current, mut expired, mut charges, mut estimated) = (zero, zero, zero, zero);
    for now in lots {
        current = current.checked_add(now.booked.unwrap_or(zero)).map_err(of)?;
        expired = expired.checked_add(now.expiring(at)?).map_err(of)?;
        charges = charges.checked_add(now.drawn).map_err(of)?;
        estimated = estimated.checked_add(now.available(at)?).map_err(of)?;
    }
    // What is neither taken nor gone nor there already was added.
    let spent = estimated.checked_add(expired).and_then(|sum| sum.checked_add(charges));
    let adjustments = spent.and_then(|sum| sum.checked_sub(current)).map_err(of)?;
    Ok(CreditSummary { current, adjustments, expired, charges, estimated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::{Exclusions, LotKind};
    use crate::fixtures::{dollars, lot_id, t};
    use calendar::Interval;

    fn lot(granted: &str, from: &str, until: &str) -> Lot {
        Lot {
            id: lot_id("c"),
            kind: LotKind::Credit,
            granted: dollars(granted),
            priority: 1,
            holds: Interval::new(t(from), t(until)).unwrap(),
            excluded: Exclusions::default(),
        }
    }

    #[test]
    fn the_available_balance_is_what_lots_can_still_pay() {
        let check = |lot: Lot, drawn: &str, at: &str, expected: &str| {
            let now = LotNow { lot, booked: None, drawn: dollars(drawn) };
            assert_eq!(now.available(t(at)).unwrap(), dollars(expected), "{at}");
        };
        let march = || lot("10", "2026-01-01", "2026-03-20");
        check(march(), "4", "2026-03-10", "6");
        check(march(), "4", "2026-03-20", "0"); // it has ended
        check(march(), "0", "2025-12-31", "0"); // it has not begun
    }

    #[test]
    fn current_and_what_open_periods_do_is_the_estimate() {
        let at = t("2026-03-10");
        let check =
            |booked: Option<&str>, drawn: &str, holds: (&str, &str), expected: [&str; 5]| {
                let lot = lot("10", holds.0, holds.1);
                let now = LotNow { lot, booked: booked.map(dollars), drawn: dollars(drawn) };
                let told = summary(dollars("0").currency(), &[now], at).unwrap();
                let CreditSummary { current, adjustments, expired, charges, estimated } = told;
                let told = [current, adjustments, expired, charges, estimated];
                assert_eq!(told, expected.map(dollars));
            };
        let holding = ("2026-01-01", "2027-01-01");
        check(Some("7"), "2", holding, ["7", "0", "0", "2", "5"]);
        check(None, "2", holding, ["0", "10", "0", "2", "8"]); // granted by the next close
        check(Some("7"), "2", ("2026-01-01", "2026-03-05"), ["7", "0", "5", "2", "0"]);
        check(Some("0"), "0", ("2026-01-01", "2026-02-01"), ["0", "0", "0", "0", "0"]);
        check(None, "0", ("2026-04-01", "2027-01-01"), ["0", "0", "0", "0", "0"]);
        check(Some("7"), "0", ("2026-04-01", "2027-01-01"), ["7", "-7", "0", "0", "0"]);
    }
}
