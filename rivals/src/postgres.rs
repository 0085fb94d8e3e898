//! The rival for taking usage in: PostgreSQL with a unique id.

use crate::settings::Settings;
use crate::taking_in::Taker;
use crate::usage::{Row, Usage, account_id, campaign_id, country_id, subscription_id};
use anyhow::{Result, ensure};
use postgres::{Client, NoTls, Statement};
use serde_json::Value;
use std::io::Write;
use std::ops::Range;

/// The table, in a schema of its own that is dropped at the end.
pub(crate) struct Events(Client);

impl Events {
    pub(crate) fn make(settings: &Settings) -> Result<Events> {
        let mut client = Client::connect(&settings.postgres, NoTls)?;
        client.batch_execute(include_str!("../sql/make.sql"))?;
        Ok(Events(client))
    }

    pub(crate) fn count(&mut self) -> Result<u64> {
        let row = self.0.query_one(include_str!("../sql/count.sql"), &[])?;
        Ok(u64::try_from(row.get::<_, i64>(0))?)
    }

    pub(crate) fn version(&mut self) -> Result<String> {
        Ok(self.0.query_one("SHOW server_version", &[])?.get(0))
    }

    /// What decides how durable and how fast it is.
    pub(crate) fn settings(&mut self) -> Result<Value> {
        let rows = self.0.query(include_str!("../sql/settings.sql"), &[])?;
        let pair =
            |row: postgres::Row| (row.get::<_, String>(0), Value::from(row.get::<_, &str>(1)));
        Ok(Value::Object(rows.into_iter().map(pair).collect()))
    }

    /// Puts the first rows in afresh, in the way that is best for the rival: the key is made when
    /// they are there, and everything is written before counting begins.
    pub(crate) fn fill(&mut self, usage: &Usage, rows: u64) -> Result<()> {
        self.0.batch_execute(include_str!("../sql/empty.sql"))?;
        let mut copy = self.0.copy_in(include_str!("../sql/copy.sql"))?;
        let mut lines = String::new();
        for n in 0..rows {
            let columns = columns(&usage.row(n));
            let [id, account, rest @ ..] = &columns;
            lines += &format!("{id}\tgate\t{account}\t{}\n", rest.join("\t"));
            if lines.len() > 1 << 20 {
                copy.write_all(lines.as_bytes())?;
                lines.clear();
            }
        }
        copy.write_all(lines.as_bytes())?;
        ensure!(copy.finish()? == rows, "not all rows were copied");
        for part in include_str!("../sql/filled.sql").split_inclusive(";\n") {
            // Each on its own: a checkpoint cannot run inside a transaction.
            self.0.batch_execute(part)?;
        }
        Ok(())
    }

    pub(crate) fn end(mut self) -> Result<()> {
        Ok(self.0.batch_execute(include_str!("../sql/end.sql"))?)
    }
}

/// One connection; each batch is one statement and one commit.
pub(crate) struct Inserter {
    client: Client,
    statement: Statement,
    columns: [Vec<String>; 10],
}

impl Inserter {
    pub(crate) fn new(settings: &Settings) -> Result<Inserter> {
        let mut client = Client::connect(&settings.postgres, NoTls)?;
        let statement = client.prepare(include_str!("../sql/insert.sql"))?;
        Ok(Inserter { client, statement, columns: Default::default() })
    }
}

impl Taker for Inserter {
    fn take(&mut self, usage: &Usage, rows: Range<u64>) -> Result<()> {
        let wanted = rows.end - rows.start;
        self.columns.iter_mut().for_each(Vec::clear);
        for n in rows {
            for (column, value) in self.columns.iter_mut().zip(columns(&usage.row(n))) {
                column.push(value);
            }
        }
        let [
            id,
            account,
            subscription,
            resource,
            meter,
            quantity,
            start,
            country,
            campaign,
            traffic,
        ] = &self.columns;
        let inserted = self.client.execute(
            &self.statement,
            &[
                id,
                account,
                subscription,
                resource,
                meter,
                quantity,
                start,
                country,
                campaign,
                traffic,
            ],
        )?;
        ensure!(inserted == wanted, "{inserted} rows were new");
        Ok(())
    }
}

/// The columns in the order of the table, without the source.
fn columns(row: &Row) -> [String; 10] {
    [
        format!("{:032x}", row.id),
        account_id(row.account),
        subscription_id(row.account),
        format!("sender-{}", row.account % 7),
        format!("meter-{}", row.meter),
        row.quantity(),
        row.start(),
        country_id(row.country),
        campaign_id(row.campaign),
        row.traffic().to_owned(),
    ]
}
