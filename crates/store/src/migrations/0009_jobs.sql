-- What was accepted and is carried out behind its answer.
CREATE TABLE jobs (
    number %rising%,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    surface TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    billing_account TEXT COLLATE "C" NOT NULL,
    asked_by TEXT COLLATE "C" NOT NULL,
    request_key TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    outcome %bytes% NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX jobs_by_state ON jobs (state, request_key);
