SET maintenance_work_mem = '1GB';
ALTER TABLE reckoner_bench.events ADD CONSTRAINT events_once PRIMARY KEY (id);
ANALYZE reckoner_bench.events;
CHECKPOINT;
