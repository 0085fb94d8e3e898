//! Codes: the small whole numbers that stand for dimension values in rated files.
//!
//! A code is durable before a file with it becomes visible, and is never given out again.

use crate::blocking;
use domain::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use store::Store;

/// What a code stands for.
pub(crate) type CodeKind = &'static str;

/// Billing accounts.
pub(crate) const ACCOUNT: CodeKind = "account";
/// Subscriptions.
pub(crate) const SUBSCRIPTION: CodeKind = "subscription";
/// Meters.
pub(crate) const METER: CodeKind = "meter";
/// Categories of meters.
pub(crate) const METER_CATEGORY: CodeKind = "meter_category";
/// Units of meters.
pub(crate) const MEASURE: CodeKind = "measure";
/// Currencies.
pub(crate) const CURRENCY: CodeKind = "currency";
/// Versions of prices.
pub(crate) const PRICE: CodeKind = "price";
/// Reservations.
pub(crate) const RESERVATION: CodeKind = "reservation";

#[derive(Default)]
struct Table {
    codes: HashMap<CodeKind, HashMap<Arc<str>, i32>>,
    values: HashMap<(CodeKind, i32), Arc<str>>,
}

/// The codes of the installation, cached.
pub(crate) struct Codes {
    store: Arc<Store>,
    table: RwLock<Table>,
}

impl Codes {
    /// Reads all codes.
    pub(crate) fn open(store: Arc<Store>, kinds: &[CodeKind]) -> Result<Codes> {
        let mut table = Table::default();
        for row in store.codes().map_err(crate::stored("read the codes"))? {
            if let Some(kind) = kinds.iter().find(|known| **known == row.kind) {
                table.insert(kind, row.code, &row.value);
            }
        }
        Ok(Codes { store, table: RwLock::new(table) })
    }

    /// Gives every value a code, durably.
    pub(crate) async fn assign(self: &Arc<Self>, wanted: Vec<(CodeKind, String)>) -> Result<()> {
        let missing: Vec<_> = {
            let table = self.read();
            wanted.into_iter().filter(|(kind, value)| table.code(kind, value).is_none()).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let this = Arc::clone(self);
        blocking(move || {
            let asked: Vec<(String, String)> =
                missing.iter().map(|(kind, value)| ((*kind).to_owned(), value.clone())).collect();
            let codes = this.store.assign_codes(&asked).map_err(crate::stored("assign codes"))?;
            let mut table = this.table.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            for ((kind, value), code) in missing.iter().zip(codes) {
                table.insert(kind, code, value);
            }
            Ok(())
        })
        .await
    }

    /// The code of a value, if it has one.
    pub(crate) fn find(&self, kind: CodeKind, value: &str) -> Option<i32> {
        self.read().code(kind, value)
    }

    /// The code of a value that was assigned before.
    pub(crate) fn code(&self, kind: CodeKind, value: &str) -> Result<i32> {
        self.find(kind, value).ok_or_else(|| {
            Error::internal(format!("find the code of {kind} `{value}`"), "it was never assigned")
        })
    }

    /// What a code stands for.
    pub(crate) fn value(&self, kind: CodeKind, code: i32) -> Result<Arc<str>> {
        self.read().values.get(&(kind, code)).cloned().ok_or_else(|| {
            Error::internal(
                format!("find the value of {kind} code {code}"),
                "it was never assigned",
            )
        })
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Table {
    fn insert(&mut self, kind: CodeKind, code: i32, value: &str) {
        let value: Arc<str> = Arc::from(value);
        self.codes.entry(kind).or_default().insert(Arc::clone(&value), code);
        self.values.insert((kind, code), value);
    }

    fn code(&self, kind: CodeKind, value: &str) -> Option<i32> {
        self.codes.get(kind)?.get(value).copied()
    }
}
