//! The table: what each role allows, and how far.

use super::{Action, Role};
use Action::{
    AcceptTransfers, ApproveRequests, BuyReservations, CancelSubscription, ClosePeriods,
    CreateMessagingAccounts, CreateProfiles, CreateSections, CreateSubscriptions, ExplainCharges,
    GrantCredits, ImportUsage, IssueInvoices, ManageBudgets, ManageDepartments,
    ManageEnrollmentAccounts, ManageEnterpriseKeys, ManagePaymentMethods, ManagePlace,
    ManagePolicies, ManageProducts, ManageQuotas, ManageRoles, ManageSubscriptionCreators,
    MoveToProfile, MoveToSection, PayInvoices, ReadAudit, ReadBalance, ReadCharges, ReadCompany,
    ReadInvoices, ReadLedger, ReadPaymentMethods, ReadPlace, ReadPolicies, ReadPriceSheet,
    ReadProducts, ReadQuarantine, ReadQuotas, ReadRateCard, ReadRoles, ReadSubscription, ReadUsage,
    RecordPayments, RequestTransfers, SendUsage, SettleUsage, VoidInvoices, WriteOffCharges,
};

/// How far a role allows an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Not at all.
    None,
    /// At its place, and at everything below.
    Below,
    /// At its place and for what stands directly there, not at places below.
    Here,
    /// Like [`Right::Below`], if a policy shows charges to such people.
    IfChargesShown(Viewers),
    /// Like [`Right::Below`], for what the holder of the role made itself.
    IfCreated,
}

/// Whom a policy may show charges to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Viewers {
    /// Department administrators, read only or not: a policy of the enrollment.
    DepartmentAdministrators,
    /// Owners of enrollment accounts: a policy of the enrollment.
    AccountOwners,
    /// Those with rights on a subscription alone: a policy of its billing profile or customer.
    ResourceUsers,
}

