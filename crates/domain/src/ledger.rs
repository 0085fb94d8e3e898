//! The ledger: double entry in whole minor units. Every balance is a fold of entries.
//!
//! An entry cannot be made unless its debits equal its credits in each currency. What may not fall
//! below zero (what a document is owed, lots, open credit) is a bound of the ledger account itself,
//! so that nobody can be refunded more than they paid or credited more than they were billed.
//! Which business event makes which entry stands in [`crate::posting`].

use crate::ids::{DocumentId, LotId, PaymentId, TaxCategory};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::Instant;
use money::{Currency, Money, MoneyError};
use std::collections::BTreeMap;
use std::fmt;

/// Where money stands. One payer's books hold one of each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// What one document is still owed: its amount due.
    Receivable(DocumentId),
    /// What we owe the payer: over-payments, and credit for what was paid already.
    OpenCredit,
    /// What is left of a credit lot: money granted and not yet used.
    Credit(LotId),
    /// What is left of a prepayment lot: money paid and not yet used.
    Prepayment(LotId),
    /// What credit lots cost us when they were granted.
    Granted,
    /// What lots still held when they ended.
    Expired,
    /// Charges by category. Tax that a vendor billed and we pass on is a charge like any other.
    Revenue(ChargeCategory),
    /// Tax of ours that is due to the authorities.
    TaxPayable(TaxCategory),
    /// Money received and paid out.
    Payments,
    /// What one document is owed and nobody will be asked for.
    WriteOff(DocumentId),
    /// Late usage of a closed document's period that is never billed.
    NotBilled(DocumentId),
}

impl LedgerAccount {
    /// The side on which it grows, and so on which its balance is told.
    pub const fn side(&self) -> Side {
        match self {
            LedgerAccount::Receivable(_)
            | LedgerAccount::Granted
            | LedgerAccount::Payments
            | LedgerAccount::WriteOff(_)
            | LedgerAccount::NotBilled(_) => Side::Debit,
            LedgerAccount::OpenCredit
            | LedgerAccount::Credit(_)
            | LedgerAccount::Prepayment(_)
            | LedgerAccount::Expired
            | LedgerAccount::Revenue(_)
            | LedgerAccount::TaxPayable(_) => Side::Credit,
        }
    }

    /// Finds the one that a name (see [`fmt::Display`]) stands for.
    ///
    /// Errors: [`Error::Invalid`] for any other text.
    pub fn parse(name: &str) -> Result<LedgerAccount> {
        let unknown = || Error::invalid("ledger account", format!("there is no `{name}`"));
        let Some((kind, of)) = name.split_once(':') else {
            return match name {
                "open_credit" => Ok(LedgerAccount::OpenCredit),
                "granted" => Ok(LedgerAccount::Granted),
                "expired" => Ok(LedgerAccount::Expired),
                "payments" => Ok(LedgerAccount::Payments),
                _ => Err(unknown()),
            };
        };
        Ok(match kind {
            "receivable" => LedgerAccount::Receivable(DocumentId::new(of)?),
            "credit" => LedgerAccount::Credit(LotId::new(of)?),
            "prepayment" => LedgerAccount::Prepayment(LotId::new(of)?),
            "revenue" => LedgerAccount::Revenue(ChargeCategory::parse(of).ok_or_else(unknown)?),
            "tax_payable" => LedgerAccount::TaxPayable(TaxCategory::new(of)?),
            "write_off" => LedgerAccount::WriteOff(DocumentId::new(of)?),
            "not_billed" => LedgerAccount::NotBilled(DocumentId::new(of)?),
            _ => return Err(unknown()),
        })
    }

    /// Whether its balance may fall below zero.
    const fn bound(&self) -> Bound {
        match self {
            LedgerAccount::Receivable(_)
            | LedgerAccount::OpenCredit
            | LedgerAccount::Credit(_)
            | LedgerAccount::Prepayment(_)
            | LedgerAccount::WriteOff(_)
            | LedgerAccount::NotBilled(_) => Bound::NeverBelowZero,
            LedgerAccount::Granted
            | LedgerAccount::Expired
            | LedgerAccount::Revenue(_)
            | LedgerAccount::TaxPayable(_)
            | LedgerAccount::Payments => Bound::None,
        }
    }
}

