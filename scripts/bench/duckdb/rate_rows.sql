-- The same, each slice as a row of a file: fewer columns than a rated row has.
COPY (
    WITH placed AS (
        SELECT month, account, meter, start_us, id, quantity,
               (sum(quantity) OVER (
                   PARTITION BY month, account, meter ORDER BY start_us, id
                   ROWS UNBOUNDED PRECEDING
               ))::DECIMAL(15,3) AS after
        FROM usage
    )
    SELECT month, account, meter, start_us, id, tier,
           (least(after, until) - greatest(after - quantity, since))::DECIMAL(15,3) AS part,
           price, part * price AS cost
    FROM placed JOIN tier USING (meter)
    WHERE after > since AND after - quantity < until
) TO '{path}' (FORMAT parquet, COMPRESSION zstd);
