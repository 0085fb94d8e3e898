//! The meters and published rates of the cloud that the demo sells.

/// One meter with its published rate in US dollars.
pub(crate) struct MeterRow {
    /// How this crate calls it.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) subcategory: &'static str,
    pub(crate) region: &'static str,
    pub(crate) unit: &'static str,
    /// Quantity from which a rate holds, and the rate.
    pub(crate) rates: &'static [(&'static str, &'static str)],
    pub(crate) included: &'static str,
}

/// A meter without free quantity.
const fn meter(
    key: &'static str,
    [name, category, subcategory, region, unit]: [&'static str; 5],
    rates: &'static [(&'static str, &'static str)],
) -> MeterRow {
    MeterRow { key, name, category, subcategory, region, unit, rates, included: "0" }
}

/// The same with free quantity in each billing period.
const fn with_included(row: MeterRow, included: &'static str) -> MeterRow {
    MeterRow { included, ..row }
}

/// Meters that others sell through us: no credit pays for them.
pub(crate) const THIRD_PARTY: [&str; 2] = ["gate", "agent"];

const VM: &str = "Virtual Machines";
const STORAGE: &str = "Storage";
const NET: &str = "Networking";
const SQL: &str = "SQL Database";

/// All cloud meters.
pub(crate) const METERS: [MeterRow; 37] = [
    meter("vm-s2", ["Compute Hours", VM, "S2 Linux", "EU North", "Hours"], &[("0", "0.052")]),
    meter("vm-m4", ["Compute Hours", VM, "M4 Linux", "EU North", "Hours"], &[("0", "0.192")]),
    meter("vm-m4w", ["Compute Hours", VM, "M4 Windows", "EU North", "Hours"], &[("0", "0.348")]),
    meter("vm-l8", ["Compute Hours", VM, "L8 Linux", "US West", "Hours"], &[("0", "0.421")]),
    meter(
        "disk-p10",
        ["Disk P10", STORAGE, "Premium Disks", "EU North", "Units"],
        &[("0", "19.71")],
    ),
    meter(
        "disk-s20",
        ["Disk S20", STORAGE, "Standard Disks", "EU North", "Units"],
        &[("0", "5.89")],
    ),
    meter(
        "blob-hot",
        ["Hot Data Stored", STORAGE, "Objects", "EU North", "GB/Month"],
        &[("0", "0.0208"), ("51200", "0.01996"), ("512000", "0.0191")],
    ),
    meter("blob-put", ["Write Operations", STORAGE, "Objects", "", "10,000s"], &[("0", "0.054")]),
    meter("blob-get", ["Read Operations", STORAGE, "Objects", "", "10,000s"], &[("0", "0.0043")]),
    meter("files", ["Data Stored", STORAGE, "Files", "EU North", "GB/Month"], &[("0", "0.06")]),
    with_included(
        meter(
            "out-z1",
            ["Data Transfer Out", NET, "", "Zone 1", "GB"],
            &[("0", "0.087"), ("10235", "0.083"), ("51195", "0.07"), ("153595", "0.05")],
        ),
        "5",
    ),
    with_included(
        meter(
            "out-z2",
            ["Data Transfer Out", NET, "", "Zone 2", "GB"],
            &[("0", "0.12"), ("10235", "0.085"), ("51195", "0.082")],
        ),
        "5",
    ),
    meter("in-z1", ["Data Transfer In", NET, "", "Zone 1", "GB"], &[("0", "0")]),
    meter("rules", ["Balancer Rules", NET, "Load Balancer", "", "Hours"], &[("0", "0.025")]),
    meter("ip", ["Static Address Hours", NET, "Addresses", "", "Hours"], &[("0", "0.0036")]),
    meter("vpn", ["Gateway Hours", NET, "Gateway G1", "", "Hours"], &[("0", "0.19")]),
    meter(
        "edge-out",
        ["Edge Transfer Out", "Edge Delivery", "Standard", "Zone 1", "GB"],
        &[("0", "0.081"), ("10000", "0.075"), ("50000", "0.056"), ("150000", "0.037")],
    ),
    meter("edge-hits", ["Edge Requests", "Edge Delivery", "", "", "10,000s"], &[("0", "0.0075")]),
    meter("sql-s2", ["Database Days", SQL, "Standard S2", "EU North", "Days"], &[("0", "2.4192")]),
    meter("sql-p1", ["Database Days", SQL, "Premium P1", "EU North", "Days"], &[("0", "15")]),
    meter("sql-save", ["Backup Data Stored", SQL, "", "", "GB/Month"], &[("0", "0.1")]),
    meter("cache", ["Cache Hours", "Cache", "C1 Standard", "EU North", "Hours"], &[("0", "0.138")]),
    meter(
        "queue",
        ["Queue Operations", "Messaging Bus", "Standard", "", "1M Operations"],
        &[("0", "0"), ("13", "0.8"), ("100", "0.5"), ("2500", "0.2")],
    ),
    meter(
        "runs",
        ["Total Executions", "Functions", "", "", "10,000s"],
        &[("0", "0"), ("100", "0.002")],
    ),
    with_included(
        meter(
            "run-gbs",
            ["Execution Time", "Functions", "", "", "GB Seconds"],
            &[("0", "0.000016")],
        ),
        "400000",
    ),
    with_included(
        meter("logs", ["Data Ingested", "Log Analytics", "", "EU North", "GB"], &[("0", "2.3")]),
        "5",
    ),
    meter("watch", ["Metric Queries", "Monitoring", "", "", "1,000s"], &[("0", "0.01")]),
    meter("dns", ["Public Queries", "DNS", "", "", "1M Queries"], &[("0", "0.4"), ("1000", "0.2")]),
    meter("zone", ["Public Zones", "DNS", "", "", "Zones"], &[("0", "0.5"), ("25", "0.1")]),
    meter("vault", ["Vault Operations", "Key Vault", "", "", "10,000s"], &[("0", "0.03")]),
    meter("search", ["Search Unit Hours", "Search", "S1", "EU North", "Hours"], &[("0", "0.336")]),
    meter("cluster", ["Cluster Hours", "Containers", "Standard", "", "Hours"], &[("0", "0.1")]),
    meter("registry", ["Registry Days", "Containers", "Basic", "", "Days"], &[("0", "0.1666")]),
    meter(
        "lake",
        ["Scanned Data", "Analytics", "Query", "EU North", "TB"],
        &[("0", "5"), ("1000", "4.25")],
    ),
    meter(
        "notebook",
        ["Notebook Hours", "Analytics", "N4", "EU North", "Hours"],
        &[("0", "0.553")],
    ),
    meter("gate", ["Gate Appliance Hours", "Palisade Gate", "G200", "", "Hours"], &[("0", "1.12")]),
    meter("agent", ["Backup Agents", "Cellar Backup", "Agent", "", "Nodes"], &[("0", "0.085")]),
];

/// German names of categories, for locale `de-DE`.
pub(crate) const GERMAN: [(&str, &str); 8] = [
    (VM, "Virtuelle Computer"),
    (STORAGE, "Speicher"),
    (NET, "Netzwerk"),
    (SQL, "SQL-Datenbank"),
    ("Functions", "Funktionen"),
    ("Containers", "Container"),
    ("Search", "Suche"),
    ("Monitoring", "Überwachung"),
];
