-- Grain: BARS_1M one row a pair and minute, BARS_1H one row a pair and hour: (EXCHANGE, PAIR, WINDOW_START).
-- Input: BARS_1M from the loader (closed bars of the stream) and from rollups/bars_1m_recompute.sql;
--        BARS_1H from rollups/bars_1h.sql. Output: prices and volumes for people and models.
-- Source: streaming/records.py, Bar. Permanent, because trades are kept for a shorter time than bars.

CREATE TABLE IF NOT EXISTS MARKET.BARS_1M (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the window in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the window, exclusive',
  OPEN NUMBER(38, 18) NOT NULL COMMENT 'Price of the first trade by (exchange time, trade id)',
  HIGH NUMBER(38, 18) NOT NULL COMMENT 'Highest price',
  LOW NUMBER(38, 18) NOT NULL COMMENT 'Lowest price',
  CLOSE NUMBER(38, 18) NOT NULL COMMENT 'Price of the last trade by (exchange time, trade id)',
  VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of sizes in base currency',
  QUOTE_VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of price times size in quote currency, exact',
  VWAP NUMBER(38, 18) NOT NULL COMMENT 'QUOTE_VOLUME / VOLUME, rounded half up to 10 decimals',
  TRADE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids in the window',
  FIRST_TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'Lowest trade id in the window',
  LAST_TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'Highest trade id in the window',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated trades',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_BY VARCHAR NOT NULL COMMENT 'flink, or rollup when recomputed from RAW.TRADES',
  KAFKA_PARTITION NUMBER(38, 0) COMMENT 'Partition of the bars topic; empty when only a rollup wrote it',
  KAFKA_OFFSET NUMBER(38, 0) COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT BARS_1M_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Closed one-minute bars';

CREATE TABLE IF NOT EXISTS MARKET.BARS_1H (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the window in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the window, exclusive',
  OPEN NUMBER(38, 18) NOT NULL COMMENT 'Price of the first trade by (exchange time, trade id)',
  HIGH NUMBER(38, 18) NOT NULL COMMENT 'Highest price',
  LOW NUMBER(38, 18) NOT NULL COMMENT 'Lowest price',
  CLOSE NUMBER(38, 18) NOT NULL COMMENT 'Price of the last trade by (exchange time, trade id)',
  VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of sizes in base currency',
  QUOTE_VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of price times size in quote currency, exact',
  VWAP NUMBER(38, 18) NOT NULL COMMENT 'QUOTE_VOLUME / VOLUME, rounded half up to 10 decimals',
  TRADE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids in the window',
  FIRST_TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'Lowest trade id in the window',
  LAST_TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'Highest trade id in the window',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated trades',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change of its values',
  COMPUTED_BY VARCHAR NOT NULL COMMENT 'rollup',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT BARS_1H_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Hourly bars computed from RAW.TRADES';
