-- Facts and usage that an invoice in the place of a voided one was computed from.
ALTER TABLE documents ADD COLUMN company_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN end_sequence BIGINT NOT NULL DEFAULT 0;

-- Corrections that no line of an invoice shows: by credit note, or too little to ask for.
CREATE TABLE delivered_corrections (
    billing_account TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    note TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    digest %bytes% NOT NULL,
    PRIMARY KEY (billing_account, document, number)
);

-- What waits for a second person, or was approved by one.
CREATE TABLE requests (
    id TEXT COLLATE "C" PRIMARY KEY,
    action TEXT COLLATE "C" NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    asked_by TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    approved_by TEXT COLLATE "C" NOT NULL,
    approved_at BIGINT
);
CREATE INDEX requests_asked ON requests (asked_at);
