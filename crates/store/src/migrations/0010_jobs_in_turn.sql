-- A job that failed by no fault of its own waits for its next try; what changes one thing keeps its
-- order; what ended is found by its age.
ALTER TABLE jobs ADD COLUMN target TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_target ON jobs (state, target);
CREATE INDEX jobs_by_asker ON jobs (state, asked_by);
CREATE INDEX jobs_by_end ON jobs (ended_at);
