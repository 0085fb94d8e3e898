//! Usage of those who rent little: the mill, the partner's customers, the studio and the press.

use crate::cards::MeterIds;
use crate::company::ESTATES;
use crate::draw::Draw;
use crate::ids::{Ids, MILL, PARTNER, PRESS, STUDIO};
use crate::machines::{
    Busy, DAY_OF_HOURS, DISK, Daily, Estate, MACHINE, NORTH, OBJECTS, Resource, Span, records_of,
    resource,
};
use crate::records::Records;

const WORKS: [Resource; 3] = [
    resource(
        "press-line",
        [MACHINE, "works", NORTH, "pulp", "Windows"],
        &[("vm-m4w", Daily(48_000_000)), ("disk-p10", DISK)],
    ),
    resource(
        "stock-db",
        ["Sql/databases", "works", NORTH, "pulp", ""],
        &[("sql-p1", Daily(1_000_000)), ("sql-save", Busy(1_900_000))],
    ),
    resource(
        "works-gate",
        [MACHINE, "works", NORTH, "pulp", "Appliance"],
        &[("gate", Daily(2_000_000))],
    ),
];

const LAB: [Resource; 1] = [resource(
    "fibre-tests",
    [MACHINE, "lab", NORTH, "research", "Linux"],
    &[("vm-s2", Busy(9_000_000)), ("files", Busy(3_000_000))],
)];

/// Of what leaves there, some is free in each month.
const LAB_LINK: [Resource; 1] = [resource(
    "fibre-link",
    ["Network/gateways", "lab", NORTH, "research", ""],
    &[("out-z1", Busy(4_000_000))],
)];

const OVENS: [Resource; 2] = [
    resource(
        "till-sync",
        [MACHINE, "shops", NORTH, "ovens", "Linux"],
        &[("vm-s2", DAY_OF_HOURS), ("out-z1", Busy(4_000_000))],
    ),
    resource(
        "recipes",
        ["Sql/databases", "shops", NORTH, "ovens", ""],
        &[("sql-s2", Daily(1_000_000))],
    ),
];

const WARDS: [Resource; 1] = [resource(
    "rota",
    [MACHINE, "rota", NORTH, "wards", "Linux"],
    &[("vm-m4", DAY_OF_HOURS), ("disk-s20", DISK)],
)];

const RENDERS: [Resource; 2] = [
    resource(
        "render-1",
        [MACHINE, "render", NORTH, "studio", "Windows"],
        &[("vm-m4w", DAY_OF_HOURS), ("disk-p10", DISK)],
    ),
    resource("frames", [OBJECTS, "render", NORTH, "studio", ""], &[("blob-hot", Busy(52_000_000))]),
];

const PROOFS: [Resource; 2] = [
    resource(
        "typesetter",
        [MACHINE, "proofs", NORTH, "books", "Linux"],
        &[("vm-m4", DAY_OF_HOURS)],
    ),
    resource("galleys", [OBJECTS, "proofs", NORTH, "books", ""], &[("files", Busy(6_000_000))]),
];

/// Makes their usage.
pub(crate) fn records(draw: &mut Draw, meters: &MeterIds, ids: &Ids, span: &Span) -> Records {
    let estates: [(&str, &str, &[Resource]); 7] = [
        (MILL, "works", &WORKS),
        (MILL, "lab", &LAB),
        (PARTNER, "ovens", &OVENS),
        (PARTNER, "wards", &WARDS),
        (STUDIO, "renders", &RENDERS),
        (PRESS, "proofs", &PROOFS),
        (MILL, "lab", &LAB_LINK),
    ];
    let estates = estates.map(|(account, subscription, resources)| Estate {
        account: ids.account(account),
        source: ESTATES,
        subscription: ids.subscription(subscription),
        resources,
    });
    records_of(draw, meters, &estates, span)
}
