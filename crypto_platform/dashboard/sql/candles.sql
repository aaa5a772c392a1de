-- Grain: one row a closed bar (WINDOW_START) of one pair on one exchange and one interval.
-- Input: MARKET.BARS; exchange, pair, interval_name, and the range [begins, ends) of window starts, UTC.
-- Output: prices, volumes, mean spread in basis points and realized variance, the earliest first.
-- Source: streaming/records.py, Bar.

SELECT
  WINDOW_START,
  WINDOW_END,
  OPEN,
  HIGH,
  LOW,
  CLOSE,
  VOLUME,
  QUOTE_VOLUME,
  VWAP,
  TRADE_COUNT,
  BUY_VOLUME,
  SELL_VOLUME,
  SPREAD_BP,
  REALIZED_VARIANCE,
  FLAGGED_COUNT,
  IS_SIMULATED,
  REVISION
FROM MARKET.BARS
WHERE EXCHANGE = :exchange
  AND PAIR = :pair
  AND INTERVAL_NAME = :interval_name
  AND WINDOW_START >= :begins
  AND WINDOW_START < :ends
ORDER BY WINDOW_START;
