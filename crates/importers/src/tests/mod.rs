//! Tests: `real_*` on the vendors' files kept outside the repository, the others on rows made here.

mod broken;
mod mapping;
mod real_costs;
mod real_prices;
mod real_usage;
mod rows;

use crate::{Assumed, ImportError, ImportedRow, UsageFormat, UsageRows, read_usage};
use money::{Currency, Fixed18};
use std::io::Write;
use std::path::PathBuf;

/// A file of the data folder: `RECKONER_DATA`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud and leaves the file out; under `CI=true`
/// that is a failure.
fn real_file(name: &str) -> Option<Vec<u8>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("RECKONER_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(name);
    if !folder.is_dir() {
        // Straight to the stream: what `eprintln!` writes is hidden when the test passes.
        writeln!(std::io::stderr(), "LEFT OUT: {name}: no folder {}", folder.display()).unwrap();
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "real data is missing under CI");
        return None;
    }
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn us_dollars() -> Assumed {
    Assumed { currency: Some(Currency::parse("USD").unwrap()) }
}

fn open(format: UsageFormat, bytes: &[u8]) -> UsageRows<&[u8]> {
    read_usage(format, us_dollars(), bytes).unwrap()
}

/// All rows of a file in which no row is wrong.
fn read_all(format: UsageFormat, bytes: &[u8]) -> Vec<ImportedRow> {
    open(format, bytes).collect::<Result<_, ImportError>>().unwrap()
}

fn fixed(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}
