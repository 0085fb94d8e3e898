SELECT campaign.value AS campaign, campaign.name AS campaign_name, records, cost
FROM (
    SELECT campaign AS code, sum(records) AS records, sum(cost) AS cost
    FROM {table} GROUP BY ALL ORDER BY cost DESC LIMIT 20
) JOIN campaign USING (code) ORDER BY cost DESC
