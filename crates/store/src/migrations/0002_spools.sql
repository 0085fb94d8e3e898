ALTER TABLE spools ADD COLUMN size_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE spools ADD COLUMN stood_at TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX spools_owner ON spools (owner, expires_at);
CREATE INDEX spools_asked ON spools (params_hash, stood_at);
CREATE INDEX spools_path ON spools (path);
