-- The rival's table. Its key is the shortest that is safe: a 16-byte id without account and source.
DROP SCHEMA IF EXISTS reckoner_bench CASCADE;
CREATE SCHEMA reckoner_bench;
CREATE TABLE reckoner_bench.events (
    id uuid NOT NULL,
    source text NOT NULL,
    billing_account text NOT NULL,
    subscription uuid NOT NULL,
    resource text NOT NULL,
    meter text NOT NULL,
    quantity numeric NOT NULL,
    used_at timestamptz NOT NULL,
    country text NOT NULL,
    campaign text NOT NULL,
    traffic_type text NOT NULL,
    CONSTRAINT events_once PRIMARY KEY (id)
);
