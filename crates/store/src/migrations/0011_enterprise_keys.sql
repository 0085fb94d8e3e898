-- Keys of enterprise agreements. A key is a signed text, so that its id is all that is kept of it; a
-- slot of an owner has one key that is not revoked, at most.
CREATE TABLE enterprise_keys (
    key_id TEXT COLLATE "C" PRIMARY KEY,
    billing_account TEXT COLLATE "C" NOT NULL,
    level TEXT COLLATE "C" NOT NULL,
    place TEXT COLLATE "C" NOT NULL,
    slot TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    allowed_ranges TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    valid_from BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX enterprise_keys_in_slots
    ON enterprise_keys (billing_account, level, place, slot) WHERE revoked_at IS NULL;
-- Exports of usage details: what was asked, by whose key, and where what answers it begins.
CREATE TABLE usage_exports (
    number %rising%,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    asked_by TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    outcome %bytes% NOT NULL,
    requested_at BIGINT NOT NULL
);
CREATE INDEX usage_exports_by_asker ON usage_exports (asked_by, requested_at);
CREATE INDEX usage_exports_by_state ON usage_exports (state, requested_at);
CREATE INDEX usage_exports_by_age ON usage_exports (requested_at);
