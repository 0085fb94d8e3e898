//! Vendors' files in: usage, price lists and rate cards, read into the domain's own words.
//!
//! Pure readers: bytes come in through [`std::io::Read`], rows go out one by one. Nothing here
//! knows the company or reads a clock; binding rows to billing accounts is the caller's work.
//! Start at [`read_usage`]; prices start at [`read_rate_card_azure`].

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod aws_cur;
mod azure_details;
mod detect;
mod elements;
mod error;
mod focus;
mod from_usage;
mod identity;
mod mapped;
mod oci_cost;
mod oci_price_list;
mod parquet_table;
mod price_mapping;
mod price_sheet;
mod prices;
mod rate_card;
mod reconcile;
mod row;
mod table;
mod usage;
mod usage_aggregates;
mod usage_rows;
mod values;

pub use error::{FileError, ImportError, RowError};
pub use from_usage::{PriceScale, prices_from_usage};
pub use identity::Ordinals;
pub use mapped::{Dates, Field, Grain, Mapping};
pub use oci_price_list::read_price_list_oci;
pub use price_mapping::{PriceField, PriceMapping, read_price_list_csv, read_price_list_parquet};
pub use price_sheet::read_price_sheet_azure_json;
pub use prices::{ImportedPrices, PriceFormat, RoundedRate, Tax};
pub use rate_card::{CardPlace, read_rate_card_azure};
pub use reconcile::{Compared, Reconciliation, Totals, reconcile};
pub use usage::{Assumed, Axis, Finality, ImportedRow, MeterHint, UsageFormat};
pub use usage_rows::{UsageRows, read_usage, read_usage_parquet};

#[cfg(test)]
mod tests;
