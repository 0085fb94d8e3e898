//! Approvals: drafts of an account that a person has agreed to, before their period is closed.

use crate::closes::must_be_open;
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// A person's agreement to the drafts of an account's billing period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// The billing period, as a number: 202603.
    pub period: i32,
    /// Whose drafts.
    pub billing_account: String,
    /// The digest of all of them: it holds for no others.
    pub content: [u8; 32],
    /// The principal that agreed.
    pub approved_by: String,
    /// When that was: system time.
    pub approved_at: Instant,
}

statements! {
    LIST = "SELECT period, billing_account, content, approved_by, approved_at FROM approvals
        WHERE period = $1 AND billing_account = $2";
    APPROVE = "INSERT INTO approvals (period, billing_account, content, approved_by, approved_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (period, billing_account) DO UPDATE SET content = excluded.content,
            approved_by = excluded.approved_by, approved_at = excluded.approved_at";
    TAKE_BACK = "DELETE FROM approvals WHERE period = $1 AND billing_account = $2";
}

impl Store {
    /// The approval of an account's drafts of a billing period, if there is one.
    pub fn approval(&self, period: i32, billing_account: &str) -> Result<Option<ApprovalRow>> {
        let mut found = self.pool.read(|connection| list(connection, period, billing_account))?;
        Ok(found.pop())
    }

    /// Keeps an approval in the place of an earlier one, with its entry in the audit log; gives
    /// what is kept. One of the same content, by the same person, stays as it is.
    ///
    /// Errors: [`crate::StoreError::Refused`] for an account that is closed.
    pub fn approve_drafts(&self, approval: &ApprovalRow, note: &Note) -> Result<ApprovalRow> {
        let ApprovalRow { period, billing_account, content, approved_by, approved_at } = approval;
        self.pool.write(|connection| {
            must_be_open(connection, *period, billing_account)?;
            let before = list(connection, *period, billing_account)?.pop();
            let is_same =
                |kept: &ApprovalRow| (&kept.content, &kept.approved_by) == (content, approved_by);
            if let Some(kept) = before.filter(is_same) {
                return Ok(kept);
            }
            let values = values![period, billing_account, content, approved_by, approved_at];
            connection.execute(APPROVE, values)?;
            note.audit(connection, "draft.approve", target(*period, billing_account))?;
            Ok(approval.clone())
        })
    }

    /// Takes an approval back, with its entry in the audit log; tells whether there was one.
    ///
    /// Errors: [`crate::StoreError::Refused`] for an account that is closed.
    pub fn take_back_approval(
        &self,
        period: i32,
        billing_account: &str,
        note: &Note,
    ) -> Result<bool> {
        self.pool.write(|connection| {
            must_be_open(connection, period, billing_account)?;
            if connection.execute(TAKE_BACK, values![period, billing_account])? == 0 {
                return Ok(false);
            }
            note.audit(connection, "draft.take_back", target(period, billing_account))?;
            Ok(true)
        })
    }
}

/// Errors: [`StoreError::Stale`] unless just this approval is kept.
pub(crate) fn must_stand(connection: &mut dyn Connection, approval: &ApprovalRow) -> Result<()> {
    let kept = list(connection, approval.period, &approval.billing_account)?;
    if kept.contains(approval) {
        return Ok(());
    }
    let key = target(approval.period, &approval.billing_account);
    Err(StoreError::Stale { what: "approval", key, expected: 1, found: 0 })
}

fn list(
    connection: &mut dyn Connection,
    period: i32,
    billing_account: &str,
) -> Result<Vec<ApprovalRow>> {
    connection.rows(LIST, values![period, billing_account], read)
}

fn target(period: i32, billing_account: &str) -> String {
    format!("drafts of {billing_account} in {period}")
}

fn read(row: &mut Row) -> Result<ApprovalRow> {
    Ok(ApprovalRow {
        period: row.take()?,
        billing_account: row.take()?,
        content: row.take()?,
        approved_by: row.take()?,
        approved_at: row.take()?,
    })
}
