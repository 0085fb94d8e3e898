//! Roles: what they are called, where they are given, and who gives them.

use super::actions::named;
use super::{Action, Right, Scope};
use crate::agreements::AgreementType;
use crate::places::Level;

named! {
    /// A named set of actions.
    ///
    /// Source: the first four are Azure's on subscriptions (`commerce.md` section 1), the next four
    /// the operator's (`docs/decisions`, 0007 and 0009); those of customer and enterprise
    /// agreements follow `microsoft-billing.md` sections 5.3 and 5.4; the rest are tables of our
    /// own (0009).
    Role {
        /// Owns a subscription.
        Owner = "Owner",
        /// Works in a subscription.
        Contributor = "Contributor",
        /// Sees a subscription.
        Reader = "Reader",
        /// Sees what a subscription uses.
        BillingReader = "Billing Reader",
        /// Runs the installation.
        Administrator = "Administrator",
        /// Does the operator's daily work.
        BillingClerk = "Billing Clerk",
        /// The operator's second person.
        Approver = "Approver",
        /// Sees all, changes nothing.
        Auditor = "Auditor",
        /// MCA, of the billing account.
        BillingAccountOwner = "Billing Account Owner",
        /// MCA, of the billing account.
        BillingAccountContributor = "Billing Account Contributor",
        /// MCA, of the billing account.
        BillingAccountReader = "Billing Account Reader",
        /// MCA, of a billing profile.
        BillingProfileOwner = "Billing Profile Owner",
        /// MCA, of a billing profile.
        BillingProfileContributor = "Billing Profile Contributor",
        /// MCA, of a billing profile.
        BillingProfileReader = "Billing Profile Reader",
        /// MCA, of a billing profile: sees and pays invoices.
        InvoiceManager = "Invoice Manager",
        /// MCA, of an invoice section.
        InvoiceSectionOwner = "Invoice Section Owner",
        /// MCA, of an invoice section.
        InvoiceSectionContributor = "Invoice Section Contributor",
        /// MCA, of an invoice section.
        InvoiceSectionReader = "Invoice Section Reader",
        /// MCA, of an invoice section: makes subscriptions.
        SectionSubscriptionCreator = "Azure Subscription Creator",
        /// EA, of the enrollment.
        EnterpriseAdministrator = "Enterprise Administrator",
        /// EA, of the enrollment.
        EnterpriseReader = "Enterprise Administrator (read only)",
        /// EA, of the enrollment: buys reservations.
        EnterprisePurchaser = "EA Purchaser",
        /// EA, of a department.
        DepartmentAdministrator = "Department Administrator",
        /// EA, of a department.
        DepartmentReader = "Department Administrator (read only)",
        /// EA, of an enrollment account.
        EnrollmentAccountOwner = "Account Owner",
        /// EA, of an enrollment account: makes subscriptions.
        EnrollmentSubscriptionCreator = "EA Subscription Creator",
        /// MPA, of the billing account.
        GlobalAdministrator = "Global Administrator",
        /// MPA, of the billing account.
        AdminAgent = "Admin Agent",
        /// MPA, of the billing account.
        PartnerReader = "Partner Reader",
        /// MOSP, of the billing account.
        AccountAdministrator = "Account Administrator",
        /// Messaging, of a company or an account in it: sees and pays.
        FinanceManager = "Finance Manager",
        /// Messaging, of a company or an account in it: sees, and manages accounts.
        AccountManager = "Account Manager",
        /// Messaging, of one account: sees that account alone.
        SubAccountUser = "Sub-account User",
    }
}

/// Where a role is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Home {
    /// Anywhere.
    Any,
    /// At billing accounts with an agreement (no level), or places of a level in them.
    Of(AgreementType, &'static [Option<Level>]),
}

