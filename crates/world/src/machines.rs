//! Usage of the cloud: resources and what they use, day by day.

use crate::cards::MeterIds;
use crate::company::{EDGE, HAULIER_PLATFORM, PLATFORM};
use crate::draw::{Draw, millionths};
use crate::ids::{HAULIER, Ids, RETAILER};
use crate::records::Records;
use calendar::{Day, Instant, Interval, MICROS_PER_HOUR};
use domain::ids::{BillingAccountId, MeterId, SubscriptionId};
use domain::usage::{Dimension, UsageRecord};
use money::Fixed18;
use std::collections::BTreeMap;

/// How much of a meter a resource uses, in millionths of the unit.
#[derive(Clone, Copy)]
pub(crate) enum Flow {
    /// The same every day.
    Daily(i64),
    /// About so much a day, less at the weekend.
    Busy(i64),
    /// One unit each hour, reported hour by hour.
    Hourly,
}

pub(crate) use Flow::{Busy, Daily};

use Flow::Hourly;

/// A resource: name, type, group, location, team, image, and what it uses.
pub(crate) struct Resource {
    name: &'static str,
    kind: &'static str,
    group: &'static str,
    location: &'static str,
    team: &'static str,
    image: &'static str,
    uses: &'static [(&'static str, Flow)],
}

/// One resource: its name, then type, group, location, team and image.
pub(crate) const fn resource(
    name: &'static str,
    [kind, group, location, team, image]: [&'static str; 5],
    uses: &'static [(&'static str, Flow)],
) -> Resource {
    Resource { name, kind, group, location, team, image, uses }
}

pub(crate) const MACHINE: &str = "Compute/machines";
pub(crate) const OBJECTS: &str = "Storage/accounts";
pub(crate) const DAY_OF_HOURS: Flow = Daily(24_000_000);
/// A month's disk, a day of it.
pub(crate) const DISK: Flow = Daily(32_258);
pub(crate) const NORTH: &str = "eunorth";

const WEB_SHOP: [Resource; 20] = [
    resource(
        "web-1",
        [MACHINE, "shop", NORTH, "web", "Linux"],
        &[
            ("vm-m4", Hourly),
            ("disk-p10", DISK),
            ("out-z1", Busy(95_000_000)),
            ("in-z1", Busy(31_000_000)),
        ],
    ),
    resource(
        "web-2",
        [MACHINE, "shop", NORTH, "web", "Linux"],
        &[
            ("vm-m4", DAY_OF_HOURS),
            ("disk-p10", DISK),
            ("out-z1", Busy(88_000_000)),
            ("in-z1", Busy(29_000_000)),
        ],
    ),
    resource(
        "web-3",
        [MACHINE, "shop", NORTH, "web", "Linux"],
        &[("vm-s2", Busy(11_000_000)), ("disk-s20", DISK), ("out-z1", Busy(12_500_000))],
    ),
    resource(
        "jobs-1",
        [MACHINE, "jobs", "uswest", "data", "Linux"],
        &[("vm-l8", Busy(6_500_000)), ("disk-p10", DISK)],
    ),
    resource(
        "till-1",
        [MACHINE, "stores", NORTH, "stores", "Windows"],
        &[("vm-m4w", DAY_OF_HOURS), ("disk-s20", DISK)],
    ),
    resource(
        "shop-balancer",
        ["Network/balancers", "shop", NORTH, "web", ""],
        &[("rules", Daily(72_000_000)), ("ip", Daily(48_000_000))],
    ),
    resource(
        "shop-db",
        ["Sql/databases", "data", NORTH, "data", ""],
        &[("sql-p1", Daily(1_000_000)), ("sql-save", Busy(3_400_000))],
    ),
    resource(
        "orders-db",
        ["Sql/databases", "data", NORTH, "orders", ""],
        &[("sql-s2", Daily(1_000_000)), ("sql-save", Busy(900_000))],
    ),
    resource(
        "shop-cache",
        ["Cache/instances", "data", NORTH, "web", ""],
        &[("cache", DAY_OF_HOURS)],
    ),
    resource(
        "shopassets",
        [OBJECTS, "shop", NORTH, "web", ""],
        &[
            ("blob-hot", Busy(41_000_000)),
            ("blob-put", Busy(6_300_000)),
            ("blob-get", Busy(310_000_000)),
            ("out-z1", Busy(160_000_000)),
        ],
    ),
    resource(
        "shopmedia",
        [OBJECTS, "media", NORTH, "media", ""],
        &[
            ("blob-hot", Busy(230_000_000)),
            ("blob-put", Busy(1_200_000)),
            ("blob-get", Busy(54_000_000)),
        ],
    ),
    resource(
        "orders-bus",
        ["Bus/queues", "orders", NORTH, "orders", ""],
        &[("queue", Busy(1_750_000))],
    ),
    resource(
        "checkout-run",
        ["Functions/apps", "orders", NORTH, "orders", ""],
        &[("runs", Busy(42_000_000)), ("run-gbs", Busy(27_000_000_000))],
    ),
    resource(
        "shop-logs",
        ["Logs/workspaces", "operations", NORTH, "operations", ""],
        &[("logs", Busy(7_800_000)), ("watch", Busy(95_000_000))],
    ),
    resource(
        "shop-dns",
        ["Network/zones", "shop", "global", "web", ""],
        &[("dns", Busy(3_100_000)), ("zone", Daily(129_032))],
    ),
    resource(
        "shop-vault",
        ["Vault/vaults", "operations", NORTH, "operations", ""],
        &[("vault", Busy(1_400_000))],
    ),
    resource(
        "shop-edge",
        ["Edge/endpoints", "media", "global", "media", ""],
        &[("edge-out", Busy(540_000_000)), ("edge-hits", Busy(880_000_000))],
    ),
    resource(
        "gate-1",
        [MACHINE, "operations", NORTH, "operations", "Appliance"],
        &[("gate", DAY_OF_HOURS), ("vm-s2", DAY_OF_HOURS)],
    ),
    resource(
        "shop-search",
        ["Search/services", "shop", NORTH, "web", ""],
        &[("search", DAY_OF_HOURS)],
    ),
    resource(
        "shop-cluster",
        ["Containers/clusters", "shop", NORTH, "web", ""],
        &[("cluster", DAY_OF_HOURS), ("registry", Daily(1_000_000))],
    ),
];

