-- Grain: BARS_5M and BARS_15M one row a pair and window, QUOTE_BARS_1S one row a pair and second with a quote:
--        (EXCHANGE, PAIR, WINDOW_START); LATE_TRADES one row a trade (EXCHANGE, PAIR, TRADE_ID).
-- Input: the loader, from the topics of the bars job, and the rollups. Output: bars of four lengths with the same
--        columns, quotes compressed to seconds, and the trades that came after their bar was closed.
-- Source: streaming/records.py (Bar, QuoteBar, LateTrade, CleanTrade). A bar without trades has no VWAP and no trade
--         ids; a bar written before this script has none of the new figures.

ALTER TABLE RAW.TRADES ADD COLUMN IF NOT EXISTS RULES VARCHAR COMMENT 'Anomaly rules that flag the trade, separated by commas; empty: none';

ALTER TABLE MARKET.BARS_1M ALTER COLUMN VWAP DROP NOT NULL;

ALTER TABLE MARKET.BARS_1M ALTER COLUMN FIRST_TRADE_ID DROP NOT NULL;

ALTER TABLE MARKET.BARS_1M ALTER COLUMN LAST_TRADE_ID DROP NOT NULL;

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS BUY_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker bought';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS SELL_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker sold';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS SPREAD NUMBER(38, 18) COMMENT 'Mean of ask less bid, weighted with time, half up at 10 decimals; empty without quotes';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS SPREAD_BP NUMBER(38, 18) COMMENT 'Mean of that in basis points of the mid price, weighted with time';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS QUOTED_MS NUMBER(38, 0) COMMENT 'Milliseconds of the window in which a valid quote held';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS REALIZED_VARIANCE FLOAT COMMENT 'Sum of squared log returns from the open over five-second slots';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS GARMAN_KLASS FLOAT COMMENT 'Garman-Klass variance of the log price';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS ROGERS_SATCHELL FLOAT COMMENT 'Rogers-Satchell variance of the log price';

ALTER TABLE MARKET.BARS_1M ADD COLUMN IF NOT EXISTS FLAGGED_COUNT NUMBER(38, 0) COMMENT 'Trade ids of flagged trades, which are in no other figure';

ALTER TABLE MARKET.BARS_1H ALTER COLUMN VWAP DROP NOT NULL;

ALTER TABLE MARKET.BARS_1H ALTER COLUMN FIRST_TRADE_ID DROP NOT NULL;

ALTER TABLE MARKET.BARS_1H ALTER COLUMN LAST_TRADE_ID DROP NOT NULL;

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS BUY_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker bought';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS SELL_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker sold';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS SPREAD NUMBER(38, 18) COMMENT 'Mean of ask less bid, weighted with time, half up at 10 decimals; empty without quotes';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS SPREAD_BP NUMBER(38, 18) COMMENT 'Mean of that in basis points of the mid price, weighted with time';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS QUOTED_MS NUMBER(38, 0) COMMENT 'Milliseconds of the window in which a valid quote held';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS REALIZED_VARIANCE FLOAT COMMENT 'Sum of squared log returns from the open over five-second slots';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS GARMAN_KLASS FLOAT COMMENT 'Garman-Klass variance of the log price';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS ROGERS_SATCHELL FLOAT COMMENT 'Rogers-Satchell variance of the log price';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS FLAGGED_COUNT NUMBER(38, 0) COMMENT 'Trade ids of flagged trades, which are in no other figure';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS KAFKA_PARTITION NUMBER(38, 0) COMMENT 'Partition of the bars topic; empty when only a rollup wrote it';

ALTER TABLE MARKET.BARS_1H ADD COLUMN IF NOT EXISTS KAFKA_OFFSET NUMBER(38, 0) COMMENT 'Offset in that partition';

