INSERT INTO reckoner_bench.events
SELECT id::uuid, 'gate', billing_account, subscription::uuid, resource, meter, quantity::numeric,
       used_at::timestamptz, country, campaign, traffic_type
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[])
    AS sent (id, billing_account, subscription, resource, meter, quantity, used_at, country,
             campaign, traffic_type)
ON CONFLICT DO NOTHING