enum Bound {
    NeverBelowZero,
    None,
}

/// Writes the name by which rows and messages know it: `receivable:d-1`, `revenue:usage`.
impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerAccount::Receivable(document) => write!(f, "receivable:{document}"),
            LedgerAccount::OpenCredit => f.write_str("open_credit"),
            LedgerAccount::Credit(lot) => write!(f, "credit:{lot}"),
            LedgerAccount::Prepayment(lot) => write!(f, "prepayment:{lot}"),
            LedgerAccount::Granted => f.write_str("granted"),
            LedgerAccount::Expired => f.write_str("expired"),
            LedgerAccount::Revenue(category) => write!(f, "revenue:{}", category.name()),
            LedgerAccount::TaxPayable(category) => write!(f, "tax_payable:{category}"),
            LedgerAccount::Payments => f.write_str("payments"),
            LedgerAccount::WriteOff(document) => write!(f, "write_off:{document}"),
            LedgerAccount::NotBilled(document) => write!(f, "not_billed:{document}"),
        }
    }
}

/// The two sides of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What came in, or is owed to us.
    Debit,
    /// Where it came from, or what we owe.
    Credit,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Side {
        match self {
            Side::Debit => Side::Credit,
            Side::Credit => Side::Debit,
        }
    }
}

/// One side of an entry in one ledger account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: LedgerAccount,
    /// On which side.
    pub side: Side,
    /// Minor units; not below zero: less is the other side.
    pub amount: Money,
}

impl Posting {
    /// A posting on the debit side; an amount below zero goes to the other side as its size.
    ///
    /// Errors: [`MoneyError::Overflow`].
    pub fn debit(account: LedgerAccount, amount: Money) -> std::result::Result<Self, MoneyError> {
        Posting::on(Side::Debit, account, amount)
    }

    /// A posting on the credit side; an amount below zero goes to the other side as its size.
    ///
    /// Errors: [`MoneyError::Overflow`].
    pub fn credit(account: LedgerAccount, amount: Money) -> std::result::Result<Self, MoneyError> {
        Posting::on(Side::Credit, account, amount)
    }

    fn on(
        side: Side,
        account: LedgerAccount,
        amount: Money,
    ) -> std::result::Result<Posting, MoneyError> {
        if amount.is_negative() {
            return Ok(Posting { account, side: side.other(), amount: amount.checked_neg()? });
        }
        Ok(Posting { account, side, amount })
    }

    /// Minor units, as the account's balance on its own side sees them.
    pub(crate) fn signed(&self) -> std::result::Result<Money, MoneyError> {
        if self.side == self.account.side() { Ok(self.amount) } else { self.amount.checked_neg() }
    }
}

/// What an entry stands for. It is the entry's key: nothing is posted twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A line of an invoice, or its reversal by a line of a note.
    Line {
        /// The invoice or note.
        document: DocumentId,
        /// Number of the line, from 1.
        line: u32,
    },
    /// A tax of an invoice or note.
    Tax {
        /// The invoice or note.
        document: DocumentId,
        /// Number of the tax, from 1.
        tax: u32,
    },
    /// What a lot pays of an invoice, or gets back by a note.
    Drawdown {
        /// The invoice or note.
        document: DocumentId,
        /// The lot.
        lot: LotId,
    },
    /// What a document leaves in the payer's favour.
    Surplus {
        /// The invoice or note.
        document: DocumentId,
    },
    /// Open credit that pays an invoice.
    OpenCreditApplied {
        /// The invoice.
        document: DocumentId,
        /// Number of the application to this invoice, from 1.
        number: u32,
    },
    /// Money received.
    Payment {
        /// Its id.
        payment: PaymentId,
    },
    /// Open credit paid out.
    Refund {
        /// Its id.
        payment: PaymentId,
    },
    /// A lot granted or filled without an invoice.
    Grant {
        /// The lot.
        lot: LotId,
    },
    /// What a lot still held when it ended.
    Expiry {
        /// The lot.
        lot: LotId,
    },
    /// What an invoice is owed and nobody will be asked for, or the reversal of that by a note.
    WriteOff {
        /// The invoice or note.
        document: DocumentId,
    },
    /// Late usage that is not worth billing.
    NotBilled {
        /// The invoice of the closed period.
        document: DocumentId,
        /// Number of the delivery of corrections, from 1 for each invoice.
        number: u32,
    },
    /// What a lot got back by a note after it had ended.
    ExpiryAgain {
        /// The note.
        note: DocumentId,
        /// The lot.
        lot: LotId,
    },
}

