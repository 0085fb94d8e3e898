//! What can be allowed.

/// An enum whose variants have a name: with the list of all, and both ways between name and value.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$about])* $variant,)*
        }

        impl $name {
            const COUNT: usize = [$($text),*].len();

            /// All of them.
            pub const ALL: [$name; $name::COUNT] = [$($name::$variant),*];

            /// Its name in files, keys, errors and the audit log.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }

            /// Finds one by its name.
            pub fn parse(name: &str) -> Option<$name> {
                $name::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}

pub(super) use named;

named! {
    /// One thing that can be allowed.
    Action {
        /// See that a subscription exists.
        ReadSubscription = "subscription:read",
        /// Read usage of a subscription.
        ReadUsage = "usage:read",
        /// Read an offer's rate card.
        ReadRateCard = "ratecard:read",
        /// Query rated usage.
        ReadCharges = "charges:read",
        /// Walk a charge back to its records.
        ExplainCharges = "charges:explain",
        /// Read what was declared.
        ReadCompany = "company:read",
        /// Declare: apply files, prices, accounts.
        ManageCompany = "company:manage",
        /// Send usage records.
        SendUsage = "usage:send",
        /// Import files of usage.
        ImportUsage = "usage:import",
        /// Amend, withdraw, settle conflicts, replay quarantine; a source amends its own records by
        /// sending.
        SettleUsage = "usage:settle",
        /// List what waits in quarantine, and conflicts.
        ReadQuarantine = "quarantine:read",
        /// Make and revoke API keys.
        ManageKeys = "keys:manage",
        /// Make, see and revoke enterprise keys of a place.
        ManageEnterpriseKeys = "enterprise_keys:manage",
        /// Back up, verify, seal, move the demo's clock.
        RunOperations = "operations:run",
        /// Read the audit log.
        ReadAudit = "audit:read",
        /// See a place and its properties.
        ReadPlace = "place:read",
        /// Change the properties of a place.
        ManagePlace = "place:manage",
        /// See who has which role at a place.
        ReadRoles = "roles:read",
        /// Give and take roles at a place.
        ManageRoles = "roles:manage",
        /// Give and take the right to make subscriptions in an enrollment account.
        ManageSubscriptionCreators = "subscription_creators:manage",
        /// Make billing profiles.
        CreateProfiles = "profiles:create",
        /// Make invoice sections.
        CreateSections = "sections:create",
        /// Make and change departments.
        ManageDepartments = "departments:manage",
        /// Make enrollment accounts, change their owner.
        ManageEnrollmentAccounts = "enrollment_accounts:manage",
        /// Make accounts within a messaging account.
        CreateMessagingAccounts = "messaging_accounts:create",
        /// See what departments may spend.
        ReadQuotas = "quotas:read",
        /// Set what departments may spend.
        ManageQuotas = "quotas:manage",
        /// See policies.
        ReadPolicies = "policies:read",
        /// Change policies.
        ManagePolicies = "policies:manage",
        /// See and download invoices and their documents.
        ReadInvoices = "invoices:read",
        /// Pay invoices by card.
        PayInvoices = "invoices:pay",
        /// See and download price sheets.
        ReadPriceSheet = "pricesheet:read",
        /// See what is left of credits and prepayment.
        ReadBalance = "balance:read",
        /// See payment methods.
        ReadPaymentMethods = "payment_methods:read",
        /// Replace and detach payment methods.
        ManagePaymentMethods = "payment_methods:manage",
        /// See products.
        ReadProducts = "products:read",
        /// Cancel products, switch their renewal.
        ManageProducts = "products:manage",
        /// Buy reservations.
        BuyReservations = "reservations:buy",
        /// Make subscriptions.
        CreateSubscriptions = "subscriptions:create",
        /// Cancel a subscription.
        CancelSubscription = "subscription:cancel",
        /// Move a holding to another invoice section.
        MoveToSection = "holdings:move_section",
        /// Move a subscription to another billing profile.
        MoveToProfile = "holdings:move_profile",
        /// Ask for the ownership of holdings elsewhere.
        RequestTransfers = "transfers:request",
        /// Give one's own holdings to who asked for them.
        AcceptTransfers = "transfers:accept",
        /// Declare, change and delete budgets.
        ManageBudgets = "budgets:manage",
        /// Read the ledger.
        ReadLedger = "ledger:read",
        /// Grant credits, book prepayments and adjustments.
        GrantCredits = "credits:grant",
        /// Book payments and refunds.
        RecordPayments = "payments:record",
        /// Let draft invoices go out.
        IssueInvoices = "invoices:issue",
        /// Close a billing period.
        ClosePeriods = "periods:close",
        /// Write off what will not be paid.
        WriteOffCharges = "charges:write_off",
        /// Void an invoice.
        VoidInvoices = "invoices:void",
        /// Declare prices for usage that has been rated.
        RepriceUsage = "usage:reprice",
        /// Be the second person for what needs one.
        ApproveRequests = "requests:approve",
    }
}

impl Action {
    /// Whether the action is about what was, so that whoever held the place at any time may do it:
    /// old charges stand where they were made. All others are for who holds the place now.
    pub const fn looks_back(self) -> bool {
        match self {
            Action::ReadSubscription
            | Action::ReadUsage
            | Action::ReadRateCard
            | Action::ReadCharges
            | Action::ExplainCharges
            | Action::ReadCompany
            | Action::SendUsage
            | Action::ImportUsage
            | Action::SettleUsage
            | Action::ReadQuarantine
            | Action::ReadAudit
            | Action::ReadPlace
            | Action::ReadRoles
            | Action::ReadQuotas
            | Action::ReadPolicies
            | Action::ReadInvoices
            | Action::ReadPriceSheet
            | Action::ReadBalance
            | Action::ReadPaymentMethods
            | Action::ReadProducts
            | Action::ReadLedger => true,
            Action::ManageCompany
            | Action::ManageKeys
            | Action::ManageEnterpriseKeys
            | Action::RunOperations
            | Action::ManagePlace
            | Action::ManageRoles
            | Action::ManageSubscriptionCreators
            | Action::CreateProfiles
            | Action::CreateSections
            | Action::ManageDepartments
            | Action::ManageEnrollmentAccounts
            | Action::CreateMessagingAccounts
            | Action::ManageQuotas
            | Action::ManagePolicies
            | Action::PayInvoices
            | Action::ManagePaymentMethods
            | Action::ManageProducts
            | Action::BuyReservations
            | Action::CreateSubscriptions
            | Action::CancelSubscription
            | Action::MoveToSection
            | Action::MoveToProfile
            | Action::RequestTransfers
            | Action::AcceptTransfers
            | Action::ManageBudgets
            | Action::GrantCredits
            | Action::RecordPayments
            | Action::IssueInvoices
            | Action::ClosePeriods
            | Action::WriteOffCharges
            | Action::VoidInvoices
            | Action::RepriceUsage
            | Action::ApproveRequests => false,
        }
    }
}
