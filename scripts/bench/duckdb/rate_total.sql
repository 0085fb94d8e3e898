-- Graduated tiers: each row fills them in the order of time and id, from where the one before ended.
CREATE TABLE total AS
WITH placed AS (
    SELECT month, account, meter, quantity,
           (sum(quantity) OVER (
               PARTITION BY month, account, meter ORDER BY start_us, id
               ROWS UNBOUNDED PRECEDING
           ))::DECIMAL(15,3) AS after
    FROM usage
), slices AS (
    SELECT month, account,
           (least(after, until) - greatest(after - quantity, since))::DECIMAL(15,3) AS part, price
    FROM placed JOIN tier USING (meter)
    WHERE after > since AND after - quantity < until
)
SELECT month, account, sum(part * price) AS cost FROM slices GROUP BY month, account;
