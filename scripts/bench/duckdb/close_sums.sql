-- What the lines of a close add up, without anything that makes them an invoice.
SELECT account, subscription, meter, category, currency, count(*) AS rows, sum(cost) AS cost
FROM read_parquet({paths})
GROUP BY account, subscription, meter, category, currency
