-- %bytes% and %rising% are the dialect's words for bytes and for a number that only rises.

CREATE TABLE facts (
    number BIGINT PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    effective_from BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    body_hash %bytes% NOT NULL,
    link %bytes% NOT NULL
);

CREATE TABLE codes (
    kind TEXT COLLATE "C" NOT NULL,
    code BIGINT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, code),
    UNIQUE (kind, value)
);

CREATE TABLE objects (
    id %rising%,
    table_name TEXT COLLATE "C" NOT NULL,
    period BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL UNIQUE,
    facts TEXT COLLATE "C" NOT NULL,
    first_sequence BIGINT NOT NULL,
    end_sequence BIGINT NOT NULL,
    company_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);
CREATE INDEX objects_retired ON objects (retired_at);

CREATE TABLE sealed (
    shard BIGINT PRIMARY KEY,
    sequence BIGINT NOT NULL
);

CREATE TABLE audit (
    number %rising%,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL
);

CREATE TABLE api_keys (
    key_id TEXT COLLATE "C" PRIMARY KEY,
    principal TEXT COLLATE "C" NOT NULL,
    hash %bytes% NOT NULL UNIQUE,
    actions TEXT COLLATE "C" NOT NULL,
    billing_accounts TEXT COLLATE "C" NOT NULL,
    sources TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);

CREATE TABLE watermarks (
    source TEXT COLLATE "C" NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    reported_until BIGINT NOT NULL,
    PRIMARY KEY (source, billing_account)
);

CREATE TABLE spools (
    id TEXT COLLATE "C" PRIMARY KEY,
    path TEXT COLLATE "C" NOT NULL,
    row_count BIGINT NOT NULL,
    params_hash TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX spools_expires ON spools (expires_at);

CREATE TABLE secrets (
    name TEXT COLLATE "C" PRIMARY KEY,
    secret %bytes% NOT NULL
);

CREATE TABLE settings (
    name TEXT COLLATE "C" PRIMARY KEY,
    setting TEXT COLLATE "C" NOT NULL
);