CREATE TABLE IF NOT EXISTS MARKET.BARS_5M (
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
  VWAP NUMBER(38, 18) COMMENT 'QUOTE_VOLUME / VOLUME, rounded half up to 10 decimals',
  TRADE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids in the window that no rule flags',
  FIRST_TRADE_ID NUMBER(38, 0) COMMENT 'Lowest trade id in the window',
  LAST_TRADE_ID NUMBER(38, 0) COMMENT 'Highest trade id in the window',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated trades',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_BY VARCHAR NOT NULL COMMENT 'flink, or rollup when recomputed from RAW.TRADES',
  BUY_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker bought',
  SELL_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker sold',
  SPREAD NUMBER(38, 18) COMMENT 'Mean of ask less bid, weighted with time, half up at 10 decimals; empty without quotes',
  SPREAD_BP NUMBER(38, 18) COMMENT 'Mean of that in basis points of the mid price, weighted with time',
  QUOTED_MS NUMBER(38, 0) COMMENT 'Milliseconds of the window in which a valid quote held',
  REALIZED_VARIANCE FLOAT COMMENT 'Sum of squared log returns from the open over five-second slots',
  GARMAN_KLASS FLOAT COMMENT 'Garman-Klass variance of the log price',
  ROGERS_SATCHELL FLOAT COMMENT 'Rogers-Satchell variance of the log price',
  FLAGGED_COUNT NUMBER(38, 0) COMMENT 'Trade ids of flagged trades, which are in no other figure',
  KAFKA_PARTITION NUMBER(38, 0) COMMENT 'Partition of the bars topic; empty when only a rollup wrote it',
  KAFKA_OFFSET NUMBER(38, 0) COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT BARS_5M_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Closed five-minute bars';

CREATE TABLE IF NOT EXISTS MARKET.BARS_15M (
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
  VWAP NUMBER(38, 18) COMMENT 'QUOTE_VOLUME / VOLUME, rounded half up to 10 decimals',
  TRADE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids in the window that no rule flags',
  FIRST_TRADE_ID NUMBER(38, 0) COMMENT 'Lowest trade id in the window',
  LAST_TRADE_ID NUMBER(38, 0) COMMENT 'Highest trade id in the window',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated trades',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_BY VARCHAR NOT NULL COMMENT 'flink, or rollup when recomputed from RAW.TRADES',
  BUY_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker bought',
  SELL_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker sold',
  SPREAD NUMBER(38, 18) COMMENT 'Mean of ask less bid, weighted with time, half up at 10 decimals; empty without quotes',
  SPREAD_BP NUMBER(38, 18) COMMENT 'Mean of that in basis points of the mid price, weighted with time',
  QUOTED_MS NUMBER(38, 0) COMMENT 'Milliseconds of the window in which a valid quote held',
  REALIZED_VARIANCE FLOAT COMMENT 'Sum of squared log returns from the open over five-second slots',
  GARMAN_KLASS FLOAT COMMENT 'Garman-Klass variance of the log price',
  ROGERS_SATCHELL FLOAT COMMENT 'Rogers-Satchell variance of the log price',
  FLAGGED_COUNT NUMBER(38, 0) COMMENT 'Trade ids of flagged trades, which are in no other figure',
  KAFKA_PARTITION NUMBER(38, 0) COMMENT 'Partition of the bars topic; empty when only a rollup wrote it',
  KAFKA_OFFSET NUMBER(38, 0) COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT BARS_15M_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Closed fifteen-minute bars';

CREATE TABLE IF NOT EXISTS MARKET.QUOTE_BARS_1S (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the window in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the window, exclusive',
  BID_OPEN NUMBER(38, 18) COMMENT 'First bid; empty if no quote had one',
  BID_HIGH NUMBER(38, 18) COMMENT 'Highest bid; empty if no quote had one',
  BID_LOW NUMBER(38, 18) COMMENT 'Lowest bid; empty if no quote had one',
  BID_CLOSE NUMBER(38, 18) COMMENT 'Last bid; empty if no quote had one',
  ASK_OPEN NUMBER(38, 18) COMMENT 'First ask; empty if no quote had one',
  ASK_HIGH NUMBER(38, 18) COMMENT 'Highest ask; empty if no quote had one',
  ASK_LOW NUMBER(38, 18) COMMENT 'Lowest ask; empty if no quote had one',
  ASK_CLOSE NUMBER(38, 18) COMMENT 'Last ask; empty if no quote had one',
  SPREAD NUMBER(38, 18) COMMENT 'Mean of ask less bid, weighted with time, half up at 10 decimals; empty without quotes',
  SPREAD_BP NUMBER(38, 18) COMMENT 'Mean of that in basis points of the mid price, weighted with time',
  QUOTED_MS NUMBER(38, 0) NOT NULL COMMENT 'Milliseconds of the second in which a valid quote held',
  QUOTE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Quotes, at most one a millisecond',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated quotes',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the quote bars topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT QUOTE_BARS_1S_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Best bid and ask of each second, compressed from the tickers';

CREATE TABLE IF NOT EXISTS OPS.LATE_TRADES (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  FIRST_ID NUMBER(38, 0) NOT NULL COMMENT 'First trade id the row covers',
  TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'Last trade id the row covers; identifies the trade',
  EXCHANGE_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the exchange made the trade, UTC',
  RECEIVE_TIME TIMESTAMP_NTZ(9) NOT NULL COMMENT 'When the producer received it, UTC',
  SOURCE VARCHAR NOT NULL COMMENT 'How it reached us: ws, snapshot or rest',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made by the simulated exchange',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the late topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the loader wrote the batch, UTC',
  CONSTRAINT LATE_TRADES_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, TRADE_ID)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Trades that came after the bars they belong to were closed';
