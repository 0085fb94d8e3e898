//! The rules of the engine.

mod answers;
mod objects;
mod values;

use std::sync::{Arc, LazyLock};

use tempfile::TempDir;

use crate::{
    Column, ColumnType, Engine, EngineOptions, FileFacts, ObjectPlace, Rows, RowsBuilder, Schema,
    Spill,
};

/// Every type, with and without nulls.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&[
        Column::new("account", ColumnType::Int32),
        Column::new("day", ColumnType::Int32),
        Column::new("unit", ColumnType::Int64),
        Column::nullable("campaign", ColumnType::Int64),
        Column::nullable("network", ColumnType::Text),
        Column::nullable("mark", ColumnType::Bytes),
        Column::nullable("cost", ColumnType::Decimal),
        Column::new("quantity", ColumnType::Quantity),
    ])
    .unwrap()
});

/// One row of [`SCHEMA`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    account: i32,
    day: i32,
    unit: i64,
    campaign: Option<i64>,
    network: Option<String>,
    mark: Option<Vec<u8>>,
    cost: Option<i128>,
    quantity: i128,
}

fn rows_of(rows: &[Row]) -> Rows {
    use crate::Cell::{Bytes, Decimal, Int32, Int64, Null, Text};
    let mut builder = RowsBuilder::new(SCHEMA.clone(), rows.len());
    for row in rows {
        let cells = [
            Int32(row.account),
            Int32(row.day),
            Int64(row.unit),
            row.campaign.map_or(Null, Int64),
            row.network.as_deref().map_or(Null, Text),
            row.mark.as_deref().map_or(Null, Bytes),
            row.cost.map_or(Null, Decimal),
            Decimal(row.quantity),
        ];
        builder.push(&cells).unwrap();
    }
    builder.finish().unwrap()
}

fn read_back(rows: &Rows) -> Vec<Row> {
    let account = rows.i32("account").unwrap();
    let day = rows.i32("day").unwrap();
    let unit = rows.i64("unit").unwrap();
    let campaign = rows.i64("campaign").unwrap();
    let network = rows.text("network").unwrap();
    let mark = rows.bytes("mark").unwrap();
    let cost = rows.decimal("cost").unwrap();
    let quantity = rows.decimal("quantity").unwrap();
    let row = |at: usize| Row {
        account: account.get(at).unwrap(),
        day: day.get(at).unwrap(),
        unit: unit.get(at).unwrap(),
        campaign: campaign.get(at),
        network: network.get(at).map(str::to_owned),
        mark: mark.get(at).map(<[u8]>::to_vec),
        cost: cost.get(at),
        quantity: quantity.get(at).unwrap(),
    };
    (0..rows.len()).map(row).collect()
}

/// An engine over a directory that goes away with it.
struct House {
    engine: Engine,
    folder: TempDir,
}

impl House {
    fn new() -> House {
        House::with(2, 0, 256 << 20)
    }

    fn with(threads: usize, cached_bytes: u64, memory_bytes: usize) -> House {
        let folder = TempDir::new().unwrap();
        let place = ObjectPlace::Directory(folder.path().join("objects"));
        let options = EngineOptions { place, memory_bytes, threads, cached_bytes, spill: None };
        House { engine: Engine::open(options).unwrap(), folder }
    }

    fn spilling(memory_bytes: usize) -> House {
        let folder = TempDir::new().unwrap();
        let place = ObjectPlace::Directory(folder.path().join("objects"));
        let spill = Some(Spill { directory: folder.path().join("spill"), bytes: 1 << 30 });
        let options = EngineOptions { place, memory_bytes, threads: 2, cached_bytes: 0, spill };
        House { engine: Engine::open(options).unwrap(), folder }
    }

    async fn write(&self, path: &str, rows: &[Row]) -> Arc<FileFacts> {
        let sort_by = ["account", "day"];
        Arc::new(self.engine.write(path, vec![rows_of(rows)], &sort_by).await.unwrap())
    }
}
