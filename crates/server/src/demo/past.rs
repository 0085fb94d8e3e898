//! The demo's past: its usage comes in month by month, and its operator closes and books payments
//! by the same use cases that every operator has.

use crate::commands::request_id;
use anyhow::{Context, bail};
use calendar::{BillingPeriod, BusinessClock, OffsetClock};
use domain::access::Caller;
use domain::ids::{BillingAccountId, DocumentId, PaymentId};
use domain::usage::UsageRecord;
use money::{Fixed18, Rounding};
use service::{
    CloseMode, ClosePeriod, Document, DocumentsAsked, Drafts, Incoming, Outcome, PaymentAsked,
    Reckoner, Way, Withdrawal,
};
use std::collections::BTreeSet;
use std::iter::Peekable;
use world::{Deed, Paid, What, World};

/// Records that are sent at once.
const BATCH: usize = 5_000;
/// More invoices than one of the demo's accounts has.
const EVERY: u64 = 1_000;

/// Declares the world, lets its months go by, and ends at its moment.
pub(super) async fn live(
    reckoner: &Reckoner,
    world: &World,
    clock: &OffsetClock,
) -> anyhow::Result<()> {
    let caller = Caller::Machine;
    let plan = reckoner.plan(&caller, &world.declared).await?;
    reckoner.apply(&caller, &world.declared, &plan, &request_id()).await?;
    let mut events = world.events().peekable();
    for Deed { at, what } in &world.past {
        clock.advance(at.since(clock.now()));
        send(reckoner, &mut events, clock).await?;
        act(reckoner, what).await.with_context(|| format!("{what:?}"))?;
    }
    clock.advance(world.now.since(clock.now()));
    send(reckoner, &mut events, clock).await?;
    reckoner.settle_all().await?;
    Ok(())
}

/// Sends what was reported by now.
async fn send(
    reckoner: &Reckoner,
    events: &mut Peekable<impl Iterator<Item = UsageRecord>>,
    clock: &OffsetClock,
) -> anyhow::Result<()> {
    let now = clock.now();
    loop {
        let reported = |event: &UsageRecord| event.reported_at.is_none_or(|at| at <= now);
        let batch: Vec<Incoming> = std::iter::from_fn(|| events.next_if(reported))
            .take(BATCH)
            .map(|record| Incoming::Record(Box::new(record)))
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        reckoner.take_in(&Caller::Machine, batch).await?;
    }
}

async fn act(reckoner: &Reckoner, what: &What) -> anyhow::Result<()> {
    match what {
        What::Close(period) => close(reckoner, *period).await,
        What::Pay { id, billing_account, invoice, paid } => {
            let documents = documents(reckoner, billing_account, invoice.as_ref()).await?;
            let owed = documents.iter().map(|one| one.owed.to_cost().map(|cost| cost.major));
            let owed = Fixed18::checked_sum(owed.collect::<Result<Vec<_>, _>>()?)?;
            let amount = match paid {
                Paid::Whole => owed,
                Paid::Half => owed.checked_mul(Fixed18::parse("0.5")?, 0, Rounding::TowardZero)?,
                Paid::TooMuch(by) => owed.checked_add(*by)?,
            };
            // Lots may have paid everything.
            if amount > Fixed18::ZERO {
                let numbers = documents.into_iter().map(|one| one.number).collect();
                book(reckoner, (id, billing_account), amount, Way::In(numbers)).await?;
            }
            Ok(())
        }
        What::Refund { id, billing_account, amount } => {
            book(reckoner, (id, billing_account), *amount, Way::Out).await
        }
        What::Void { billing_account, invoice, reason } => {
            for one in documents(reckoner, billing_account, Some(invoice)).await? {
                let asked = Withdrawal { number: one.number, reason: reason.clone() };
                reckoner.void_invoice(&Caller::Machine, &asked, &request_id()).await?;
            }
            Ok(())
        }
    }
}

/// Closes a billing period; the demo has no account that could not be closed.
async fn close(reckoner: &Reckoner, period: BillingPeriod) -> anyhow::Result<()> {
    let asked = ClosePeriod {
        period,
        mode: CloseMode::Final,
        drafts: Drafts::GoOut,
        left_out: BTreeSet::new(),
    };
    let closing = reckoner.close_period(&Caller::Machine, &asked, &request_id()).await?;
    for account in &closing.accounts {
        if let Outcome::Waits { reason } | Outcome::Parked { reason } = &account.outcome {
            bail!("{} stays open: {reason}", account.billing_account);
        }
    }
    Ok(())
}

/// One invoice of an account, or all that are owed.
async fn documents(
    reckoner: &Reckoner,
    account: &BillingAccountId,
    invoice: Option<&DocumentId>,
) -> anyhow::Result<Vec<Document>> {
    let asked = DocumentsAsked { billing_account: Some(account.clone()), period: None };
    let mut found = reckoner.documents(&Caller::Machine, &asked, EVERY).await?;
    found.retain(|one| invoice.map_or(!one.owed.is_zero(), |id| one.invoice.id == *id));
    if let (Some(id), []) = (invoice, found.as_slice()) {
        bail!("there is no invoice {id}");
    }
    Ok(found)
}

async fn book(
    reckoner: &Reckoner,
    (id, account): (&PaymentId, &BillingAccountId),
    amount: Fixed18,
    way: Way,
) -> anyhow::Result<()> {
    let asked = PaymentAsked { id: id.clone(), billing_account: account.clone(), amount, way };
    reckoner.record_payment(&Caller::Machine, &asked, &request_id()).await?;
    Ok(())
}