const ANALYTICS: [Resource; 3] = [
    resource(
        "sales-lake",
        ["Analytics/lakes", "analytics", NORTH, "data", ""],
        &[("lake", Busy(1_300_000)), ("notebook", Busy(9_000_000))],
    ),
    resource(
        "lakefiles",
        [OBJECTS, "analytics", NORTH, "data", ""],
        &[
            ("blob-hot", Busy(610_000_000)),
            ("blob-get", Busy(21_000_000)),
            ("files", Busy(14_000_000)),
        ],
    ),
    resource(
        "lake-link",
        ["Network/gateways", "analytics", NORTH, "data", ""],
        &[("vpn", DAY_OF_HOURS)],
    ),
];

const SANDBOX: [Resource; 2] = [
    resource(
        "try-1",
        [MACHINE, "sandbox", NORTH, "web", "Linux"],
        &[("vm-s2", Busy(8_000_000)), ("disk-s20", DISK), ("out-z1", Busy(700_000))],
    ),
    resource(
        "try-db",
        ["Sql/databases", "sandbox", NORTH, "web", ""],
        &[("sql-s2", Daily(1_000_000))],
    ),
];

const GROUP_IT: [Resource; 2] = [
    resource(
        "directory-1",
        [MACHINE, "group", NORTH, "group", "Windows"],
        &[("vm-m4w", DAY_OF_HOURS), ("disk-p10", DISK), ("agent", Daily(400_000))],
    ),
    resource("groupfiles", [OBJECTS, "group", NORTH, "group", ""], &[("files", Busy(52_000_000))]),
];

const DISPATCH: [Resource; 3] = [
    resource(
        "routes-1",
        [MACHINE, "routes", NORTH, "dispatch", "Linux"],
        &[("vm-m4", DAY_OF_HOURS), ("disk-p10", DISK), ("out-z2", Busy(9_000_000))],
    ),
    resource(
        "freight-db",
        ["Sql/databases", "routes", NORTH, "dispatch", ""],
        &[("sql-s2", Daily(1_000_000)), ("sql-save", Busy(450_000))],
    ),
    resource(
        "freight-logs",
        ["Logs/workspaces", "routes", NORTH, "dispatch", ""],
        &[("logs", Busy(1_100_000))],
    ),
];

/// What usage is made for.
pub(crate) struct Span {
    /// The first day.
    pub(crate) first: Day,
    /// The business moment: nothing was used or reported after it.
    pub(crate) now: Instant,
    /// Up to when the edge source has reported.
    pub(crate) edge_reported: Instant,
}

/// Resources that one subscription uses, and who pays and reports.
pub(crate) struct Estate {
    pub(crate) account: BillingAccountId,
    pub(crate) source: &'static str,
    pub(crate) subscription: SubscriptionId,
    pub(crate) resources: &'static [Resource],
}

/// Makes all usage of the retailer's and the haulier's machines.
pub(crate) fn records(draw: &mut Draw, meters: &MeterIds, ids: &Ids, span: &Span) -> Records {
    let estates: [(&str, &'static str, &str, &'static [Resource]); 5] = [
        (RETAILER, PLATFORM, "own", &WEB_SHOP),
        (RETAILER, PLATFORM, "analytics", &ANALYTICS),
        (RETAILER, PLATFORM, "sandbox", &SANDBOX),
        (RETAILER, PLATFORM, "group it", &GROUP_IT),
        (HAULIER, HAULIER_PLATFORM, "foreign", &DISPATCH),
    ];
    let estates = estates.map(|(account, source, subscription, resources)| Estate {
        account: ids.account(account),
        source,
        subscription: ids.subscription(subscription),
        resources,
    });
    let mut records = records_of(draw, meters, &estates, span);
    records.push(unknown_meter(draw, ids, span));
    records
}

