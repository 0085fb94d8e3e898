-- Drafts that a person has agreed to: just those with this digest.
CREATE TABLE approvals (
    period BIGINT NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    content %bytes% NOT NULL,
    approved_by TEXT COLLATE "C" NOT NULL,
    approved_at BIGINT NOT NULL,
    PRIMARY KEY (period, billing_account)
);
