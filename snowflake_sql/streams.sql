-- Made by `python -m snowflake_sql.flatten` from account/; edit the scripts there.

-- account/A__3_streams_and_tasks.sql
-- Grain: none; a stream on the trades and a triggered task that corrects the minutes they touched.
-- Input: RAW.TRADES. Output: OPS.LATE_LOADS, the trades that were loaded after their minute's bar, for
--        rollups/bars_1m_recompute.sql. Needs an account; never run on the emulator, which has neither
--        streams nor tasks.
-- Source: a task with WHEN SYSTEM$STREAM_HAS_DATA and no schedule runs when its stream has rows ("Triggered
--         tasks", docs.snowflake.com). The INSERT consumes the stream in the transaction that stores its rows.

CREATE TABLE IF NOT EXISTS OPS.LATE_LOADS (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Minute whose bar lacks the trade',
  TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'The trade',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it was loaded, UTC'
)
COMMENT = 'Trades loaded after the bar of their minute';

CREATE STREAM IF NOT EXISTS RAW.TRADES_STREAM ON TABLE RAW.TRADES APPEND_ONLY = TRUE COMMENT = 'New trades';

CREATE OR REPLACE TASK OPS.NOTE_LATE_LOADS
  WAREHOUSE = CRYPTO_TRANSFORM_WH
  COMMENT = 'Notes the minutes to recompute, whenever there are new trades'
  WHEN SYSTEM$STREAM_HAS_DATA('RAW.TRADES_STREAM')
AS
INSERT INTO OPS.LATE_LOADS (EXCHANGE, PAIR, WINDOW_START, TRADE_ID, LOADED_AT)
SELECT t.EXCHANGE, t.PAIR, b.WINDOW_START, t.TRADE_ID, t.LOADED_AT
FROM RAW.TRADES_STREAM t
JOIN MARKET.BARS_1M b
  ON b.EXCHANGE = t.EXCHANGE
  AND b.PAIR = t.PAIR
  AND b.WINDOW_START = DATE_TRUNC('MINUTE', t.EXCHANGE_TIME)
WHERE t.LOADED_AT > b.LOADED_AT;

ALTER TASK OPS.NOTE_LATE_LOADS RESUME;
