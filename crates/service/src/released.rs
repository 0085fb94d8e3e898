//! How many records have left quarantine since somebody was told.
//!
//! Rating notices it by itself whenever facts or records change; the numbers are kept beside the
//! rated files until a replay tells them.

use crate::Inner;
use crate::cells::{CellKey, Overlay};
use crate::quarantine::WaitingAsked;
use domain::Result;
use domain::ids::BillingAccountId;
use domain::rating::Rated;
use domain::usage::{Position, QuarantineReason, Quarantined};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Numbers of records that waited and do not wait any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Left {
    /// They are rated now.
    pub(crate) rated: u64,
    /// There is nothing to rate about them any more: withdrawn, amended, or left out.
    pub(crate) needless: u64,
}

impl Left {
    pub(crate) fn add(&mut self, more: Left) {
        self.rated = self.rated.saturating_add(more.rated);
        self.needless = self.needless.saturating_add(more.needless);
    }
}

/// Such numbers by account and by the reason for which the records waited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Released(BTreeMap<(BillingAccountId, QuarantineReason), Left>);

/// One of the numbers, as the books keep it beside a rated file.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleasedTwin {
    billing_account: String,
    reason: String,
    rated: u64,
    needless: u64,
}

impl Released {
    /// Counts the records of a unit that waited before and do not wait now.
    pub(crate) fn count(&mut self, waited: &[Quarantined], now: &Rated) {
        if waited.is_empty() {
            return;
        }
        let waits: HashSet<Position> = now.quarantine.iter().map(|waits| waits.position).collect();
        let rated: HashSet<Position> = now.rows.iter().filter_map(|row| row.position).collect();
        for one in waited.iter().filter(|one| !waits.contains(&one.position)) {
            let is_rated = rated.contains(&one.position);
            let left = Left { rated: u64::from(is_rated), needless: u64::from(!is_rated) };
            self.0.entry((one.key.billing_account.clone(), one.reason)).or_default().add(left);
        }
    }

    /// Adds other numbers.
    pub(crate) fn add(&mut self, other: &Released) {
        for (key, left) in &other.0 {
            self.0.entry(key.clone()).or_default().add(*left);
        }
    }

    /// Takes out what is asked for.
    fn take(&mut self, asked: &WaitingAsked) -> Left {
        let mut taken = Left::default();
        self.0.retain(|(account, reason), left| {
            let meant = asked.means(account, *reason);
            if meant {
                taken.add(*left);
            }
            !meant
        });
        taken
    }

    pub(crate) fn twins(&self) -> Vec<ReleasedTwin> {
        let twin = |((account, reason), left): (&(BillingAccountId, QuarantineReason), &Left)| {
            let Left { rated, needless } = *left;
            let (billing_account, reason) = (account.to_string(), reason.name().to_owned());
            ReleasedTwin { billing_account, reason, rated, needless }
        };
        self.0.iter().map(twin).collect()
    }

    pub(crate) fn of(twins: Vec<ReleasedTwin>) -> Result<Released> {
        let mut released = Released::default();
        for ReleasedTwin { billing_account, reason, rated, needless } in twins {
            let account = BillingAccountId::new(&billing_account)?;
            let key = (account, crate::quarantine::reason(&reason)?);
            released.0.insert(key, Left { rated, needless });
        }
        Ok(released)
    }
}

impl Inner {
    /// Takes the numbers out of a cell, and out of what is written of it: they are told once.
    ///
    /// A crash between the two tells them again.
    pub(crate) async fn take_released(
        self: &Arc<Self>,
        key: CellKey,
        asked: &WaitingAsked,
    ) -> Result<Left> {
        let cell = self.cells.cell(key);
        let busy = cell.busy.lock().await;
        let mut taken = Left::default();
        let mut is_written = false;
        {
            let mut held = cell.state();
            let state = &mut *held;
            if let Some(overlay) = &state.overlay {
                let mut overlay = Overlay::clone(overlay);
                taken.add(overlay.released.take(asked));
                state.overlay = Some(Arc::new(overlay));
            }
            if let Some(rated) = &mut state.rated {
                let written = rated.released.take(asked);
                is_written = written != Left::default();
                taken.add(written);
                let (end_sequence, version) = (rated.end_sequence, rated.version);
                if is_written && state.overlay.is_none() {
                    let nothing = Overlay {
                        units: Arc::default(),
                        rows: BTreeMap::new(),
                        quarantine: BTreeMap::new(),
                        row_count: 0,
                        end_sequence,
                        version,
                        released: Released::default(),
                    };
                    state.overlay = Some(Arc::new(nothing));
                }
            }
        }
        drop(busy);
        if is_written {
            self.write_rated(key).await?;
        }
        Ok(taken)
    }
}
