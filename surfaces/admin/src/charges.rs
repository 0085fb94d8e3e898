//! Charges: added up by whatever one asks for.

use crate::wire::{self, Days, Filter};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use calendar::Instant;
use futures::stream;
use httpkit::{Asking, Faults, JsonBody, Refusal, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{ChargeQuery, ChargeRow, ChargeTable, GroupBy, LeftOut, Reckoner};

/// Rows that are written at a time.
const ROWS_AT_A_TIME: usize = 1_000;

/// Adds charges up.
pub(crate) async fn query(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Written<Answer>, Refusal> {
    let query = asked.query(reckoner.now())?;
    let table = reckoner.charges(&caller, &query).await?;
    let account = query.billing_account.as_ref();
    let left_out = reckoner.left_out(&caller, account, &query.days).await?;
    let left_out = left_out.into_iter().map(Waiting::from).collect();
    let body = Body::from_stream(stream::iter(pieces(table, left_out)));
    Ok(Written::new(([(CONTENT_TYPE, "application/json")], body)))
}

/// The answer as [`pieces`] write it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is written row by row, and only describes what is written")]
pub(crate) struct Answer {
    columns: Vec<String>,
    rows: Vec<Row>,
    left_out: Vec<Waiting>,
}

/// What charges are asked for.
#[derive(Deserialize, JsonSchema)]
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
    pub(crate) fn query(self, now: Instant) -> Result<ChargeQuery, Refusal> {
        let Asked { billing_account, from, until, month, group_by, filters, top } = self;
        let mut faults = Faults::default();
        let account = wire::account_if(&mut faults, billing_account);
        let days = wire::days(&mut faults, Days { from, until, month }, now);
        let group_by = faults.read_each("group_by", &group_by, |name| GroupBy::parse(name));
        let filters = wire::filters(&mut faults, filters);
        let query = || {
            Some(ChargeQuery {
                billing_account: account?,
                days: days?,
                group_by: group_by?,
                filters: filters?,
                top,
            })
        };
        faults.end(query())
    }
}

/// One group of charges. Numbers are text, so that no reader rounds them.
#[derive(Serialize, JsonSchema)]
struct Row {
    keys: Vec<Option<String>>,
    labels: Vec<Option<String>>,
    records: i64,
    unit: Option<String>,
    quantity: Option<String>,
    cost: String,
    amortised: String,
    currency: String,
}

impl From<ChargeRow> for Row {
    fn from(row: ChargeRow) -> Row {
        let ChargeRow { keys, labels, records, unit, quantity, cost, amortised } = row;
        let quantity = quantity.map(|quantity| quantity.to_string());
        let (cost, currency) = (cost.major.to_string(), cost.currency.to_string());
        let amortised = amortised.major.to_string();
        Row { keys, labels, records, unit, quantity, cost, amortised, currency }
    }
}

/// Records that are in no sum.
#[derive(Serialize, JsonSchema)]
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
