-- Grain: one row an hour in which late trades were made.
-- Input: OPS.LATE_TRADES with :from_time < LOADED_AT <= :to_time, UTC.
-- Output: the hour, how many late trades it has got, and when the last of them was loaded.
-- Source: a rollup of that hour or day lacks these trades, so exactly these partitions are computed again.

SELECT DATE_TRUNC('HOUR', EXCHANGE_TIME) AS HOUR_START, COUNT(*) AS TRADES, MAX(LOADED_AT) AS LAST_LOADED_AT
FROM OPS.LATE_TRADES
WHERE LOADED_AT > CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND LOADED_AT <= CAST(:to_time AS TIMESTAMP_NTZ(6))
GROUP BY DATE_TRUNC('HOUR', EXCHANGE_TIME)
ORDER BY HOUR_START;
