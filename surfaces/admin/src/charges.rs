//! Charges: added up by whatever one asks for.

use crate::wire::{self, Days, Filter};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use calendar::Instant;
use domain::Result;
use domain::ids::BillingAccountId;
use futures::stream;
use httpkit::{Asking, JsonBody, Refusal};
use serde::{Deserialize, Serialize};
use service::{ChargeQuery, ChargeRow, ChargeTable, GroupBy, LeftOut, Reckoner};

/// Rows that are written at a time.
const ROWS_AT_A_TIME: usize = 1_000;

/// Adds charges up.
pub(crate) async fn query(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    JsonBody(asked): JsonBody<Asked>,
) -> std::result::Result<Response, Refusal> {
    let query = asked.query(reckoner.now())?;
    let table = reckoner.charges(&caller, &query).await?;
    let account = query.billing_account.as_ref();
    let left_out = reckoner.left_out(&caller, account, &query.days).await?;
    let left_out = left_out.into_iter().map(Waiting::from).collect();
    let body = Body::from_stream(stream::iter(pieces(table, left_out)));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// What charges are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: Option<String>,
    from: Option<String>,
    until: Option<String>,
    month: Option<String>,
    #[serde(default)]
    group_by: Vec<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    top: Option<usize>,
}

impl Asked {
    pub(crate) fn query(self, now: Instant) -> Result<ChargeQuery> {
        let Asked { billing_account, from, until, month, group_by, filters, top } = self;
        Ok(ChargeQuery {
            billing_account: billing_account.as_deref().map(BillingAccountId::new).transpose()?,
            days: Days { from, until, month }.range(now)?,
            group_by: group_by.iter().map(|name| GroupBy::parse(name)).collect::<Result<_>>()?,
            filters: wire::filters(filters)?,
            top,
        })
    }
}

/// One group of charges. Numbers are text, so that no reader rounds them.
#[derive(Serialize)]
struct Row {
    keys: Vec<Option<String>>,
    labels: Vec<Option<String>>,
    records: i64,
    unit: Option<String>,
    quantity: Option<String>,
    cost: String,
    currency: String,
}

impl From<ChargeRow> for Row {
    fn from(ChargeRow { keys, labels, records, unit, quantity, cost }: ChargeRow) -> Row {
        let quantity = quantity.map(|quantity| quantity.to_string());
        let (cost, currency) = (cost.major.to_string(), cost.currency.to_string());
        Row { keys, labels, records, unit, quantity, cost, currency }
    }
}

/// Records that are in no sum.
#[derive(Serialize)]
pub(crate) struct Waiting {
    meter: Option<String>,
    reason: &'static str,
    field: &'static str,
    records: u64,
}

impl From<LeftOut> for Waiting {
    fn from(LeftOut { meter, reason, field, records }: LeftOut) -> Waiting {
        let meter = meter.map(|meter| meter.to_string());
        Waiting { meter, reason: reason.name(), field, records }
    }
}

/// The answer, `{"columns":[…],"rows":[…],"left_out":[…]}`, in pieces: it may hold a million rows.
pub(crate) fn pieces(
    table: ChargeTable,
    left_out: Vec<Waiting>,
) -> impl Iterator<Item = serde_json::Result<String>> {
    let ChargeTable { columns, rows } = table;
    let head = serde_json::to_string(&columns);
    let head = head.map(|columns| format!("{{\"columns\":{columns},\"rows\":["));
    let mut rows = rows.into_iter().map(Row::from).peekable();
    let mut comma = "";
    let parts = std::iter::from_fn(move || {
        rows.peek()?;
        let some = rows.by_ref().take(ROWS_AT_A_TIME);
        let some =
            some.map(|row| serde_json::to_string(&row)).collect::<serde_json::Result<Vec<_>>>();
        let before = std::mem::replace(&mut comma, ",");
        Some(some.map(|some| format!("{before}{}", some.join(","))))
    });
    let tail = serde_json::to_string(&left_out);
    let tail = tail.map(|left_out| format!("],\"left_out\":{left_out}}}"));
    std::iter::once(head).chain(parts).chain(std::iter::once(tail))
}