/// Writes what messages call it: `line 3 of d-1`.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Purpose::Line { document, line } => write!(f, "line {line} of {document}"),
            Purpose::Tax { document, tax } => write!(f, "tax {tax} of {document}"),
            Purpose::Drawdown { document, lot } => write!(f, "drawdown of {lot} for {document}"),
            Purpose::Surplus { document } => write!(f, "surplus of {document}"),
            Purpose::OpenCreditApplied { document, number } => {
                write!(f, "open credit {number} applied to {document}")
            }
            Purpose::Payment { payment } => write!(f, "payment {payment}"),
            Purpose::Refund { payment } => write!(f, "refund {payment}"),
            Purpose::Grant { lot } => write!(f, "grant of {lot}"),
            Purpose::Expiry { lot } => write!(f, "expiry of {lot}"),
            Purpose::WriteOff { document } => write!(f, "write-off of {document}"),
            Purpose::NotBilled { document, number } => {
                write!(f, "late usage {number} not billed for {document}")
            }
            Purpose::ExpiryAgain { note, lot } => write!(f, "expiry of {lot} after {note}"),
        }
    }
}

/// Postings that belong together. Balanced: there is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    purpose: Purpose,
    at: Instant,
    postings: Vec<Posting>,
}

impl Entry {
    /// Makes an entry of two postings or more.
    ///
    /// Errors: [`Error::Unbalanced`] when debits and credits differ in any currency;
    /// [`Error::Invalid`] for less than two postings or an amount below zero; [`Error::Money`].
    pub fn new(purpose: Purpose, at: Instant, postings: Vec<Posting>) -> Result<Entry> {
        if postings.len() < 2 {
            return Err(Error::invalid("postings", format!("{purpose} has less than two")));
        }
        if let Some(below) = postings.iter().find(|posting| posting.amount.is_negative()) {
            let problem = format!("{purpose} posts {} to {}", below.amount, below.account);
            return Err(Error::invalid("postings", problem));
        }
        for posting in &postings {
            let currency = posting.amount.currency();
            let debits = side_sum(&postings, Side::Debit, currency);
            let credits = side_sum(&postings, Side::Credit, currency);
            let of = |source| Error::money(format!("the sides of {purpose}"), source);
            let (debits, credits) = (debits.map_err(of)?, credits.map_err(of)?);
            if debits != credits {
                return Err(Error::Unbalanced { entry: purpose.to_string(), debits, credits });
            }
        }
        Ok(Entry { purpose, at, postings })
    }

    /// Makes an entry that moves one amount; below zero it moves the other way.
    ///
    /// Errors: [`Error::Money`].
    pub fn transfer(
        purpose: Purpose,
        at: Instant,
        between: Between,
        amount: Money,
    ) -> Result<Self> {
        let Between { debit, credit } = between;
        let of = |source| Error::money(purpose.to_string(), source);
        let postings = vec![
            Posting::debit(debit, amount).map_err(of)?,
            Posting::credit(credit, amount).map_err(of)?,
        ];
        Entry::new(purpose, at, postings)
    }

    /// What it stands for.
    pub const fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// When it was booked, by the business clock. A step that is repeated after a crash passes the
    /// moment that it recorded first, so that it makes an equal entry.
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// Its postings.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

/// The two ledger accounts of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// Where the amount is debited.
    pub debit: LedgerAccount,
    /// Where it is credited.
    pub credit: LedgerAccount,
}

