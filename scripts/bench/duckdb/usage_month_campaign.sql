SELECT strftime(month, '%Y-%m-%dT00:00:00') AS month, place.account AS account,
       meter_category.value AS category, campaign.value AS campaign, measure.value AS unit,
       unit_price, quantity, cost, currency.value AS currency
FROM (
    SELECT month, subscription, meter_category, campaign, measure, unit_price, tier, currency,
           sum(quantity) AS quantity, sum(cost) AS cost
    FROM rated GROUP BY ALL
) AS found
JOIN place ON place.code = found.subscription
JOIN meter_category ON meter_category.code = found.meter_category
JOIN campaign ON campaign.code = found.campaign
JOIN measure ON measure.code = found.measure
JOIN currency ON currency.code = found.currency
ORDER BY month, account, category, campaign, unit, unit_price, quantity
