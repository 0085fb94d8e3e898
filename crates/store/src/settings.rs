//! The installation's secrets, made once, and its settings.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Note, Result, Store};

statements! {
    KEEP_SECRET = "INSERT INTO secrets (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    SECRET = "SELECT secret FROM secrets WHERE name = $1";
    SET = "INSERT INTO settings (name, setting) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET setting = excluded.setting";
    SETTING = "SELECT setting FROM settings WHERE name = $1";
}

impl Store {
    /// The secret of this name, if it was made.
    pub fn secret(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.pool.read(|connection| connection.row(SECRET, values![name], Row::take))
    }

    /// The secret of this name; `candidate` becomes it if there is none. All callers, on all
    /// nodes, get the same.
    pub fn ensure_secret(&self, name: &str, candidate: &[u8]) -> Result<Vec<u8>> {
        if let Some(secret) = self.secret(name)? {
            return Ok(secret);
        }
        self.pool.write(|connection| {
            connection.execute(KEEP_SECRET, values![name, candidate])?;
            connection.one(SECRET, values![name], Row::take)
        })
    }

    /// The setting of this name.
    pub fn setting(&self, name: &str) -> Result<Option<String>> {
        self.pool.read(|connection| connection.row(SETTING, values![name], Row::take))
    }

    /// Changes a setting, with its entry in the audit log.
    pub fn set_setting(&self, name: &str, setting: &str, note: &Note) -> Result<()> {
        self.pool.write(|connection| {
            connection.execute(SET, values![name, setting])?;
            note.audit(connection, "setting.set", format!("setting {name}"))
        })
    }
}