/// Actions with the same right, as one line of a role's table.
type Line = (Right, &'static [Action]);

// What follows reads as `microsoft-billing.md` section 5.3: lines that the same roles have.
const SEE: Line = (Right::Below, &[ReadPlace, ReadRoles, ReadProducts, ReadSubscription]);
const SEE_BILLING: Line = (
    Right::Below,
    &[ReadPolicies, ReadInvoices, ReadPriceSheet, ReadCharges, ReadPaymentMethods, ReadBalance],
);
const CHANGE: Line = (
    Right::Below,
    &[
        ManagePlace,
        ManageProducts,
        MoveToSection,
        CreateSubscriptions,
        RequestTransfers,
        AcceptTransfers,
    ],
);
const CHANGE_BILLING: Line =
    (Right::Below, &[CreateSections, ManagePolicies, ManagePaymentMethods, MoveToProfile]);
const CREATE_PROFILES: Line = (Right::Below, &[CreateProfiles]);
const OWN: Line = (Right::Below, &[ManageRoles]);
const PAY: Line = (Right::Below, &[PayInvoices]);
const CANCEL_OWN: Line = (Right::IfCreated, &[CancelSubscription]);

// Decision 0021.
const KEEP_BUDGETS: Line = (Right::Below, &[ManageBudgets]);

// Section 5.4.
const SEE_ENROLLMENT: Line = (
    Right::Below,
    &[
        ReadPlace,
        ReadRoles,
        ReadSubscription,
        ReadBalance,
        ReadPriceSheet,
        ReadQuotas,
        ReadCharges,
        ReadInvoices,
    ],
);
const SEE_DEPARTMENT: Line = (Right::Below, &[ReadPlace, ReadRoles, ReadSubscription]);
const DEPARTMENT_CHARGES: Line =
    (Right::IfChargesShown(Viewers::DepartmentAdministrators), &[ReadCharges]);
const OWNER_CHARGES: Line = (Right::IfChargesShown(Viewers::AccountOwners), &[ReadCharges]);
// `enterprise-reporting.md` section 1.5: keys of the level that the role is given at.
const KEYS_HERE: Line = (Right::Here, &[ManageEnterpriseKeys]);

// Decision 0009.
const RESOURCE_CHARGES: Line = (Right::IfChargesShown(Viewers::ResourceUsers), &[ReadCharges]);
const PARTNER_CHANGE: Line = (
    Right::Below,
    &[
        ManagePlace,
        CreateProfiles,
        ManagePolicies,
        PayInvoices,
        ManagePaymentMethods,
        ManageProducts,
        BuyReservations,
        CreateSubscriptions,
        CancelSubscription,
        MoveToProfile,
        RequestTransfers,
        AcceptTransfers,
    ],
);
const SEE_MESSAGING: Line = (
    Right::Below,
    &[
        ReadPlace,
        ReadSubscription,
        ReadProducts,
        ReadCharges,
        ReadInvoices,
        ReadPriceSheet,
        ReadBalance,
        ReadPaymentMethods,
    ],
);
const SEE_RATED: Line = (Right::Below, &[ReadSubscription, ReadUsage, ReadRateCard]);
const SEE_DECLARED: Line =
    (Right::Below, &[ReadCharges, ExplainCharges, ReadCompany, ReadQuarantine]);
const SEE_BOOKS: Line = (
    Right::Below,
    &[ReadPlace, ReadPolicies, ReadInvoices, ReadPriceSheet, ReadBalance, ReadQuotas, ReadLedger],
);
const SEE_PEOPLE: Line = (Right::Below, &[ReadRoles, ReadPaymentMethods, ReadProducts]);

const AZURE_READER: &[Line] = &[SEE_RATED, RESOURCE_CHARGES];
const AZURE_CONTRIBUTOR: &[Line] = &[SEE_RATED, RESOURCE_CHARGES, KEEP_BUDGETS];
const AZURE_BILLING_READER: &[Line] =
    &[(Right::Below, &[ReadSubscription, ReadUsage]), RESOURCE_CHARGES];
const BILLING_CLERK: &[Line] = &[
    SEE_RATED,
    SEE_DECLARED,
    SEE_BOOKS,
    SEE_PEOPLE,
    (Right::Below, &[ImportUsage, SettleUsage, SendUsage]),
    (Right::Below, &[GrantCredits, RecordPayments]),
    (Right::Below, &[ClosePeriods, WriteOffCharges, VoidInvoices]),
];
const APPROVER: &[Line] =
    &[SEE_DECLARED, SEE_BOOKS, (Right::Below, &[ApproveRequests, IssueInvoices])];
const AUDITOR: &[Line] =
    &[SEE_RATED, SEE_DECLARED, SEE_BOOKS, SEE_PEOPLE, (Right::Below, &[ReadAudit])];

const BILLING_ACCOUNT_OWNER: &[Line] =
    &[SEE, SEE_BILLING, CHANGE, CHANGE_BILLING, CREATE_PROFILES, KEEP_BUDGETS, OWN, PAY];
const BILLING_ACCOUNT_CONTRIBUTOR: &[Line] = &[
    SEE,
    SEE_BILLING,
    CHANGE,
    CHANGE_BILLING,
    CREATE_PROFILES,
    KEEP_BUDGETS,
    (Right::Here, &[PayInvoices]), // in the account's table, not in the profile's
];
const BILLING_READER: &[Line] = &[SEE, SEE_BILLING];
const BILLING_PROFILE_OWNER: &[Line] =
    &[SEE, SEE_BILLING, CHANGE, CHANGE_BILLING, KEEP_BUDGETS, OWN, PAY];
const BILLING_PROFILE_CONTRIBUTOR: &[Line] =
    &[SEE, SEE_BILLING, CHANGE, CHANGE_BILLING, KEEP_BUDGETS, PAY];
const INVOICE_MANAGER: &[Line] = &[
    SEE,
    SEE_BILLING,
    PAY,
    (Right::Here, &[CreateSubscriptions]), // not in the section's table
    CANCEL_OWN,
];
const INVOICE_SECTION_OWNER: &[Line] = &[SEE, CHANGE, OWN];
const INVOICE_SECTION_CONTRIBUTOR: &[Line] = &[SEE, CHANGE];
const INVOICE_SECTION_READER: &[Line] = &[SEE];
const SECTION_SUBSCRIPTION_CREATOR: &[Line] = &[(Right::Below, &[CreateSubscriptions]), CANCEL_OWN];

const ENTERPRISE_ADMINISTRATOR: &[Line] = &[
    SEE_ENROLLMENT,
    OWN,
    KEEP_BUDGETS,
    (Right::Below, &[ManageDepartments, ManageQuotas, ManageEnrollmentAccounts]),
    (Right::Below, &[BuyReservations]),
    KEYS_HERE,
];
const ENTERPRISE_PURCHASER: &[Line] = &[SEE_ENROLLMENT, (Right::Below, &[BuyReservations])];
const DEPARTMENT_ADMINISTRATOR: &[Line] = &[
    SEE_DEPARTMENT,
    DEPARTMENT_CHARGES,
    KEEP_BUDGETS,
    OWN,
    (Right::Below, &[ManageEnrollmentAccounts]),
    KEYS_HERE,
];
const ENROLLMENT_ACCOUNT_OWNER: &[Line] = &[
    (Right::Below, &[ReadPlace, ReadSubscription]),
    OWNER_CHARGES,
    KEEP_BUDGETS,
    (Right::Below, &[CreateSubscriptions, ManageSubscriptionCreators]),
    (Right::Below, &[AcceptTransfers, ManageEnterpriseKeys]),
];
const ENROLLMENT_SUBSCRIPTION_CREATOR: &[Line] = &[(Right::Below, &[CreateSubscriptions])];

const GLOBAL_ADMINISTRATOR: &[Line] = &[SEE, SEE_BILLING, PARTNER_CHANGE, KEEP_BUDGETS, OWN];
const ADMIN_AGENT: &[Line] = &[SEE, SEE_BILLING, PARTNER_CHANGE, KEEP_BUDGETS];
const ACCOUNT_ADMINISTRATOR: &[Line] = &[
    SEE,
    SEE_BILLING,
    OWN,
    KEEP_BUDGETS,
    (Right::Below, &[ManagePlace, PayInvoices, ManagePaymentMethods]),
    (Right::Below, &[ManageProducts, BuyReservations, AcceptTransfers]),
    (Right::Below, &[CreateSubscriptions, CancelSubscription]),
];
const FINANCE_MANAGER: &[Line] = &[SEE_MESSAGING, PAY];
const ACCOUNT_MANAGER: &[Line] =
    &[SEE_MESSAGING, OWN, (Right::Below, &[ReadRoles, ManagePlace, CreateMessagingAccounts])];
const SUB_ACCOUNT_USER: &[Line] = &[(Right::Here, &[ReadPlace, ReadSubscription, ReadCharges])];

impl Role {
    /// The table: how far the role allows the action.
    pub fn right(self, action: Action) -> Right {
        if self == Role::Administrator {
            return Right::Below;
        }
        let mut lines = self.lines().iter();
        let line = lines.find(|(_, actions)| actions.contains(&action));
        line.map_or(Right::None, |(right, _)| *right)
    }

    /// Whether the role allows the action at its own place, whatever policies say.
    pub fn allows(self, action: Action) -> bool {
        match self.right(action) {
            Right::Below | Right::Here => true,
            Right::None | Right::IfChargesShown(_) | Right::IfCreated => false,
        }
    }

    const fn lines(self) -> &'static [Line] {
        match self {
            Role::Owner | Role::Contributor => AZURE_CONTRIBUTOR,
            Role::Reader => AZURE_READER,
            Role::BillingReader => AZURE_BILLING_READER,
            Role::Administrator => &[], // everything: see `right`
            Role::BillingClerk => BILLING_CLERK,
            Role::Approver => APPROVER,
            Role::Auditor => AUDITOR,
            Role::BillingAccountOwner => BILLING_ACCOUNT_OWNER,
            Role::BillingAccountContributor => BILLING_ACCOUNT_CONTRIBUTOR,
            Role::BillingAccountReader | Role::BillingProfileReader => BILLING_READER,
            Role::BillingProfileOwner => BILLING_PROFILE_OWNER,
            Role::BillingProfileContributor => BILLING_PROFILE_CONTRIBUTOR,
            Role::InvoiceManager => INVOICE_MANAGER,
            Role::InvoiceSectionOwner => INVOICE_SECTION_OWNER,
            Role::InvoiceSectionContributor => INVOICE_SECTION_CONTRIBUTOR,
            Role::InvoiceSectionReader => INVOICE_SECTION_READER,
            Role::SectionSubscriptionCreator => SECTION_SUBSCRIPTION_CREATOR,
            Role::EnterpriseAdministrator => ENTERPRISE_ADMINISTRATOR,
            Role::EnterpriseReader => &[SEE_ENROLLMENT],
            Role::EnterprisePurchaser => ENTERPRISE_PURCHASER,
            Role::DepartmentAdministrator => DEPARTMENT_ADMINISTRATOR,
            Role::DepartmentReader => &[SEE_DEPARTMENT, DEPARTMENT_CHARGES],
            Role::EnrollmentAccountOwner => ENROLLMENT_ACCOUNT_OWNER,
            Role::EnrollmentSubscriptionCreator => ENROLLMENT_SUBSCRIPTION_CREATOR,
            Role::GlobalAdministrator => GLOBAL_ADMINISTRATOR,
            Role::AdminAgent => ADMIN_AGENT,
            Role::PartnerReader => &[SEE, SEE_BILLING],
            Role::AccountAdministrator => ACCOUNT_ADMINISTRATOR,
            Role::FinanceManager => FINANCE_MANAGER,
            Role::AccountManager => ACCOUNT_MANAGER,
            Role::SubAccountUser => SUB_ACCOUNT_USER,
        }
    }
}
