SELECT strftime(DATE '1970-01-01' + day, '%Y-%m-%d') AS day, meter_category.value AS category,
       country.value AS country, NULL AS day_name, meter_category.name AS category_name,
       country.name AS country_name, records, cost
FROM (
    SELECT day, meter_category, country, sum(records) AS records, sum(cost) AS cost
    FROM {table}
    WHERE account IN (SELECT code FROM account WHERE value IN ({some}))
    GROUP BY ALL
) AS found
JOIN meter_category ON meter_category.code = found.meter_category
JOIN country ON country.code = found.country
ORDER BY day, category, country
