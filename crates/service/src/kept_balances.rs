//! Balances as data sets keep them; amounts in minor units.

use crate::balance_summaries::BalanceOfPeriod;
use calendar::{BillingPeriod, Instant};
use domain::balance_summaries::{LotChange, LotChangeKind, PeriodBalance};
use domain::credits::{BalanceSummary, DrawTotals};
use domain::ids::{BillingAccountId, DocumentId, LotId};
use domain::{Error, Result};
use money::{Currency, Money};
use serde::{Deserialize, Serialize};

/// A balance. Whose it is and of when stands with the data set.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    currency: String,
    beginning: String,
    new_purchases: String,
    adjusted: String,
    utilized: String,
    service_overage: String,
    billed_separately: String,
    marketplace: String,
    held: String,
    purchases: Vec<KeptChange>,
    adjustments: Vec<KeptChange>,
}

/// What changed what a lot holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptChange {
    /// Microseconds since 1970.
    at: i64,
    lot: String,
    kind: String,
    document: Option<String>,
    amount: String,
}

/// What is kept of a balance.
pub(crate) fn kept(told: &BalanceOfPeriod) -> Kept {
    let minor = |money: Money| money.minor().to_string();
    let PeriodBalance { period: _, summary, purchases, adjustments, held } = &told.balance;
    let BalanceSummary { beginning, new_purchases, adjustments: adjusted, totals } = *summary;
    let DrawTotals { utilized, service_overage, billed_separately, marketplace } = totals;
    let change = |one: &LotChange| KeptChange {
        at: one.at.micros(),
        lot: one.lot.to_string(),
        kind: one.kind.name().to_owned(),
        document: one.document.as_ref().map(ToString::to_string),
        amount: minor(one.amount),
    };
    Kept {
        currency: told.currency.to_string(),
        beginning: minor(beginning),
        new_purchases: minor(new_purchases),
        adjusted: minor(adjusted),
        utilized: minor(utilized),
        service_overage: minor(service_overage),
        billed_separately: minor(billed_separately),
        marketplace: minor(marketplace),
        held: minor(*held),
        purchases: purchases.iter().map(change).collect(),
        adjustments: adjustments.iter().map(change).collect(),
    }
}

/// Reads what [`kept`] kept.
///
/// Errors: [`Error::Internal`], [`Error::Money`].
pub(crate) fn told(
    kept: Kept,
    (account, period, at): (&BillingAccountId, BillingPeriod, Instant),
    is_final: bool,
) -> Result<BalanceOfPeriod> {
    let currency =
        Currency::parse(&kept.currency).map_err(|e| Error::money("read a balance", e))?;
    let minor = |text: &str| {
        let minor = text.parse::<i128>().map_err(|e| Error::internal("read a balance", e))?;
        Ok::<_, Error>(Money::from_minor(minor, currency))
    };
    let changes = |kept: Vec<KeptChange>| {
        let read = |one: KeptChange| {
            let amount = minor(&one.amount)?;
            change(one, amount)
        };
        kept.into_iter().map(read).collect::<Result<Vec<_>>>()
    };
    let totals = DrawTotals {
        utilized: minor(&kept.utilized)?,
        service_overage: minor(&kept.service_overage)?,
        billed_separately: minor(&kept.billed_separately)?,
        marketplace: minor(&kept.marketplace)?,
    };
    let summary = BalanceSummary {
        beginning: minor(&kept.beginning)?,
        new_purchases: minor(&kept.new_purchases)?,
        adjustments: minor(&kept.adjusted)?,
        totals,
    };
    let held = minor(&kept.held)?;
    let (purchases, adjustments) = (changes(kept.purchases)?, changes(kept.adjustments)?);
    let balance = PeriodBalance { period, summary, purchases, adjustments, held };
    Ok(BalanceOfPeriod { billing_account: account.clone(), at, currency, is_final, balance })
}

fn change(kept: KeptChange, amount: Money) -> Result<LotChange> {
    let KeptChange { at, lot, kind, document, amount: _ } = kept;
    let unknown = || Error::internal("read a balance", format!("`{kind}` is unknown"));
    let all = [
        LotChangeKind::Purchase,
        LotChangeKind::Grant,
        LotChangeKind::GivenBack,
        LotChangeKind::Expiry,
        LotChangeKind::ExpiryAgain,
    ];
    Ok(LotChange {
        at: Instant::from_micros(at),
        lot: LotId::new(&lot)?,
        kind: all.into_iter().find(|one| one.name() == kind).ok_or_else(unknown)?,
        document: document.map(|id| DocumentId::new(&id)).transpose()?,
        amount,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_balance_is_the_balance() {
        let currency = Currency::parse("USD").unwrap();
        let money = |minor| Money::from_minor(minor, currency);
        let at = Instant::parse("2026-05-03T00:00:00Z").unwrap();
        let change = |kind, amount: i128| LotChange {
            at,
            lot: LotId::new("prepaid").unwrap(),
            kind,
            document: Some(DocumentId::new("acme/2026-05").unwrap()),
            amount: money(amount),
        };
        let totals = DrawTotals {
            utilized: money(4),
            service_overage: money(5),
            billed_separately: money(6),
            marketplace: money(-7),
        };
        let told_before = BalanceOfPeriod {
            billing_account: BillingAccountId::new("acme").unwrap(),
            at,
            currency,
            is_final: true,
            balance: PeriodBalance {
                period: BillingPeriod::parse("2026-05").unwrap(),
                summary: BalanceSummary {
                    beginning: money(1),
                    new_purchases: money(2),
                    adjustments: money(3),
                    totals,
                },
                purchases: vec![change(LotChangeKind::Purchase, 2)],
                adjustments: vec![
                    LotChange { document: None, ..change(LotChangeKind::Grant, 4) },
                    change(LotChangeKind::ExpiryAgain, -1),
                ],
                held: money(2),
            },
        };
        let text = serde_json::to_string(&kept(&told_before)).unwrap();
        let of = (&told_before.billing_account, told_before.balance.period, at);
        assert_eq!(told(serde_json::from_str(&text).unwrap(), of, true).unwrap(), told_before);
    }
}
