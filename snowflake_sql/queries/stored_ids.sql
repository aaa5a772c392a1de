-- Grain: one row a stored trade of one pair on one exchange.
-- Input: RAW.TRADES with EXCHANGE = :exchange, PAIR = :pair and :from_time <= EXCHANGE_TIME < :to_time, UTC.
-- Output: the ids it covers and its time, by id: what a back-fill need not ask for.
-- Source: identity of a trade in streaming/records.py.

SELECT FIRST_ID, TRADE_ID, EXCHANGE_TIME
FROM RAW.TRADES
WHERE EXCHANGE = :exchange
  AND PAIR = :pair
  AND EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
ORDER BY FIRST_ID;
