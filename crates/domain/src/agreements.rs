//! Agreements: what a billing account has signed decides what may lie below it.

use crate::addresses::Country;
use calendar::Interval;
use money::{Currency, Money};
use std::fmt;

/// The kind of contract.
///
/// Source: `microsoft-billing.md` section 2 (the first four), `infobip.md` section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AgreementType {
    /// MCA: billing profiles, and invoice sections below them.
    Customer,
    /// MPA: billing profiles, one per currency, and customers beside them.
    Partner,
    /// EA: departments, and enrollment accounts below them or beside.
    Enterprise,
    /// MOSP: subscriptions with an offer, nothing between.
    OnlineServices,
    /// Messaging: accounts within accounts, each with its key.
    Messaging,
}

impl AgreementType {
    /// All of them.
    pub const ALL: [AgreementType; 5] = [
        AgreementType::Customer,
        AgreementType::Partner,
        AgreementType::Enterprise,
        AgreementType::OnlineServices,
        AgreementType::Messaging,
    ];

    /// Its name in files and errors.
    pub const fn name(self) -> &'static str {
        match self {
            AgreementType::Customer => "customer agreement",
            AgreementType::Partner => "partner agreement",
            AgreementType::Enterprise => "enterprise agreement",
            AgreementType::OnlineServices => "online services agreement",
            AgreementType::Messaging => "messaging agreement",
        }
    }

    /// Finds a type by [`AgreementType::name`].
    pub fn parse(name: &str) -> Option<AgreementType> {
        AgreementType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for AgreementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was signed, with the facts that belong to its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// See [`AgreementType::Customer`].
    Customer {
        /// Whether new billing profiles may be made: only where a person of the seller set it up.
        profile_creation: Permission,
    },
    /// See [`AgreementType::Partner`].
    Partner,
    /// See [`AgreementType::Enterprise`].
    Enterprise(Enrollment),
    /// See [`AgreementType::OnlineServices`].
    OnlineServices,
    /// See [`AgreementType::Messaging`].
    Messaging,
}

impl Agreement {
    /// Its kind.
    pub const fn kind(&self) -> AgreementType {
        match self {
            Agreement::Customer { .. } => AgreementType::Customer,
            Agreement::Partner => AgreementType::Partner,
            Agreement::Enterprise(_) => AgreementType::Enterprise,
            Agreement::OnlineServices => AgreementType::OnlineServices,
            Agreement::Messaging => AgreementType::Messaging,
        }
    }

    /// Whether new billing profiles may be made now. Partners make one for each currency.
    ///
    /// Source: `microsoft-billing.md` section 1, note 1.
    pub const fn profile_creation(&self) -> Permission {
        match self {
            Agreement::Customer { profile_creation } => *profile_creation,
            Agreement::Partner => Permission::Allowed,
            Agreement::Enterprise(_) | Agreement::OnlineServices | Agreement::Messaging => {
                Permission::NotAllowed
            }
        }
    }
}

/// An enterprise agreement's own facts.
///
/// Source: `Enrollment` of Microsoft.Billing 2019-10-01-preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// From its start date to its end date, half-open.
    pub term: Interval,
    /// What it is billed in: that of its billing account.
    pub currency: Currency,
    /// Where it was signed.
    pub country: Country,
    /// Paid in advance for the term, in minor units of [`Enrollment::currency`]; not below zero.
    pub prepayment: Money,
    /// Who may see and buy what.
    pub policies: EnrollmentPolicies,
}

/// Who may see charges and buy what below an enrollment.
///
/// Source: `EnrollmentPolicies` of Microsoft.Billing 2019-10-01-preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnrollmentPolicies {
    /// May department administrators see charges of their department?
    pub department_administrators_view_charges: Permission,
    /// May account owners see charges of their enrollment account?
    pub account_owners_view_charges: Permission,
    /// May marketplace products be bought?
    pub marketplace_purchases: Permission,
    /// May reservations be bought?
    pub reservation_purchases: Permission,
}

/// An answer of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Yes.
    Allowed,
    /// No.
    NotAllowed,
}

impl Permission {
    /// Whether it is a yes.
    pub const fn is_allowed(self) -> bool {
        match self {
            Permission::Allowed => true,
            Permission::NotAllowed => false,
        }
    }
}
