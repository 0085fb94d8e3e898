//! `reckoner pay` and `reckoner refund`: money in and out.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use clap::Args;
use domain::access::Caller;
use domain::ids::{BillingAccountId, PaymentId};
use domain::numbering::DocumentNumber;
use domain::payments::DocumentAmount;
use money::Fixed18;
use service::{PaymentAsked, PaymentBooked, Way};

#[derive(Args)]
pub(crate) struct Pay {
    #[command(flatten)]
    payment: Payment,
    /// This invoice gets it first; all that is owed, oldest first, if none is named.
    #[arg(long, value_name = "NUMBER")]
    invoice: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Refund {
    #[command(flatten)]
    payment: Payment,
}

#[derive(Args)]
struct Payment {
    #[command(flatten)]
    place: Place,
    /// Whose.
    billing_account: String,
    /// How much, in major units of the account's currency.
    amount: String,
    /// Its id, as the bank tells it: the same payment twice is one.
    #[arg(long)]
    id: String,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Pay {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let numbers = self.invoice.iter().map(|number| DocumentNumber::parse(number));
        let way = Way::In(numbers.collect::<Result<_, _>>()?);
        self.payment.book(way).await
    }
}

impl Refund {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        self.payment.book(Way::Out).await
    }
}

impl Payment {
    async fn book(self, way: Way) -> anyhow::Result<()> {
        let asked = PaymentAsked {
            id: PaymentId::new(&self.id)?,
            billing_account: BillingAccountId::new(&self.billing_account)?,
            amount: Fixed18::parse(&self.amount)?,
            way,
        };
        let reckoner = self.place.open().await?;
        let booked = reckoner.record_payment(&Caller::Machine, &asked, &request_id()).await?;
        if self.json {
            say!("{}", admin::payment_json(&asked.id, booked)?)?;
            return Ok(reckoner.close().await?);
        }
        let PaymentBooked { amount, parts, surplus, is_new } = booked;
        say!("{amount}{}", if is_new { "" } else { ", booked before" })?;
        for DocumentAmount { document, amount } in &parts {
            say!("  {document}  {amount}")?;
        }
        if !surplus.is_zero() {
            say!("  open credit  {surplus}")?;
        }
        reckoner.close().await?;
        Ok(())
    }
}
