//! An installation without a process around it, on a clock that the test sets.

use crate::books::Schema;
use calendar::{Instant, Interval, SetClock};
use domain::access::Caller;
use domain::ids::{BillingAccountId, MeterId, RecordId, SourceName, SubscriptionId};
use domain::usage::{Act, Billable, ChargeCategory, Origin, RecordKey, UsageRecord};
use money::Fixed18;
use service::{Clocks, Config, Reckoner, company};
use std::path::Path;
use std::sync::Arc;

/// What [`crate::installation::Installation`] declares by itself.
pub(crate) const ACCOUNT: &str = r#"
[[billing_account]]
id = "acme"
name = "Acme"
currency = "USD"
region = "US"
"#;

/// A subscription of `acme`, and hours at a price.
pub(crate) const SHOP: &str = r#"
[[offer]]
id = "MS-AZR-0003P"
name = "Pay-as-you-go"
has_rate_card = true

[[meter]]
id = "hours"
name = "Hours"
category = "Machines"
unit = "Hours"

[[price_list]]
id = "card"
offer = "MS-AZR-0003P"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "0.000001" } }]

[[subscription]]
id = "shop"
name = "Shop"
placements = [{ billing_account = "acme", offer = "MS-AZR-0003P" }]
"#;

/// Opens or makes it below a directory; business and system time are the clock's.
pub(crate) async fn open(
    directory: &Path,
    schema: Option<&Schema>,
    clock: &SetClock,
    set: impl FnOnce(&mut Config),
) -> Reckoner {
    try_open(directory, schema, clock, set).await.expect("an installation")
}

/// The same, of one that may not open.
pub(crate) async fn try_open(
    directory: &Path,
    schema: Option<&Schema>,
    clock: &SetClock,
    set: impl FnOnce(&mut Config),
) -> domain::Result<Reckoner> {
    let clocks = Clocks { business: Arc::new(clock.clone()), system: Arc::new(clock.clone()) };
    let mut config = Config::new(directory.join("data"));
    config.postgres = schema.map(|schema| schema.url.clone());
    set(&mut config);
    Reckoner::open(config, clocks).await
}

/// Declares what a company file says.
pub(crate) async fn declare(reckoner: &Reckoner, text: &str) {
    try_declare(reckoner, text).await.expect("applied");
}

/// The same, of what may be refused.
pub(crate) async fn try_declare(reckoner: &Reckoner, text: &str) -> domain::Result<()> {
    let files = tempfile::tempdir().expect("a directory");
    std::fs::write(files.path().join("company.toml"), text).expect("a company file");
    let known = reckoner.company(&Caller::Machine).await?;
    let declared = company::read_dir(files.path(), &known)
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    let plan = reckoner.plan(&Caller::Machine, &declared).await?;
    reckoner.apply(&Caller::Machine, &declared, &plan, "test").await?;
    Ok(())
}

/// Hours of the shop on the first of May 2026, from source `gate`.
pub(crate) fn record(id: &str, quantity: &str) -> UsageRecord {
    UsageRecord {
        key: RecordKey {
            billing_account: BillingAccountId::new("acme").expect("an id"),
            source: SourceName::new("gate").expect("a name"),
            id: RecordId::new(id).expect("an id"),
        },
        act: Act::Use,
        subscription: SubscriptionId::new("shop").expect("an id"),
        resource: String::new(),
        meter: MeterId::new("hours").expect("an id"),
        quantity: Fixed18::parse(quantity).expect("a quantity"),
        service_period: Interval::at(Instant::parse("2026-05-01").expect("a time")),
        reported_at: None,
        dimensions: Default::default(),
        tags: Default::default(),
        category: ChargeCategory::Usage,
        billable: Billable::Yes,
        stated_cost: None,
        details: None,
        origin: Origin::Event,
    }
}
