//! Money that came in, and open credit that was paid out.

use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::ids::{BillingAccountId, PaymentId};
use domain::numbering::DocumentNumber;
use domain::payments::DocumentAmount;
use httpkit::{Asking, Faults, JsonBody, Refusal, RequestId};
use money::Fixed18;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{PaymentAsked, PaymentBooked, Reckoner, Way};

/// Books money that came in.
pub(crate) async fn pay(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Payment>,
) -> std::result::Result<Json<Booked>, Refusal> {
    let Payment { id, billing_account, amount, invoices } = asked;
    let mut faults = Faults::default();
    let invoices: Option<Vec<_>> =
        faults.read_each("invoices", &invoices, |number| DocumentNumber::parse(number));
    let asked = read(
        faults,
        (id.as_str(), billing_account.as_str(), amount.as_str()),
        invoices.map(Way::In),
    )?;
    let booked = reckoner.record_payment(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(Booked::of(id, booked)))
}

/// Books open credit that was paid out.
pub(crate) async fn refund(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Refund>,
) -> std::result::Result<Json<Booked>, Refusal> {
    let Refund { id, billing_account, amount } = asked;
    let given = (id.as_str(), billing_account.as_str(), amount.as_str());
    let asked = read(Faults::default(), given, Some(Way::Out))?;
    let booked = reckoner.record_payment(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(Booked::of(id, booked)))
}

fn read(
    mut faults: Faults,
    (id, account, amount): (&str, &str, &str),
    way: Option<Way>,
) -> std::result::Result<PaymentAsked, Refusal> {
    let id = faults.read("id", PaymentId::new(id));
    let account = faults.read("billing_account", BillingAccountId::new(account));
    let amount = Fixed18::parse(amount).map_err(|e| Error::invalid("amount", e.to_string()));
    let amount = faults.read("amount", amount);
    let asked = id.zip(account).zip(amount.zip(way));
    let asked = asked.map(|((id, billing_account), (amount, way))| PaymentAsked {
        id,
        billing_account,
        amount,
        way,
    });
    faults.end(asked)
}

/// A payment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payment {
    id: String,
    billing_account: String,
    amount: String,
    #[serde(default)]
    invoices: Vec<String>,
}

/// A refund.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refund {
    id: String,
    billing_account: String,
    amount: String,
}

/// What became of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Booked {
    id: String,
    amount: String,
    currency: String,
    parts: Vec<PartItem>,
    open_credit: String,
    is_new: bool,
}

impl Booked {
    pub(crate) fn of(id: String, booked: PaymentBooked) -> Booked {
        let PaymentBooked { amount, parts, surplus, is_new } = booked;
        Booked {
            id,
            amount: amount.digits(),
            currency: amount.currency().to_string(),
            parts: parts.into_iter().map(PartItem::from).collect(),
            open_credit: surplus.digits(),
            is_new,
        }
    }
}

/// What a document got.
#[derive(Serialize, JsonSchema)]
struct PartItem {
    document: String,
    amount: String,
}

impl From<DocumentAmount> for PartItem {
    fn from(DocumentAmount { document, amount }: DocumentAmount) -> PartItem {
        PartItem { document: document.to_string(), amount: amount.digits() }
    }
}
