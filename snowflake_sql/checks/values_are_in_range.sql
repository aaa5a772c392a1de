-- Grain: one row a trade with a value that is missing or cannot be; no row means there is none.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time, UTC.
-- Output: the trade and the rule it breaks.
-- Source: the contract of a trade in streaming/records.py. Clocks differ by less than a minute.

SELECT
  EXCHANGE,
  PAIR,
  TRADE_ID,
  CASE
    WHEN EXCHANGE IS NULL OR PAIR IS NULL OR TRADE_ID IS NULL OR PRICE IS NULL OR SIZE IS NULL THEN 'missing value'
    WHEN PRICE <= 0 OR SIZE <= 0 THEN 'not positive'
    WHEN SIDE NOT IN ('buy', 'sell') THEN 'unknown side'
    WHEN FIRST_ID > TRADE_ID OR FILL_COUNT < 1 THEN 'ids'
    WHEN SOURCE NOT IN ('ws', 'snapshot', 'rest') THEN 'unknown source'
    WHEN EXCHANGE_TIME > DATEADD('MINUTE', 1, RECEIVE_TIME) THEN 'from the future'
    ELSE 'simulated and not named so'
  END AS PROBLEM,
  PRICE,
  SIZE,
  EXCHANGE_TIME
FROM RAW.TRADES
WHERE EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
  AND (
    EXCHANGE IS NULL OR PAIR IS NULL OR TRADE_ID IS NULL OR PRICE IS NULL OR SIZE IS NULL
    OR PRICE <= 0 OR SIZE <= 0 OR SIDE NOT IN ('buy', 'sell') OR FIRST_ID > TRADE_ID OR FILL_COUNT < 1
    OR SOURCE NOT IN ('ws', 'snapshot', 'rest')
    OR EXCHANGE_TIME > DATEADD('MINUTE', 1, RECEIVE_TIME)
    OR IS_SIMULATED <> (ENDSWITH(EXCHANGE, '_SIM'))
  )
ORDER BY EXCHANGE, PAIR, TRADE_ID;
