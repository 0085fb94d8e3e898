//! Roles as the vendor describes them: ids, names, and what they allow in its words.
//!
//! Source: `microsoft-billing.md` section 5.1 and the `*RoleDefinition*` examples of both versions.
//! What no source says is in `docs/deviations/azure-billing-members.md`.

use domain::access::Role;
use domain::agreements::AgreementType;

/// One role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described {
    /// Its id.
    pub(crate) id: &'static str,
    /// Its name in `2019-10-01-preview`.
    pub(crate) old_name: &'static str,
    /// Its name in `2020-05-01`.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) description: &'static str,
    /// What it allows.
    pub(crate) actions: &'static [&'static str],
}

// Customer agreements: the vendor gives its actions by number.
const OWNER: &[&str] = &[
    "10000000-aaaa-bbbb-cccc-200000000000",
    "10000000-aaaa-bbbb-cccc-200000000008",
    "10000000-aaaa-bbbb-cccc-200000000001",
    "10000000-aaaa-bbbb-cccc-200000000002",
    "10000000-aaaa-bbbb-cccc-200000000003",
    "10000000-aaaa-bbbb-cccc-200000000006",
    "10000000-aaaa-bbbb-cccc-200000000007",
    "20000000-aaaa-bbbb-cccc-200000000000",
    "30000000-aaaa-bbbb-cccc-200000000000",
    "40000000-aaaa-bbbb-cccc-200000000000",
    "30000000-aaaa-bbbb-cccc-200000000009",
    "20000000-aaaa-bbbb-cccc-200000000002",
    "30000000-aaaa-bbbb-cccc-200000000015",
    "30000000-aaaa-bbbb-cccc-200000000004",
    "30000000-aaaa-bbbb-cccc-200000000007",
    "30000000-aaaa-bbbb-cccc-200000000001",
    "30000000-aaaa-bbbb-cccc-200000000010",
    "40000000-aaaa-bbbb-cccc-200000000007",
    "40000000-aaaa-bbbb-cccc-200000000006",
    "40000000-aaaa-bbbb-cccc-200000000008",
];
const CONTRIBUTOR: &[&str] = &[
    "10000000-aaaa-bbbb-cccc-200000000008",
    "10000000-aaaa-bbbb-cccc-200000000001",
    "10000000-aaaa-bbbb-cccc-200000000002",
    "10000000-aaaa-bbbb-cccc-200000000003",
    "10000000-aaaa-bbbb-cccc-200000000006",
    "10000000-aaaa-bbbb-cccc-200000000007",
    "30000000-aaaa-bbbb-cccc-200000000009",
    "20000000-aaaa-bbbb-cccc-200000000002",
    "30000000-aaaa-bbbb-cccc-200000000015",
    "30000000-aaaa-bbbb-cccc-200000000004",
    "30000000-aaaa-bbbb-cccc-200000000007",
    "30000000-aaaa-bbbb-cccc-200000000001",
    "30000000-aaaa-bbbb-cccc-200000000010",
    "40000000-aaaa-bbbb-cccc-200000000007",
    "40000000-aaaa-bbbb-cccc-200000000006",
    "40000000-aaaa-bbbb-cccc-200000000008",
];
const READER: &[&str] = &[
    "10000000-aaaa-bbbb-cccc-200000000008",
    "10000000-aaaa-bbbb-cccc-200000000003",
    "20000000-aaaa-bbbb-cccc-200000000002",
    "30000000-aaaa-bbbb-cccc-200000000015",
    "30000000-aaaa-bbbb-cccc-200000000004",
    "30000000-aaaa-bbbb-cccc-200000000007",
    "30000000-aaaa-bbbb-cccc-200000000001",
    "30000000-aaaa-bbbb-cccc-200000000010",
    "40000000-aaaa-bbbb-cccc-200000000007",
    "40000000-aaaa-bbbb-cccc-200000000006",
    "40000000-aaaa-bbbb-cccc-200000000008",
];
const SUBSCRIPTION_CREATOR: &[&str] = &["Microsoft.Subscription/subscriptions/write"];

