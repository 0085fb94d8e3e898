SELECT strftime(month, '%Y-%m') AS month, account.value AS account, NULL AS month_name,
       account.name AS account_name, records, cost
FROM (
    SELECT month, account AS code, sum(records) AS records, sum(cost) AS cost
    FROM {table} GROUP BY ALL
) JOIN account USING (code) ORDER BY month, account
