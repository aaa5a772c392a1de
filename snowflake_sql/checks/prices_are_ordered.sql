-- Grain: one row a minute whose figures contradict each other; no row means none does.
-- Input: MARKET.BARS_1M with :from_time <= WINDOW_START < :to_time, UTC.
-- Output: the prices and volumes of that bar.
-- Source: LOW <= OPEN, CLOSE <= HIGH and LOW <= VWAP <= HIGH by what they mean (streaming/records.py, Bar); VWAP is
--         rounded at 10 decimals.

SELECT EXCHANGE, PAIR, WINDOW_START, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, VWAP, TRADE_COUNT
FROM MARKET.BARS_1M
WHERE WINDOW_START >= CAST(:from_time AS TIMESTAMP_NTZ(6))
  AND WINDOW_START < CAST(:to_time AS TIMESTAMP_NTZ(6))
  AND (
    LOW > OPEN OR LOW > CLOSE OR HIGH < OPEN OR HIGH < CLOSE OR LOW <= 0
    OR VWAP < LOW - 0.0000000001 OR VWAP > HIGH + 0.0000000001
    OR VOLUME < 0 OR QUOTE_VOLUME < 0 OR TRADE_COUNT < 0
    OR (TRADE_COUNT = 0) <> (VOLUME = 0)
    OR COALESCE(BUY_VOLUME + SELL_VOLUME, VOLUME) <> VOLUME
  )
ORDER BY EXCHANGE, PAIR, WINDOW_START;
