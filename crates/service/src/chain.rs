//! The chain of closes: a link for each sealed billing period, and for each account that was
//! parked and closed later.

use crate::Inner;
use crate::closes::{Run, period_of};
use crate::documents::{EVERY, number_of};
use calendar::BillingPeriod;
use domain::Result;
use domain::chain::{Closed, Digest, Link, LinkVersion, Statement, accounts_digest, encode_link};
use domain::ids::BillingAccountId;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{AccountClose, CloseRow, CloseState, DocumentRow, LinkRow, Note};

/// What one account made final, by its digests.
pub(crate) struct Member {
    pub(crate) account: BillingAccountId,
    pub(crate) rows: Digest,
    pub(crate) entries: Digest,
}

impl Inner {
    /// The newest billing period that is sealed.
    pub(crate) async fn newest_sealed(self: &Arc<Self>) -> Result<Option<BillingPeriod>> {
        let links = self.close_links().await?;
        let newest = links.iter().map(|link| link.period).max();
        newest.map(period_of).transpose()
    }

    /// Billing periods before one that are sealed.
    pub(crate) async fn sealed_before(
        self: &Arc<Self>,
        period: BillingPeriod,
    ) -> Result<BTreeSet<BillingPeriod>> {
        let links = self.close_links().await?;
        let earlier = links.iter().map(|link| link.period).filter(|of| *of < period.number());
        earlier.map(period_of).collect()
    }

    /// The chain, from its first link on.
    pub(crate) async fn close_links(self: &Arc<Self>) -> Result<Vec<LinkRow>> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || store.close_links().map_err(crate::stored("read the chain"))).await
    }

    /// Seals what is closed and not sealed yet, and gives the head of the chain.
    pub(crate) async fn seal_close(self: &Arc<Self>, run: &Run<'_>) -> Result<Digest> {
        let (store, note) = (Arc::clone(&self.store), run.note.clone());
        let (period, at) = (run.asked.period, run.at);
        crate::blocking(move || {
            let sealer = Sealer { store: &store, period, at, note: &note };
            sealer.seal_all()
        })
        .await
    }
}

/// One period's sealing.
struct Sealer<'a> {
    store: &'a store::Store,
    period: BillingPeriod,
    at: calendar::Instant,
    note: &'a Note,
}

impl Sealer<'_> {
    fn seal_all(&self) -> Result<Digest> {
        let number = self.period.number();
        let links = self.store.close_links().map_err(crate::stored("read the chain"))?;
        let closes = self.store.closes(number).map_err(crate::stored("read the closes"))?;
        let filter =
            store::DocumentFilter { period: Some(number), ..store::DocumentFilter::default() };
        let documents = self.store.documents(&filter, EVERY);
        let documents = documents.map_err(crate::stored("read the documents"))?;
        let members = members(&closes, None)?;
        let mut head = links.last().map_or(Digest::GENESIS, |link| Digest::from_bytes(link.head));
        let mut next = (links.len() as u64).saturating_add(1);
        let is_sealed = links.iter().any(|link| link.period == number);
        let groups: Vec<(Closed, Vec<Member>)> = if is_sealed {
            let parked = |member: Member| (Closed::Parked(member.account.clone()), vec![member]);
            members.into_iter().map(parked).collect()
        } else {
            vec![(Closed::Period, members)]
        };
        for (of, members) in groups {
            let named = (LinkVersion::NEWEST, self.period, of);
            let statement = statement(named, &members, &documents)?;
            head = self.seal((next, head), statement, members.len() as u64)?;
            next = next.saturating_add(1);
        }
        Ok(head)
    }

    fn seal(
        &self,
        (number, previous): (u64, Digest),
        of: Statement,
        accounts: u64,
    ) -> Result<Digest> {
        let link = Link::seal(previous, of);
        let row = LinkRow {
            number,
            period: self.period.number(),
            billing_account: match &link.statement.of {
                Closed::Period => None,
                Closed::Parked(account) => Some(account.to_string()),
            },
            body: encode_link(previous, &link.statement),
            head: *link.head.as_bytes(),
            sealed_at: self.at,
        };
        let sealed = self.store.seal_close(&row, accounts, self.note);
        sealed.map_err(crate::stored("seal a close"))?;
        Ok(link.head)
    }
}

/// What is sealed by a link: its accounts' closes as they are kept, in order of account. Without a
/// link, what is closed and not sealed yet.
pub(crate) fn members(closes: &[CloseRow], of: Option<u64>) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for CloseRow { period: _, billing_account, state } in closes {
        if let CloseState::Closed { closed, link } = state
            && *link == of
        {
            let AccountClose { rows_digest, entries_digest, .. } = closed;
            members.push(Member {
                account: BillingAccountId::new(billing_account)?,
                rows: Digest::from_bytes(*rows_digest),
                entries: Digest::from_bytes(*entries_digest),
            });
        }
    }
    Ok(members)
}

/// What members made final together; of `documents` only theirs count.
pub(crate) fn statement(
    (version, period, of): (LinkVersion, BillingPeriod, Closed),
    members: &[Member],
    documents: &[DocumentRow],
) -> Result<Statement> {
    let accounts: BTreeSet<&str> = members.iter().map(|member| member.account.as_str()).collect();
    let own = documents.iter().filter(|row| accounts.contains(row.billing_account.as_str()));
    let digest = |row: &DocumentRow| -> Result<Digest> {
        Ok(match version {
            LinkVersion::Bodies => Digest::of(&row.body),
            LinkVersion::Documents => {
                let whole = row.checksum().map_err(crate::stored("read a document"))?;
                Digest::from_bytes(whole)
            }
        })
    };
    let digests = own.map(|row| Ok((number_of(row)?, digest(row)?)));
    let documents = digests.collect::<Result<_>>()?;
    Ok(Statement {
        version,
        period,
        of,
        rows: accounts_digest(members.iter().map(|member| (&member.account, member.rows)))?,
        entries: accounts_digest(members.iter().map(|member| (&member.account, member.entries)))?,
        documents,
    })
}