// Enterprise agreements: by name.
const ENROLLMENT_ADMINISTRATOR: &[&str] = &[
    "Microsoft.Billing/billingAccounts/read",
    "Microsoft.Billing/billingAccounts/write",
    "Microsoft.Billing/billingAccounts/action",
    "Microsoft.Billing/billingAccounts/enrollmentPolicies/read",
    "Microsoft.Billing/billingAccounts/enrollmentPolicies/write",
    "Microsoft.Billing/billingAccounts/enrollmentPolicies/action",
    "Microsoft.Billing/billingAccounts/enrollmentNotificationContacts/read",
    "Microsoft.Billing/billingAccounts/enrollmentNotificationContacts/write",
    "Microsoft.Billing/billingAccounts/enrollmentNotificationContacts/action",
    "Microsoft.Billing/billingAccounts/departments/read",
    "Microsoft.Billing/billingAccounts/departments/write",
    "Microsoft.Billing/billingAccounts/departments/action",
    "Microsoft.Billing/billingAccounts/departments/delete",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/write",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/action",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/delete",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/write",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/action",
];
const ENROLLMENT_READER: &[&str] = &[
    "Microsoft.Billing/billingAccounts/read",
    "Microsoft.Billing/billingAccounts/enrollmentPolicies/read",
    "Microsoft.Billing/billingAccounts/enrollmentNotificationContacts/read",
    "Microsoft.Billing/billingAccounts/departments/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/read",
];
const DEPARTMENT_ADMINISTRATOR: &[&str] = &[
    "Microsoft.Billing/billingAccounts/departments/read",
    "Microsoft.Billing/billingAccounts/departments/write",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/write",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/write",
];
const DEPARTMENT_READER: &[&str] = &[
    "Microsoft.Billing/billingAccounts/departments/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/read",
];
const ACCOUNT_OWNER: &[&str] = &[
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/write",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/read",
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/billingSubscriptions/write",
];
const ACCOUNT_SUBSCRIPTION_CREATOR: &[&str] = &[
    "Microsoft.Billing/billingAccounts/enrollmentAccounts/read",
    "Microsoft.Subscription/subscriptions/write",
];

/// The roles that the vendor has.
static DESCRIBED: [(Role, Described); 18] = [
    (
        Role::BillingAccountOwner,
        Described {
            id: "50000000-aaaa-bbbb-cccc-100000000000",
            old_name: "commerce_root_owner",
            name: "Billing account owner",
            description: "The Owner role gives the user all permissions including access \
                 management rights to the billing account.",
            actions: OWNER,
        },
    ),
    (
        Role::BillingAccountContributor,
        Described {
            id: "50000000-aaaa-bbbb-cccc-100000000001",
            old_name: "commerce_root_contributor",
            name: "Billing account contributor",
            description: "The Contributor role gives the user all permissions except access \
                 management rights to the billing account.",
            actions: CONTRIBUTOR,
        },
    ),
    (
        Role::BillingAccountReader,
        Described {
            id: "50000000-aaaa-bbbb-cccc-100000000002",
            old_name: "commerce_root_reader",
            name: "Billing account reader",
            description: "The Reader role gives the user read only access to the billing \
                 account.",
            actions: READER,
        },
    ),
    (
        Role::BillingProfileOwner,
        Described {
            id: "40000000-aaaa-bbbb-cccc-100000000000",
            old_name: "billing_profile_owner",
            name: "Billing profile owner",
            description: "The Owner role gives the user all permissions including access \
                 management rights to the billing profile.",
            actions: OWNER,
        },
    ),
    (
        Role::BillingProfileContributor,
        Described {
            id: "40000000-aaaa-bbbb-cccc-100000000001",
            old_name: "billing_profile_contributor",
            name: "Billing profile contributor",
            description: "The Contributor role gives the user all permissions except access \
                 management rights to the billing profile.",
            actions: CONTRIBUTOR,
        },
    ),
    (
        Role::BillingProfileReader,
        Described {
            id: "40000000-aaaa-bbbb-cccc-100000000002",
            old_name: "billing_profile_reader",
            name: "Billing profile reader",
            description: "The Reader role gives the user read only access to the billing \
                 profile.",
            actions: READER,
        },
    ),
    (
        Role::InvoiceManager,
        Described {
            id: "40000000-aaaa-bbbb-cccc-100000000004",
            old_name: "invoice_manager",
            name: "Invoice manager",
            description: "The Invoice manager role lets the user see and pay the invoices of \
                 the billing profile.",
            actions: READER,
        },
    ),
    (
        Role::InvoiceSectionOwner,
        Described {
            id: "30000000-aaaa-bbbb-cccc-100000000000",
            old_name: "project_owner",
            name: "Invoice section owner",
            description: "The Owner role gives the user all permissions including access \
                 management rights to the invoice section.",
            actions: OWNER,
        },
    ),
    (
        Role::InvoiceSectionContributor,
        Described {
            id: "30000000-aaaa-bbbb-cccc-100000000001",
            old_name: "project_contributor",
            name: "Invoice section contributor",
            description: "The Contributor role gives the user all permissions except access \
                 management rights to the invoice section.",
            actions: CONTRIBUTOR,
        },
    ),
    (
        Role::InvoiceSectionReader,
        Described {
            id: "30000000-aaaa-bbbb-cccc-100000000002",
            old_name: "project_reader",
            name: "Invoice section reader",
            description: "The Reader role gives the user read only access to the invoice \
                 section.",
            actions: READER,
        },
    ),
    (
        Role::SectionSubscriptionCreator,
        Described {
            id: "30000000-aaaa-bbbb-cccc-100000000006",
            old_name: "azure_subscription_creator",
            name: "Azure subscription creator",
            description: "The Azure subscription creator role lets the user create \
                 subscriptions in the invoice section.",
            actions: SUBSCRIPTION_CREATOR,
        },
    ),
    (
        Role::EnterpriseAdministrator,
        Described {
            id: "9f1983cb-2574-400c-87e9-34cf8e2280db",
            old_name: "Enrollment administrator",
            name: "Enrollment administrator",
            description: "The enrollment administrator role gives the user all permissions \
                 including access management rights to an Enrollment and its departments and \
                 accounts.",
            actions: ENROLLMENT_ADMINISTRATOR,
        },
    ),
    (
        Role::EnterpriseReader,
        Described {
            id: "24f8edb6-1668-4659-b5e2-40bb5f3a7d7e",
            old_name: "Enrollment reader",
            name: "Enrollment reader",
            description: "The enrollment reader role gives the user read-only permissions to \
                 an Enrollment and its departments and accounts.",
            actions: ENROLLMENT_READER,
        },
    ),
    (
        Role::EnterprisePurchaser,
        Described {
            id: "da6647fb-7651-49ee-be91-c43c4877f0c4",
            old_name: "EA purchaser",
            name: "EA purchaser",
            description: "The EA purchaser role lets the user see the Enrollment and buy \
                 reservations.",
            actions: ENROLLMENT_READER,
        },
    ),
    (
        Role::DepartmentAdministrator,
        Described {
            id: "fb2cf67f-be5b-42e7-8025-4683c668f840",
            old_name: "Department administrator",
            name: "Department administrator",
            description: "The department administrator role gives the user read/write \
                 permissions including access management rights to an Enrollment Department \
                 and its accounts.",
            actions: DEPARTMENT_ADMINISTRATOR,
        },
    ),
    (
        Role::DepartmentReader,
        Described {
            id: "db609904-a47f-4794-9be8-9bd86fbffd8a",
            old_name: "Department reader",
            name: "Department reader",
            description: "The department reader role gives the user read-only permissions to \
                 an Enrollment Department and its accounts.",
            actions: DEPARTMENT_READER,
        },
    ),
    (
        Role::EnrollmentAccountOwner,
        Described {
            id: "c15c22c0-9faf-424c-9b7e-bd91c06a240b",
            old_name: "Enrollment account owner",
            name: "Enrollment account owner",
            description: "The account owner role gives the user read/write permissions to an \
                 Enrollment Account.",
            actions: ACCOUNT_OWNER,
        },
    ),
    (
        Role::EnrollmentSubscriptionCreator,
        Described {
            id: "a0bcee42-bf30-4d1b-926a-48d21664ef71",
            old_name: "Enrollment account subscription creator",
            name: "Enrollment account subscription creator",
            description: "The enrollment account subscription creator role lets the user \
                 create subscriptions under the enrollment account.",
            actions: ACCOUNT_SUBSCRIPTION_CREATOR,
        },
    ),
];

