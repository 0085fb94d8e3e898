-- Each payer's ledger: entries, what its ledger accounts hold, and a version that every change raises.
CREATE TABLE ledgers (
    billing_account TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE ledger_entries (
    billing_account TEXT COLLATE "C" NOT NULL,
    purpose %bytes% NOT NULL,
    period BIGINT NOT NULL,
    body %bytes% NOT NULL,
    PRIMARY KEY (billing_account, purpose)
);
CREATE INDEX ledger_entries_period ON ledger_entries (billing_account, period);

CREATE TABLE ledger_balances (
    billing_account TEXT COLLATE "C" NOT NULL,
    ledger_account TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    minor BIGINT NOT NULL,
    PRIMARY KEY (billing_account, ledger_account, currency)
);

-- The newest number of each seller's documents.
CREATE TABLE number_series (
    seller TEXT COLLATE "C" PRIMARY KEY,
    newest BIGINT NOT NULL
);

CREATE TABLE documents (
    id TEXT COLLATE "C" PRIMARY KEY,
    billing_account TEXT COLLATE "C" NOT NULL,
    period BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    amends TEXT COLLATE "C" NOT NULL,
    seller TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    due_until BIGINT NOT NULL,
    approved_by TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    digest %bytes% NOT NULL,
    UNIQUE (seller, sequence)
);
CREATE INDEX documents_account ON documents (billing_account, period);
CREATE INDEX documents_period ON documents (period);

-- Where each account's close of a period stands; link is the link of the chain that seals it.
CREATE TABLE account_closes (
    period BIGINT NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    company_version BIGINT NOT NULL,
    end_sequence BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    rows_digest %bytes% NOT NULL,
    entries_digest %bytes% NOT NULL,
    link BIGINT,
    PRIMARY KEY (period, billing_account)
);

CREATE TABLE close_links (
    number BIGINT PRIMARY KEY,
    period BIGINT NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    head %bytes% NOT NULL,
    sealed_at BIGINT NOT NULL,
    UNIQUE (period, billing_account)
);
