//! For which billing account a sender's records are, where they do not say it themselves.

use crate::Reckoner;
use domain::access::Caller;
use domain::ids::{BillingAccountId, SourceName};
use domain::{Error, Result};

impl Reckoner {
    /// The billing account of a record: the one it names, else the only one that the source and
    /// the caller's key are both bound to.
    ///
    /// Errors: [`Error::Invalid`] when there is none or more than one. Whether the caller may send
    /// for it is asked when the record is taken in.
    pub fn account_of(
        &self,
        caller: &Caller,
        source: &SourceName,
        named: Option<&str>,
    ) -> Result<BillingAccountId> {
        if let Some(named) = named {
            return BillingAccountId::new(named);
        }
        let declared = self.0.declared();
        let of_source = declared.company.sources.get(source);
        let mut accounts: Vec<&BillingAccountId> =
            of_source.into_iter().flat_map(|source| &source.billing_accounts).collect();
        if let Caller::Key(grant) = caller {
            accounts.retain(|account| grant.billing_accounts.contains(account));
        }
        match accounts.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(Error::invalid(
                "source",
                format!("`{source}` is bound to no billing account here"),
            )),
            _ => {
                let problem = format!("must be named: source `{source}` sends for several");
                Err(Error::invalid("billing_account", problem))
            }
        }
    }
}