/// How the vendor describes a role; none where it has none.
pub(crate) fn described(role: Role) -> Option<Described> {
    DESCRIBED.iter().find(|(known, _)| *known == role).map(|(_, described)| *described)
}

/// What a role allows at an account of a kind, in the vendor's words. Operators, and roles of
/// agreements for which the vendor has no list, allow what its own owners or readers do.
pub(crate) fn actions(role: Role, kind: AgreementType) -> &'static [&'static str] {
    if let Some(Described { actions, .. }) = described(role) {
        return actions;
    }
    let (owner, reader) = match kind {
        AgreementType::Enterprise => (ENROLLMENT_ADMINISTRATOR, ENROLLMENT_READER),
        AgreementType::Customer
        | AgreementType::Partner
        | AgreementType::OnlineServices
        | AgreementType::Messaging => (OWNER, READER),
    };
    match role {
        Role::Administrator | Role::GlobalAdministrator | Role::AccountAdministrator => owner,
        Role::AdminAgent => CONTRIBUTOR,
        Role::BillingClerk | Role::Approver | Role::Auditor | Role::PartnerReader => reader,
        Role::Owner
        | Role::Contributor
        | Role::Reader
        | Role::BillingReader
        | Role::FinanceManager
        | Role::AccountManager
        | Role::SubAccountUser
        | Role::BillingAccountOwner
        | Role::BillingAccountContributor
        | Role::BillingAccountReader
        | Role::BillingProfileOwner
        | Role::BillingProfileContributor
        | Role::BillingProfileReader
        | Role::InvoiceManager
        | Role::InvoiceSectionOwner
        | Role::InvoiceSectionContributor
        | Role::InvoiceSectionReader
        | Role::SectionSubscriptionCreator
        | Role::EnterpriseAdministrator
        | Role::EnterpriseReader
        | Role::EnterprisePurchaser
        | Role::DepartmentAdministrator
        | Role::DepartmentReader
        | Role::EnrollmentAccountOwner
        | Role::EnrollmentSubscriptionCreator => &[],
    }
}
