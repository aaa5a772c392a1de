-- Grain: one row a pair and hour (EXCHANGE, PAIR, WINDOW_START) of MARKET.BARS_1H.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time; both must be full hours, UTC.
-- Output: hours that differ from what the stored trades say are corrected, missing ones are added. Running it
--         again changes nothing. The hour that has begun holds what has been traded so far.
-- Source: definition of a bar in streaming/records.py. VWAP = sum(price * size) / sum(size), half up at 10
--         decimals. Products are taken of whole numbers (price * 10^10, size * 10^8), because Snowflake keeps
--         only max(s1, s2, 12) decimals of a product ("Scale and precision in arithmetic operations",
--         docs.snowflake.com). The quotient starts as a float and is corrected by its exact remainder, so it
--         is the same on every engine.

MERGE INTO MARKET.BARS_1H t
USING (
  WITH ranked AS (
    SELECT
      EXCHANGE,
      PAIR,
      DATE_TRUNC('HOUR', EXCHANGE_TIME) AS WINDOW_START,
      FIRST_ID,
      TRADE_ID,
      FILL_COUNT,
      PRICE,
      CAST(PRICE * 10000000000 AS NUMBER(18, 0)) AS PRICE_E10,
      CAST(SIZE * 100000000 AS NUMBER(19, 0)) AS SIZE_E8,
      IS_SIMULATED,
      ROW_NUMBER() OVER (
        PARTITION BY EXCHANGE, PAIR, DATE_TRUNC('HOUR', EXCHANGE_TIME) ORDER BY EXCHANGE_TIME, TRADE_ID
      ) AS FROM_START,
      ROW_NUMBER() OVER (
        PARTITION BY EXCHANGE, PAIR, DATE_TRUNC('HOUR', EXCHANGE_TIME) ORDER BY EXCHANGE_TIME DESC, TRADE_ID DESC
      ) AS FROM_END
    FROM RAW.TRADES
    WHERE EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
      AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
  ),
  summed AS (
    SELECT
      EXCHANGE,
      PAIR,
      WINDOW_START,
      MAX(CASE WHEN FROM_START = 1 THEN PRICE END) AS OPEN,
      MAX(PRICE) AS HIGH,
      MIN(PRICE) AS LOW,
      MAX(CASE WHEN FROM_END = 1 THEN PRICE END) AS CLOSE,
      CAST(SUM(CAST(SIZE_E8 AS NUMBER(19, 0))) AS NUMBER(37, 0)) AS VOLUME_E8,
      CAST(SUM(CAST(PRICE_E10 * SIZE_E8 AS NUMBER(37, 0))) AS NUMBER(37, 0)) AS QUOTE_VOLUME_E18,
      CAST(SUM(CAST(FILL_COUNT AS NUMBER(37, 0))) AS NUMBER(38, 0)) AS TRADE_COUNT,
      MIN(FIRST_ID) AS FIRST_TRADE_ID,
      MAX(TRADE_ID) AS LAST_TRADE_ID,
      BOOLOR_AGG(IS_SIMULATED) AS IS_SIMULATED
    FROM ranked
    GROUP BY EXCHANGE, PAIR, WINDOW_START
  ),
  estimated AS (
    SELECT *, CAST(CAST(QUOTE_VOLUME_E18 AS FLOAT) / CAST(VOLUME_E8 AS FLOAT) AS NUMBER(19, 0)) AS ESTIMATE
    FROM summed
  ),
  corrected AS (
    SELECT
      *,
      ESTIMATE + CAST(
        CAST(QUOTE_VOLUME_E18 - ESTIMATE * VOLUME_E8 AS FLOAT) / CAST(VOLUME_E8 AS FLOAT) AS NUMBER(19, 0)
      ) AS NEAREST
    FROM estimated
  ),
  bars AS (
    SELECT
      EXCHANGE,
      PAIR,
      WINDOW_START,
      OPEN,
      HIGH,
      LOW,
      CLOSE,
      CAST(VOLUME_E8 * 0.00000001 AS NUMBER(38, 18)) AS VOLUME,
      CAST(QUOTE_VOLUME_E18 * 0.000000000000000001 AS NUMBER(38, 18)) AS QUOTE_VOLUME,
      CAST(
        (
          NEAREST + CASE
            WHEN 2 * (QUOTE_VOLUME_E18 - NEAREST * VOLUME_E8) >= VOLUME_E8 THEN 1
            WHEN 2 * (QUOTE_VOLUME_E18 - NEAREST * VOLUME_E8) < -VOLUME_E8 THEN -1
            ELSE 0
          END
        ) * 0.0000000001 AS NUMBER(38, 18)
      ) AS VWAP,
      TRADE_COUNT,
      FIRST_TRADE_ID,
      LAST_TRADE_ID,
      IS_SIMULATED
    FROM corrected
  )
  SELECT
    EXCHANGE, PAIR, WINDOW_START, DATEADD('HOUR', 1, WINDOW_START) AS WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME,
    QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, IS_SIMULATED
  FROM bars
) s
ON t.EXCHANGE = s.EXCHANGE AND t.PAIR = s.PAIR AND t.WINDOW_START = s.WINDOW_START
WHEN MATCHED AND (
  t.OPEN <> s.OPEN OR t.HIGH <> s.HIGH OR t.LOW <> s.LOW OR t.CLOSE <> s.CLOSE OR t.VOLUME <> s.VOLUME
  OR t.QUOTE_VOLUME <> s.QUOTE_VOLUME OR t.VWAP <> s.VWAP OR t.TRADE_COUNT <> s.TRADE_COUNT
  OR t.FIRST_TRADE_ID <> s.FIRST_TRADE_ID OR t.LAST_TRADE_ID <> s.LAST_TRADE_ID
) THEN UPDATE SET
  OPEN = s.OPEN,
  HIGH = s.HIGH,
  LOW = s.LOW,
  CLOSE = s.CLOSE,
  VOLUME = s.VOLUME,
  QUOTE_VOLUME = s.QUOTE_VOLUME,
  VWAP = s.VWAP,
  TRADE_COUNT = s.TRADE_COUNT,
  FIRST_TRADE_ID = s.FIRST_TRADE_ID,
  LAST_TRADE_ID = s.LAST_TRADE_ID,
  REVISION = t.REVISION + 1,
  COMPUTED_BY = 'rollup',
  LOADED_AT = SYSDATE()
WHEN NOT MATCHED THEN INSERT (
  EXCHANGE, PAIR, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, VWAP, TRADE_COUNT,
  FIRST_TRADE_ID, LAST_TRADE_ID, IS_SIMULATED, REVISION, COMPUTED_BY, LOADED_AT
) VALUES (
  s.EXCHANGE, s.PAIR, s.WINDOW_START, s.WINDOW_END, s.OPEN, s.HIGH, s.LOW, s.CLOSE, s.VOLUME, s.QUOTE_VOLUME,
  s.VWAP, s.TRADE_COUNT, s.FIRST_TRADE_ID, s.LAST_TRADE_ID, s.IS_SIMULATED, 0, 'rollup', SYSDATE()
);
