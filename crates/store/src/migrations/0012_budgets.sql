-- Budgets, and whom they tell of what: each threshold once in a window, by the crossing.
CREATE TABLE budgets (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    place TEXT COLLATE "C" NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body %bytes% NOT NULL,
    UNIQUE (place, name_key)
);
CREATE TABLE budget_notices (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    budget TEXT COLLATE "C" NOT NULL,
    crossing TEXT COLLATE "C" NOT NULL,
    body %bytes% NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    window_end BIGINT NOT NULL
);
CREATE INDEX budget_notices_by_crossing ON budget_notices (budget, crossing);
CREATE INDEX budget_notices_by_state ON budget_notices (state, due_at);
CREATE INDEX budget_notices_by_end ON budget_notices (window_end);
