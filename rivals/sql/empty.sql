TRUNCATE reckoner_bench.events;
ALTER TABLE reckoner_bench.events DROP CONSTRAINT events_once;
