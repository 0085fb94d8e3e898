-- Places that keys are bound to.
ALTER TABLE api_keys ADD COLUMN places TEXT COLLATE "C" NOT NULL DEFAULT '[]';
-- Who is signed in with name and password, until it is not used for a while.
CREATE TABLE sessions (
    token_hash %bytes% NOT NULL PRIMARY KEY,
    principal TEXT COLLATE "C" NOT NULL,
    bound_to TEXT COLLATE "C",
    secret_hash %bytes% NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_principal ON sessions (principal, used_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
-- Usage queries: what was asked, by whom, who answers it, and what the answer is made of.
CREATE TABLE usage_queries (
    number %rising%,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    owner TEXT COLLATE "C" NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    progress_done BIGINT NOT NULL,
    progress_all BIGINT NOT NULL,
    outcome %bytes% NOT NULL,
    lease_owner TEXT COLLATE "C" NOT NULL,
    lease_until BIGINT NOT NULL,
    fencing BIGINT NOT NULL,
    begun BIGINT NOT NULL,
    leased_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    expires_at BIGINT
);
CREATE INDEX usage_queries_by_owner ON usage_queries (owner, number);
CREATE INDEX usage_queries_by_state ON usage_queries (state, number);
CREATE INDEX usage_queries_by_lease ON usage_queries (owner, leased_at);
CREATE INDEX usage_queries_by_expiry ON usage_queries (expires_at);
-- Callbacks: one result owed to one address, until it is delivered or given up.
CREATE TABLE callbacks (
    number %rising%,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    query_id TEXT COLLATE "C" NOT NULL UNIQUE,
    owner TEXT COLLATE "C" NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    url_hash TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    body_path TEXT COLLATE "C" NOT NULL,
    body_bytes BIGINT NOT NULL,
    body_hash TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    claimed_at BIGINT NOT NULL,
    last_outcome TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    released BIGINT NOT NULL
);
CREATE INDEX callbacks_by_due ON callbacks (state, due_at);
CREATE INDEX callbacks_by_claim ON callbacks (state, claimed_until);
CREATE INDEX callbacks_by_turn ON callbacks (owner, claimed_at);
CREATE INDEX callbacks_by_receiver ON callbacks (owner, receiver, claimed_at);
CREATE INDEX callbacks_by_result ON callbacks (body_path);
CREATE INDEX callbacks_by_address ON callbacks (owner, url_hash, state);
CREATE TABLE callback_attempts (
    callback_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    status BIGINT,
    outcome TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (callback_id, number)
);
-- Addresses that want no more of somebody.
CREATE TABLE callback_receivers (
    owner TEXT COLLATE "C" NOT NULL,
    url_hash TEXT COLLATE "C" NOT NULL,
    disabled_at BIGINT NOT NULL,
    why TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (owner, url_hash)
);