/// Makes the usage of some estates.
pub(crate) fn records_of(
    draw: &mut Draw,
    meters: &MeterIds,
    estates: &[Estate],
    span: &Span,
) -> Records {
    let mut maker = Maker { draw, span, records: Records::default() };
    for Estate { account, source, subscription, resources } in estates {
        for resource in *resources {
            let source = if resource.kind.starts_with("Edge/") { EDGE } else { *source };
            let user = User { account, source, subscription, resource };
            for (meter, flow) in resource.uses {
                maker.use_meter(&user, &meters[meter], *flow);
            }
        }
    }
    maker.records
}

/// Usage that cannot be rated: of a meter that nobody declared.
fn unknown_meter(draw: &mut Draw, ids: &Ids, span: &Span) -> UsageRecord {
    let (account, subscription) = (&ids.account(RETAILER), &ids.subscription("group it"));
    let user = User { account, source: PLATFORM, subscription, resource: &GROUP_IT[0] };
    let unknown = MeterId::new(&draw.guid()).expect("a short plain text");
    let end = span.now.start_of_day();
    let day = interval(end.plus_seconds(-86_400), end);
    user.record(&unknown, millionths(3_000_000), day, end.plus_seconds(9_000))
}

struct Maker<'a> {
    draw: &'a mut Draw,
    span: &'a Span,
    records: Records,
}

impl Maker<'_> {
    fn use_meter(&mut self, user: &User<'_>, meter: &MeterId, flow: Flow) {
        let mut day = self.span.first;
        while day.next().start() <= self.span.now {
            match flow {
                Hourly => self.use_hours(user, meter, day),
                Daily(quantity) => self.use_day(user, meter, day, millionths(quantity)),
                Busy(base) => {
                    let base = if is_weekend(day) { base / 5 * 3 } else { base };
                    let quantity = self.draw.around(base);
                    self.use_day(user, meter, day, quantity);
                }
            }
            day = day.next();
        }
        if matches!(flow, Hourly) {
            self.use_hours(user, meter, day);
        }
    }

    fn use_hours(&mut self, user: &User<'_>, meter: &MeterId, day: Day) {
        for hour in 0..24 {
            let start = day.start().plus_micros(hour * MICROS_PER_HOUR);
            let end = start.plus_micros(MICROS_PER_HOUR);
            let reported = end.plus_seconds(self.draw.between(300, 1_500));
            if reported <= self.span.now {
                let hours = interval(start, end);
                self.records.push(user.record(meter, millionths(1_000_000), hours, reported));
            }
        }
    }

    fn use_day(&mut self, user: &User<'_>, meter: &MeterId, day: Day, quantity: Fixed18) {
        let until = if user.source == EDGE { self.span.edge_reported } else { self.span.now };
        let end = day.next().start();
        let usual = end.plus_seconds(self.draw.between(7_200, 18_000));
        if usual > until {
            return;
        }
        let late = usual.plus_seconds(self.draw.between(2, 9).saturating_mul(86_400));
        let reported = if self.draw.happens(15) && late <= until { late } else { usual };
        let record = user.record(meter, quantity, interval(day.start(), end), reported);
        // Now and then a part is taken back some days later.
        if self.draw.happens(2) && late <= until {
            let mut back = record.clone();
            let part = millionths(-self.draw.between(50_000, 300_000));
            back.quantity = quantity
                .checked_mul(part, 6, money::Rounding::TowardZero)
                .expect("a part of a small quantity");
            back.reported_at = Some(late);
            self.records.push(back);
        }
        self.records.push(record);
    }
}

/// A resource and who pays for it.
struct User<'a> {
    account: &'a BillingAccountId,
    source: &'a str,
    subscription: &'a SubscriptionId,
    resource: &'a Resource,
}

impl User<'_> {
    fn record(
        &self,
        meter: &MeterId,
        quantity: Fixed18,
        service_period: Interval,
        reported: Instant,
    ) -> UsageRecord {
        let Resource { name, kind, group, location, team, image, uses: _ } = self.resource;
        let mut record = crate::records::usage(self.account, self.source, self.subscription, meter);
        record.resource = format!(
            "/subscriptions/{}/resourceGroups/{group}/providers/Reckoner.{kind}/{name}",
            self.subscription
        );
        record.quantity = quantity;
        record.service_period = service_period;
        record.reported_at = Some(reported);
        record.dimensions = BTreeMap::from([(Dimension::Location, (*location).to_owned())]);
        record.tags = BTreeMap::from([
            (
                "environment".to_owned(),
                if *group == "sandbox" { "test" } else { "production" }.to_owned(),
            ),
            ("team".to_owned(), (*team).to_owned()),
        ]);
        let image = Some(*image).filter(|image| !image.is_empty());
        record.details =
            image.map(|image| format!(r#"{{"additionalInfo":{{"ImageType":"{image}"}}}}"#));
        record
    }
}

fn interval(start: Instant, end: Instant) -> Interval {
    Interval::new(start, end).expect("an end after its start")
}

fn is_weekend(day: Day) -> bool {
    // Day 0 was a Thursday.
    matches!(day.number().rem_euclid(7), 2 | 3)
}