fn side_sum(
    postings: &[Posting],
    side: Side,
    currency: Currency,
) -> std::result::Result<Money, MoneyError> {
    let of_side = postings.iter().filter(|p| p.side == side && p.amount.currency() == currency);
    Money::checked_sum(currency, of_side.map(|posting| posting.amount))
}

/// What each ledger account holds: a fold of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balances {
    /// On the account's own side, in minor units; never zero.
    held: BTreeMap<(LedgerAccount, Currency), Money>,
}

impl Balances {
    /// What an account holds, on its own side.
    pub fn of(&self, account: &LedgerAccount, currency: Currency) -> Money {
        let held = self.held.get(&(account.clone(), currency));
        held.copied().unwrap_or(Money::zero(currency))
    }

    /// The balances of accounts that are known to hold something.
    ///
    /// Errors: [`Error::Invalid`] for an account and currency that are named twice.
    pub fn held(held: impl IntoIterator<Item = (LedgerAccount, Money)>) -> Result<Balances> {
        let mut balances = Balances::default();
        for (account, amount) in held {
            let key = (account, amount.currency());
            if balances.held.contains_key(&key) {
                return Err(Error::invalid("balances", format!("{} is there twice", key.0)));
            }
            if !amount.is_zero() {
                balances.held.insert(key, amount);
            }
        }
        Ok(balances)
    }

    /// All accounts that hold something.
    pub fn iter(&self) -> impl Iterator<Item = (&LedgerAccount, Money)> {
        self.held.iter().map(|((account, _), held)| (account, *held))
    }

    /// Adds entries, all or none: bounds must hold when the last of them is posted.
    ///
    /// Errors: [`Error::Overdrawn`] when a bounded account would fall below zero; [`Error::Money`].
    pub fn post<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> Result<()> {
        let mut changed: BTreeMap<(LedgerAccount, Currency), Money> = BTreeMap::new();
        for posting in entries.into_iter().flat_map(Entry::postings) {
            let currency = posting.amount.currency();
            let key = (posting.account.clone(), currency);
            let before =
                changed.get(&key).copied().unwrap_or_else(|| self.of(&posting.account, currency));
            let after = posting.signed().and_then(|amount| before.checked_add(amount));
            let of = |source| Error::money(format!("balance of {}", posting.account), source);
            changed.insert(key, after.map_err(of)?);
        }
        for ((account, _), held) in &changed {
            match account.bound() {
                Bound::NeverBelowZero if held.is_negative() => {
                    return Err(Error::Overdrawn { account: account.to_string(), held: *held });
                }
                Bound::NeverBelowZero | Bound::None => {}
            }
        }
        self.held.extend(changed);
        self.held.retain(|_, held| !held.is_zero());
        Ok(())
    }
}

/// Entries by what they stand for, with the balances that they add up to.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: BTreeMap<Purpose, Entry>,
    balances: Balances,
}

impl Ledger {
    /// Posts entries, all or none. What was posted before changes nothing; gives how many are new.
    ///
    /// Errors: [`Error::Conflict`] for another entry of the same purpose; as [`Balances::post`].
    pub fn post(&mut self, entries: Vec<Entry>) -> Result<usize> {
        let mut new: BTreeMap<Purpose, Entry> = BTreeMap::new();
        for entry in entries {
            match self.entries.get(&entry.purpose).or_else(|| new.get(&entry.purpose)) {
                None => {
                    new.insert(entry.purpose.clone(), entry);
                }
                Some(known) if *known == entry => {}
                Some(_) => {
                    return Err(Error::Conflict {
                        what: "entry",
                        key: entry.purpose.to_string(),
                        problem: "is posted already with other postings".to_owned(),
                    });
                }
            }
        }
        self.balances.post(new.values())?;
        let count = new.len();
        self.entries.extend(new);
        Ok(count)
    }

    /// What the accounts hold.
    pub const fn balances(&self) -> &Balances {
        &self.balances
    }

    /// All entries, by purpose.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

#[cfg(test)]
mod tests;
