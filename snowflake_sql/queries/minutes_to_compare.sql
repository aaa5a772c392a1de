-- Grain: one row a pair and minute of one exchange.
-- Input: MARKET.BARS_1M with EXCHANGE = :exchange and :from_time <= WINDOW_START < :to_time, UTC.
-- Output: the bar's prices and volume, its trades and flagged trades.
-- Source: what an exchange publishes as its own candles counts every trade (streaming/exchanges/candles.py).

SELECT PAIR, WINDOW_START, OPEN, HIGH, LOW, CLOSE, VOLUME, TRADE_COUNT, COALESCE(FLAGGED_COUNT, 0) AS FLAGGED
FROM MARKET.BARS_1M
WHERE EXCHANGE = :exchange
  AND WINDOW_START >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND WINDOW_START < CAST(:to_time AS TIMESTAMP_NTZ(6))
ORDER BY PAIR, WINDOW_START;
