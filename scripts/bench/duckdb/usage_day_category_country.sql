SELECT strftime(DATE '1970-01-01' + day, '%Y-%m-%dT00:00:00') AS day, place.account AS account,
       meter_category.value AS category, country.value AS country, measure.value AS unit,
       unit_price, quantity, cost, currency.value AS currency
FROM (
    SELECT day, subscription, meter_category, country, measure, unit_price, tier, currency,
           sum(quantity) AS quantity, sum(cost) AS cost
    FROM rated
    WHERE subscription IN (SELECT code FROM place WHERE account IN ({some}))
    GROUP BY ALL
) AS found
JOIN place ON place.code = found.subscription
JOIN meter_category ON meter_category.code = found.meter_category
JOIN country ON country.code = found.country
JOIN measure ON measure.code = found.measure
JOIN currency ON currency.code = found.currency
ORDER BY day, account, category, country, unit, unit_price, quantity
