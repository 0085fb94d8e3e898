SELECT count(*) FROM reckoner_bench.events