impl Role {
    /// Where it is given.
    pub const fn home(self) -> Home {
        use AgreementType::{Customer, Enterprise, Messaging, OnlineServices, Partner};
        const ACCOUNT: &[Option<Level>] = &[None];
        const PROFILE: &[Option<Level>] = &[Some(Level::BillingProfile)];
        const SECTION: &[Option<Level>] = &[Some(Level::InvoiceSection)];
        const DEPARTMENT: &[Option<Level>] = &[Some(Level::Department)];
        const ENROLLMENT_ACCOUNT: &[Option<Level>] = &[Some(Level::EnrollmentAccount)];
        const MESSAGING: &[Option<Level>] = &[None, Some(Level::MessagingAccount)];
        const MESSAGING_ACCOUNT: &[Option<Level>] = &[Some(Level::MessagingAccount)];
        match self {
            Role::Owner
            | Role::Contributor
            | Role::Reader
            | Role::BillingReader
            | Role::Administrator
            | Role::BillingClerk
            | Role::Approver
            | Role::Auditor => Home::Any,
            Role::BillingAccountOwner
            | Role::BillingAccountContributor
            | Role::BillingAccountReader => Home::Of(Customer, ACCOUNT),
            Role::BillingProfileOwner
            | Role::BillingProfileContributor
            | Role::BillingProfileReader
            | Role::InvoiceManager => Home::Of(Customer, PROFILE),
            Role::InvoiceSectionOwner
            | Role::InvoiceSectionContributor
            | Role::InvoiceSectionReader
            | Role::SectionSubscriptionCreator => Home::Of(Customer, SECTION),
            Role::EnterpriseAdministrator | Role::EnterpriseReader | Role::EnterprisePurchaser => {
                Home::Of(Enterprise, ACCOUNT)
            }
            Role::DepartmentAdministrator | Role::DepartmentReader => {
                Home::Of(Enterprise, DEPARTMENT)
            }
            Role::EnrollmentAccountOwner | Role::EnrollmentSubscriptionCreator => {
                Home::Of(Enterprise, ENROLLMENT_ACCOUNT)
            }
            Role::GlobalAdministrator | Role::AdminAgent | Role::PartnerReader => {
                Home::Of(Partner, ACCOUNT)
            }
            Role::AccountAdministrator => Home::Of(OnlineServices, ACCOUNT),
            Role::FinanceManager | Role::AccountManager => Home::Of(Messaging, MESSAGING),
            Role::SubAccountUser => Home::Of(Messaging, MESSAGING_ACCOUNT),
        }
    }

    /// The roles that are given at billing accounts of a kind (no level), or at places of a level.
    pub fn given_at(kind: AgreementType, level: Option<Level>) -> Vec<Role> {
        let is_home = |role: &Role| match role.home() {
            Home::Any => false,
            Home::Of(of, levels) => of == kind && levels.contains(&level),
        };
        Role::ALL.into_iter().filter(is_home).collect()
    }

    /// What one must be allowed to give or take the role.
    ///
    /// Source: `microsoft-billing.md` sections 5.2 to 5.4.
    pub const fn given_with(self) -> Action {
        match self {
            Role::EnrollmentAccountOwner => Action::ManageEnrollmentAccounts,
            Role::EnrollmentSubscriptionCreator => Action::ManageSubscriptionCreators,
            _ => match self.home() {
                Home::Any => Action::ManageCompany,
                Home::Of(..) => Action::ManageRoles,
            },
        }
    }

    /// Whether it is a role of a billing account or of a place below it, not the operator's.
    pub const fn is_of_billing(self) -> bool {
        match self.home() {
            Home::Any => false,
            Home::Of(..) => true,
        }
    }

    /// Whether the role owns a place: it decides who has rights there, so the last one must stay.
    ///
    /// An operator owns the installation only: at a billing account it is a guest.
    pub fn owns(self, scope: &Scope) -> bool {
        match self {
            Role::Administrator => *scope == Scope::Installation,
            Role::Owner => matches!(scope, Scope::Subscription(_) | Scope::Product(_)),
            Role::EnrollmentAccountOwner => true,
            _ => self.is_of_billing() && self.right(Action::ManageRoles) == Right::Below,
        }
    }
}
