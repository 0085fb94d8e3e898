DROP SCHEMA reckoner_bench CASCADE
