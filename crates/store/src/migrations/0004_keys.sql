ALTER TABLE api_keys ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN valid_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN allowed_ranges TEXT COLLATE "C" NOT NULL DEFAULT '[]';
UPDATE api_keys SET name = key_id, valid_from = created_at;
