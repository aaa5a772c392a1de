-- Made by `python -m snowflake_sql.flatten` from migrations/; edit the scripts there.

-- migrations/V1.0.0__schemas.sql
-- Grain: none; creates the schemas that every other script names.
-- Input: the database of the session. Output: RAW (as loaded), MARKET (bars), OPS (offsets, gaps).
-- Source: layout of the platform; transient schemas have no Fail-safe (docs.snowflake.com, "Transient Tables").

CREATE TRANSIENT SCHEMA IF NOT EXISTS RAW COMMENT = 'Records as they left the stream, one row a record; can be rebuilt from Kafka and the exchange';

CREATE SCHEMA IF NOT EXISTS MARKET COMMENT = 'Bars computed from trades';

CREATE SCHEMA IF NOT EXISTS OPS COMMENT = 'What the platform knows about itself: load offsets and the gap ledger';

-- migrations/V1.1.0__raw.sql
-- Grain: TRADES one row a trade (EXCHANGE, PAIR, TRADE_ID); TICKERS one row a push
--        (EXCHANGE, PAIR, PRODUCER_ID, PRODUCER_EPOCH, PRODUCER_SEQ); DEAD_LETTERS one row a refused message.
-- Input: the loader. Output: the raw layer that rollups, checks and audits read.
-- Source: streaming/records.py. Primary keys say what identifies a row; Snowflake does not enforce them on
--         standard tables, the loader does. Rows arrive in time order, so no clustering key is needed.

CREATE TRANSIENT TABLE IF NOT EXISTS RAW.TRADES (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  FIRST_ID NUMBER(38, 0) NOT NULL COMMENT 'First trade id the row covers',
  TRADE_ID NUMBER(38, 0) NOT NULL COMMENT 'Last trade id the row covers; identifies the trade',
  FILL_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids the row covers',
  PRICE NUMBER(38, 18) NOT NULL COMMENT 'Price in quote currency, at most 8 digits before and 10 after the point',
  SIZE NUMBER(38, 18) NOT NULL COMMENT 'Size in base currency, at most 11 digits before and 8 after the point',
  SIDE VARCHAR NOT NULL COMMENT 'Side of the taker: buy or sell',
  EXCHANGE_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the exchange made the trade, UTC',
  RECEIVE_TIME TIMESTAMP_NTZ(9) NOT NULL COMMENT 'When the producer received it, UTC',
  SOURCE VARCHAR NOT NULL COMMENT 'How it reached us: ws, snapshot or rest',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made by the simulated exchange',
  PRODUCER_ID VARCHAR NOT NULL COMMENT 'Producer that wrote it',
  PRODUCER_EPOCH NUMBER(38, 0) NOT NULL COMMENT 'Life of that producer process',
  PRODUCER_SEQ NUMBER(38, 0) NOT NULL COMMENT 'Its gapless number per pair and record type within the epoch',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the clean topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the loader wrote the batch, UTC',
  CONSTRAINT TRADES_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, TRADE_ID)
)
DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'Deduplicated trades of every pair';

CREATE TRANSIENT TABLE IF NOT EXISTS RAW.TICKERS (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  BID_PRICE NUMBER(38, 18) COMMENT 'Best bid in quote currency',
  BID_SIZE NUMBER(38, 18) COMMENT 'Size at the best bid in base currency',
  ASK_PRICE NUMBER(38, 18) COMMENT 'Best ask in quote currency',
  ASK_SIZE NUMBER(38, 18) COMMENT 'Size at the best ask in base currency',
  LAST_PRICE NUMBER(38, 18) COMMENT 'Price of the last trade in quote currency',
  LAST_SIZE NUMBER(38, 18) COMMENT 'Size of the last trade in base currency',
  OPEN_24H NUMBER(38, 18) COMMENT 'Price 24 hours ago',
  HIGH_24H NUMBER(38, 18) COMMENT 'Highest price of the last 24 hours',
  LOW_24H NUMBER(38, 18) COMMENT 'Lowest price of the last 24 hours',
  BASE_VOLUME_24H NUMBER(38, 18) COMMENT 'Volume of the last 24 hours in base currency',
  QUOTE_VOLUME_24H NUMBER(38, 18) COMMENT 'Volume of the last 24 hours in quote currency',
  EXCHANGE_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the exchange made the ticker, UTC',
  RECEIVE_TIME TIMESTAMP_NTZ(9) NOT NULL COMMENT 'When the producer received it, UTC',
  SOURCE VARCHAR NOT NULL COMMENT 'How it reached us: ws, snapshot or rest',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made by the simulated exchange',
  PRODUCER_ID VARCHAR NOT NULL COMMENT 'Producer that wrote it',
  PRODUCER_EPOCH NUMBER(38, 0) NOT NULL COMMENT 'Life of that producer process',
  PRODUCER_SEQ NUMBER(38, 0) NOT NULL COMMENT 'Its gapless number per pair and record type within the epoch',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the clean topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the loader wrote the batch, UTC',
  CONSTRAINT TICKERS_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, PRODUCER_ID, PRODUCER_EPOCH, PRODUCER_SEQ)
)
DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'State of each market as the exchange pushed it';

CREATE TRANSIENT TABLE IF NOT EXISTS RAW.DEAD_LETTERS (
  EXCHANGE VARCHAR COMMENT 'Exchange, where it is known',
  PAIR VARCHAR COMMENT 'Pair, where it is known',
  STAGE VARCHAR NOT NULL COMMENT 'Part that refused it: parse, validate or load',
  REASON VARCHAR NOT NULL COMMENT 'Why',
  RAW_TEXT VARCHAR NOT NULL COMMENT 'Text as received, cut at 64 KiB',
  RECEIVE_TIME TIMESTAMP_NTZ(9) NOT NULL COMMENT 'When it was received or refused, UTC',
  PRODUCER_ID VARCHAR NOT NULL COMMENT 'Process that refused it',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  SOURCE_TOPIC VARCHAR NOT NULL COMMENT 'Topic the loader read it from',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of that topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the loader wrote the batch, UTC'
)
DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'Messages that could not become rows, with the reason';

CREATE STAGE IF NOT EXISTS RAW.LOADER COMMENT = 'Files of large batches, removed once they are loaded';

-- migrations/V1.2.0__market.sql
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

-- migrations/V1.3.0__ops.sql
-- Grain: LOAD_OFFSETS one row a topic partition; GAPS one row a gap, its latest state.
-- Input: the loader, in the transaction that writes the rows the offsets stand for.
-- Output: where loading goes on after any failure, and the ledger of missing trade ids.
-- Source: streaming/records.py, Gap; offsets beside the rows make a replay harmless.

CREATE TABLE IF NOT EXISTS OPS.LOAD_OFFSETS (
  TOPIC VARCHAR NOT NULL COMMENT 'Kafka topic',
  PARTITION_ID NUMBER(38, 0) NOT NULL COMMENT 'Partition of that topic',
  NEXT_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'First offset that is not loaded yet',
  UPDATED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it last moved, UTC',
  CONSTRAINT LOAD_OFFSETS_IDENTITY PRIMARY KEY (TOPIC, PARTITION_ID)
)
COMMENT = 'How far each partition is loaded; moved in the same transaction as its rows';

CREATE TABLE IF NOT EXISTS OPS.GAPS (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  FROM_ID NUMBER(38, 0) NOT NULL COMMENT 'First missing trade id',
  TO_ID NUMBER(38, 0) NOT NULL COMMENT 'Last missing trade id, inclusive',
  CAUSE VARCHAR NOT NULL COMMENT 'What opened the gap',
  DETECTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it was noticed, UTC',
  FILLED_AT TIMESTAMP_NTZ(6) COMMENT 'When it was filled, UTC',
  STATUS VARCHAR NOT NULL COMMENT 'open, filled or unrecoverable',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'A gap in simulated trades',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the gap ledger',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset of the latest state in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the latest state was loaded, UTC',
  CONSTRAINT GAPS_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, FROM_ID)
)
COMMENT = 'Gap ledger: runs of trade ids that were not received, and what became of them';

-- migrations/V1.4.0__bars_of_every_length.sql
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

-- migrations/V1.5.0__anomalies.sql
-- Grain: ANOMALIES one row a finding: (EXCHANGE, PAIR, RULE_NAME, SUBJECT_ID).
-- Input: the loader, from the anomalies topic. Output: what was flagged, by which rule, how clearly.
-- Source: streaming/records.py, Anomaly; the rules are in streaming/flink/sql. A finding repeated after a failure
--         is the same row.

CREATE TABLE IF NOT EXISTS MARKET.ANOMALIES (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  RULE_NAME VARCHAR NOT NULL COMMENT 'Rule that found it',
  RULE_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the definition of the rule',
  SUBJECT VARCHAR NOT NULL COMMENT 'What it is about: trade, quote, or pair as a whole',
  SUBJECT_ID VARCHAR NOT NULL COMMENT 'Trade id, producer epoch and sequence of a quote, or a time of the records',
  SCORE FLOAT NOT NULL COMMENT 'How far it goes, in the unit of the rule; above THRESHOLD',
  THRESHOLD FLOAT NOT NULL COMMENT 'Where the rule began to flag',
  PRICE NUMBER(38, 18) COMMENT 'Price of a judged trade in quote currency',
  BID_PRICE NUMBER(38, 18) COMMENT 'Bid of a judged quote',
  ASK_PRICE NUMBER(38, 18) COMMENT 'Ask of a judged quote',
  EXCHANGE_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Exchange time of what was judged, UTC',
  RECEIVE_TIME TIMESTAMP_NTZ(9) NOT NULL COMMENT 'When the producer received it, UTC',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Found in simulated data',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the anomalies topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the loader wrote the batch, UTC',
  CONSTRAINT ANOMALIES_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, RULE_NAME, SUBJECT_ID)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Findings of the anomaly rules; what they are about is flagged, never deleted';

-- migrations/V1.6.0__daily_rollups.sql
-- Grain: BARS_1D, DAILY_STATISTICS one row a pair and day (EXCHANGE, PAIR, WINDOW_START); VOLUME_PROFILES one row a
--        pair, day and twentieth of its price range (… , BUCKET); CORRELATIONS one row two pairs of an exchange and day;
--        EXCHANGE_SPREADS one row a pair on two exchanges and day; LATENCIES one row a pair, hour and stage.
-- Input: the rollups of the same names in snowflake_sql/rollups. Output: what is looked at by the day.
-- Source: the formulas stand in the headers of the rollups. Permanent, because trades are kept for a shorter time.

CREATE TABLE IF NOT EXISTS MARKET.BARS_1D (
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
  COMPUTED_BY VARCHAR NOT NULL COMMENT 'rollup',
  BUY_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker bought',
  SELL_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker sold',
  SPREAD NUMBER(38, 18) COMMENT 'Mean of ask less bid, weighted with time, half up at 10 decimals; empty without quotes',
  SPREAD_BP NUMBER(38, 18) COMMENT 'Mean of that in basis points of the mid price, weighted with time',
  QUOTED_MS NUMBER(38, 0) COMMENT 'Milliseconds of the window in which a valid quote held',
  REALIZED_VARIANCE FLOAT COMMENT 'Sum of squared log returns from the open over five-second slots',
  GARMAN_KLASS FLOAT COMMENT 'Garman-Klass variance of the log price',
  ROGERS_SATCHELL FLOAT COMMENT 'Rogers-Satchell variance of the log price',
  FLAGGED_COUNT NUMBER(38, 0) COMMENT 'Trade ids of flagged trades, which are in no other figure',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT BARS_1D_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Daily bars computed from RAW.TRADES';

CREATE TABLE IF NOT EXISTS MARKET.DAILY_STATISTICS (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the day in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the day, exclusive',
  MINUTES_TRADED NUMBER(38, 0) NOT NULL COMMENT 'Minutes with a trade that no rule flags',
  COMPLETENESS FLOAT NOT NULL COMMENT 'MINUTES_TRADED as a share of the 1,440 minutes of the day',
  IDS_STORED NUMBER(38, 0) COMMENT 'Trade ids in RAW.TRADES, flagged ones too; empty when the trades were pruned before',
  IDS_MISSING NUMBER(38, 0) COMMENT 'Ids between the lowest and the highest that are not stored; empty where ids have holes',
  TRADE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids that no rule flags',
  FLAGGED_COUNT NUMBER(38, 0) COMMENT 'Trade ids that a rule flags',
  VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of sizes in base currency',
  QUOTE_VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of price times size in quote currency',
  BUY_VOLUME NUMBER(38, 18) COMMENT 'Volume of trades whose taker bought',
  REALIZED_VOLATILITY FLOAT NOT NULL COMMENT 'Square root of the sum of squared one-minute log returns of the day',
  PARKINSON_VOLATILITY FLOAT NOT NULL COMMENT 'Square root of the sum over minutes of ln(high / low)^2 / (4 ln 2)',
  ANNUAL_VOLATILITY FLOAT NOT NULL COMMENT 'REALIZED_VOLATILITY times the square root of 365',
  SPREAD_BP_MEAN FLOAT COMMENT 'Mean spread in basis points of the mid price, weighted with time; empty without quotes',
  SPREAD_BP_P05 FLOAT COMMENT '5th percentile of the spreads of the seconds of the day',
  SPREAD_BP_P50 FLOAT COMMENT 'Median of them',
  SPREAD_BP_P95 FLOAT COMMENT '95th percentile of them',
  SPREAD_BP_P99 FLOAT COMMENT '99th percentile of them',
  QUOTED_MS NUMBER(38, 0) NOT NULL COMMENT 'Milliseconds of the day in which a valid quote held, within seconds that have a quote',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated data',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT DAILY_STATISTICS_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Volatility, spreads, volume and completeness of each pair and day';

CREATE TABLE IF NOT EXISTS MARKET.VOLUME_PROFILES (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the day in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the day, exclusive',
  BUCKET NUMBER(38, 0) NOT NULL COMMENT 'Twentieth of the range from the lowest to the highest price of the day, from 0',
  PRICE_FROM NUMBER(38, 18) NOT NULL COMMENT 'Lower end of the bucket, inclusive',
  PRICE_TO NUMBER(38, 18) NOT NULL COMMENT 'Upper end of the bucket, exclusive but for the last one',
  VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Sum of sizes traded within it, in base currency',
  BUY_VOLUME NUMBER(38, 18) NOT NULL COMMENT 'Of it, by trades whose taker bought',
  TRADE_COUNT NUMBER(38, 0) NOT NULL COMMENT 'Trade ids within it',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated trades',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT VOLUME_PROFILES_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START, BUCKET)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Volume at price of each pair and day';

CREATE TABLE IF NOT EXISTS MARKET.CORRELATIONS (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR_A VARCHAR NOT NULL COMMENT 'The pair that is first in the alphabet',
  PAIR_B VARCHAR NOT NULL COMMENT 'The other pair',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the day in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the day, exclusive',
  CORRELATION FLOAT COMMENT 'Pearson correlation of one-minute log returns; empty where one of the prices stood still',
  OBSERVATIONS NUMBER(38, 0) NOT NULL COMMENT 'Minutes for which both pairs have a return',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated bars',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT CORRELATIONS_IDENTITY PRIMARY KEY (EXCHANGE, PAIR_A, PAIR_B, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Correlation of every two pairs of an exchange, by day';

CREATE TABLE IF NOT EXISTS MARKET.EXCHANGE_SPREADS (
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  EXCHANGE_A VARCHAR NOT NULL COMMENT 'The exchange that is first in the alphabet',
  EXCHANGE_B VARCHAR NOT NULL COMMENT 'The other exchange',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the day in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the day, exclusive',
  MEAN_BP FLOAT NOT NULL COMMENT 'Mean over minutes of how far A closes above B, in basis points of their middle',
  MEAN_ABS_BP FLOAT NOT NULL COMMENT 'Mean of the distance without its sign',
  MOST_ABS_BP FLOAT NOT NULL COMMENT 'Greatest distance without its sign',
  MINUTES NUMBER(38, 0) NOT NULL COMMENT 'Minutes in which both exchanges traded',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated bars',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT EXCHANGE_SPREADS_IDENTITY PRIMARY KEY (PAIR, EXCHANGE_A, EXCHANGE_B, WINDOW_START)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'How far two exchanges are apart in the price of a pair, by day';

CREATE TABLE IF NOT EXISTS OPS.LATENCIES (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the hour in exchange time, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of the hour, exclusive',
  STAGE VARCHAR NOT NULL COMMENT 'exchange_to_producer, producer_to_warehouse or exchange_to_warehouse',
  P50_MS FLOAT NOT NULL COMMENT 'Median in milliseconds over live trades; to the start of the transaction that stored them',
  P95_MS FLOAT NOT NULL COMMENT '95th percentile',
  P99_MS FLOAT NOT NULL COMMENT '99th percentile',
  MOST_MS FLOAT NOT NULL COMMENT 'Longest',
  TRADE_ROWS NUMBER(38, 0) NOT NULL COMMENT 'Rows it is computed from',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Made from simulated trades',
  REVISION NUMBER(38, 0) NOT NULL COMMENT '0 when first written, one more for each change',
  COMPUTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last written, UTC',
  CONSTRAINT LATENCIES_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, WINDOW_START, STAGE)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'How long live trades took from the exchange to the warehouse, by hour';

-- migrations/V1.7.0__alerts.sql
-- Grain: ALERTS one row a firing (FINGERPRINT, FIRED_AT).
-- Input: the alert sensor of Dagster. Output: what was wrong, when, and whether it is over; the dashboard shows it.
-- Source: crypto_platform/alerting. A condition that comes back later is another firing.

CREATE TABLE IF NOT EXISTS OPS.ALERTS (
  FINGERPRINT VARCHAR NOT NULL COMMENT 'Names the condition, the same at each firing',
  FIRED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it was first seen in this firing, UTC',
  CLEARED_AT TIMESTAMP_NTZ(6) COMMENT 'When it was over, UTC; empty while it lasts',
  KIND VARCHAR NOT NULL COMMENT 'run, check or freshness',
  SEVERITY VARCHAR NOT NULL COMMENT 'error or warning',
  SUBJECT VARCHAR NOT NULL COMMENT 'Asset, check or job it is about',
  SUMMARY VARCHAR NOT NULL COMMENT 'What is wrong, in one sentence, as it was when it fired',
  WAS_SENT BOOLEAN NOT NULL COMMENT 'False when it was kept back because it had fired shortly before',
  CONSTRAINT ALERTS_IDENTITY PRIMARY KEY (FINGERPRINT, FIRED_AT)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'History of alerts';

-- migrations/V1.8.0__costs_and_audits.sql
-- Grain: COSTS one row a day and configuration (WINDOW_START, CONFIGURATION); AUDITS one row an audit and pair
--        (AUDITED_AT, EXCHANGE, PAIR).
-- Input: snowflake_sql/costs.py and `crypto-platform audit`. Output: what the warehouse costs as it is configured and
--        as it might be, and what each audit found.
-- Source: formulas in snowflake_sql/costs.py; verdicts in streaming/audit/verdict.py.

CREATE TABLE IF NOT EXISTS OPS.COSTS (
  WINDOW_START TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Start of the day that was measured, UTC, inclusive',
  WINDOW_END TIMESTAMP_NTZ(6) NOT NULL COMMENT 'End of it, exclusive',
  CONFIGURATION VARCHAR NOT NULL COMMENT 'How rows would be loaded',
  IN_USE BOOLEAN NOT NULL COMMENT 'Whether the platform is configured so',
  RECEIVED_ROWS NUMBER(38, 0) NOT NULL COMMENT 'Trades and quotes behind the rows of the day, before Flink compressed quotes to seconds',
  LOADED_ROWS NUMBER(38, 0) NOT NULL COMMENT 'Rows loaded within the day',
  LOADED_BYTES NUMBER(38, 0) NOT NULL COMMENT 'Bytes of their values as text',
  REDUCTION FLOAT COMMENT 'RECEIVED_ROWS by LOADED_ROWS; empty when nothing was loaded',
  WAREHOUSE_SECONDS FLOAT NOT NULL COMMENT 'Seconds a day that a warehouse would be awake for it',
  CREDITS_PER_DAY FLOAT NOT NULL COMMENT 'Estimated credits a day',
  FORMULA VARCHAR NOT NULL COMMENT 'How the estimate comes about, with its source',
  COMPUTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was written, UTC',
  CONSTRAINT COSTS_IDENTITY PRIMARY KEY (WINDOW_START, CONFIGURATION)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Estimated credits a day, for this configuration and the obvious others';

CREATE TABLE IF NOT EXISTS OPS.AUDITS (
  AUDITED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the audit began, UTC',
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  SINCE TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Trades from this exchange time on were compared, UTC',
  FIRST_ID NUMBER(38, 0) NOT NULL COMMENT 'Lowest trade id of the comparison',
  LAST_ID NUMBER(38, 0) NOT NULL COMMENT 'Highest one',
  EXPECTED NUMBER(38, 0) NOT NULL COMMENT 'Trade ids that should be in the warehouse',
  LOST NUMBER(38, 0) NOT NULL COMMENT 'Of them, missing below the newest one',
  PENDING NUMBER(38, 0) NOT NULL COMMENT 'Of them, still on their way above it',
  DUPLICATED NUMBER(38, 0) NOT NULL COMMENT 'Ids that stand more than once',
  LATE NUMBER(38, 0) NOT NULL COMMENT 'Trades that came behind the watermark',
  MISMATCHED_BARS NUMBER(38, 0) NOT NULL COMMENT 'One-minute bars that differ from their trades',
  IS_CLEAN BOOLEAN NOT NULL COMMENT 'Nothing lost, pending, duplicated or different',
  CONSTRAINT AUDITS_IDENTITY PRIMARY KEY (AUDITED_AT, EXCHANGE, PAIR)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Verdicts of the audits of the whole line, by pair';

-- migrations/R__views.sql
-- Grain: LATEST_PRICE one row a pair that traded within the last day; BARS one row a pair, interval and window;
--        MINUTES one row a pair and minute from its first to its last bar.
--        SPREADS one row a pair and minute with a quote; VOLATILITY one row a pair and traded minute; CORRELATION_24H one
--        row two pairs of an exchange; TOP_MOVERS one row a pair that traded within the last day.
-- Input: RAW.TRADES, MARKET.BARS_1M, _5M, _15M, _1H, _1D. Output: what people query first.
-- Source: the last trade is the last by (exchange time, trade id), as a bar's close is. The bound of one day
--         lets both engines skip older data. A minute without trades has the close before it as its four prices, zero
--         volume and no VWAP, whether the stream wrote a bar of zero trades for it or nothing at all; `IS_EMPTY` says so.
--         A pause is filled for at most a day (1,440 minutes). Bars of an interval that is not stored come from
--         queries/bars_of_any_interval.sql. Volatility is the root of the sum of realized variances (Andersen and
--         Bollerslev 1998) over up to 60 traded minutes, scaled to a year of 525,600 minutes by the minutes they are.

CREATE OR REPLACE VIEW MARKET.LATEST_PRICE COMMENT = 'Last trade of each pair within the last day' AS
SELECT
  EXCHANGE,
  PAIR,
  PRICE,
  SIZE,
  SIDE,
  TRADE_ID,
  EXCHANGE_TIME,
  LOADED_AT,
  IS_SIMULATED
FROM RAW.TRADES
WHERE EXCHANGE_TIME >= DATEADD('day', -1, SYSDATE())
QUALIFY ROW_NUMBER() OVER (PARTITION BY EXCHANGE, PAIR ORDER BY EXCHANGE_TIME DESC, TRADE_ID DESC) = 1;

CREATE OR REPLACE VIEW MARKET.BARS COMMENT = 'Bars of every stored interval' AS
SELECT
  EXCHANGE, PAIR, '1m' AS INTERVAL_NAME, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME,
  QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, BUY_VOLUME, SELL_VOLUME, SPREAD, SPREAD_BP,
  QUOTED_MS, REALIZED_VARIANCE, GARMAN_KLASS, ROGERS_SATCHELL, FLAGGED_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY,
  LOADED_AT
FROM MARKET.BARS_1M
UNION ALL
SELECT
  EXCHANGE, PAIR, '5m' AS INTERVAL_NAME, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME,
  QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, BUY_VOLUME, SELL_VOLUME, SPREAD, SPREAD_BP,
  QUOTED_MS, REALIZED_VARIANCE, GARMAN_KLASS, ROGERS_SATCHELL, FLAGGED_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY,
  LOADED_AT
FROM MARKET.BARS_5M
UNION ALL
SELECT
  EXCHANGE, PAIR, '15m' AS INTERVAL_NAME, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME,
  QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, BUY_VOLUME, SELL_VOLUME, SPREAD, SPREAD_BP,
  QUOTED_MS, REALIZED_VARIANCE, GARMAN_KLASS, ROGERS_SATCHELL, FLAGGED_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY,
  LOADED_AT
FROM MARKET.BARS_15M
UNION ALL
SELECT
  EXCHANGE, PAIR, '1h' AS INTERVAL_NAME, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME,
  QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, BUY_VOLUME, SELL_VOLUME, SPREAD, SPREAD_BP,
  QUOTED_MS, REALIZED_VARIANCE, GARMAN_KLASS, ROGERS_SATCHELL, FLAGGED_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY,
  LOADED_AT
FROM MARKET.BARS_1H
UNION ALL
SELECT
  EXCHANGE, PAIR, '1d' AS INTERVAL_NAME, WINDOW_START, WINDOW_END, OPEN, HIGH, LOW, CLOSE, VOLUME,
  QUOTE_VOLUME, VWAP, TRADE_COUNT, FIRST_TRADE_ID, LAST_TRADE_ID, BUY_VOLUME, SELL_VOLUME, SPREAD, SPREAD_BP,
  QUOTED_MS, REALIZED_VARIANCE, GARMAN_KLASS, ROGERS_SATCHELL, FLAGGED_COUNT, IS_SIMULATED, REVISION, COMPUTED_BY,
  LOADED_AT
FROM MARKET.BARS_1D;

CREATE OR REPLACE VIEW MARKET.MINUTES COMMENT = 'Every minute of each pair, empty ones with the price before them' AS
WITH numbers AS (
  SELECT ROW_NUMBER() OVER (ORDER BY SEQ4()) - 1 AS N FROM TABLE(GENERATOR(ROWCOUNT => 1440))
),
traded AS (
  SELECT
    *,
    LEAD(WINDOW_START) OVER (PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START) AS NEXT_START
  FROM MARKET.BARS_1M
  WHERE TRADE_COUNT > 0
),
filled AS (
  SELECT b.*, DATEADD('MINUTE', n.N, b.WINDOW_START) AS MINUTE_START, n.N > 0 AS IS_EMPTY
  FROM traded b
  JOIN numbers n ON n.N = 0 OR DATEADD('MINUTE', n.N, b.WINDOW_START) < b.NEXT_START
)
SELECT
  f.EXCHANGE AS EXCHANGE,
  f.PAIR AS PAIR,
  f.MINUTE_START AS WINDOW_START,
  DATEADD('MINUTE', 1, f.MINUTE_START) AS WINDOW_END,
  CASE WHEN f.IS_EMPTY THEN f.CLOSE ELSE f.OPEN END AS OPEN,
  CASE WHEN f.IS_EMPTY THEN f.CLOSE ELSE f.HIGH END AS HIGH,
  CASE WHEN f.IS_EMPTY THEN f.CLOSE ELSE f.LOW END AS LOW,
  f.CLOSE AS CLOSE,
  CASE WHEN f.IS_EMPTY THEN 0 ELSE f.VOLUME END AS VOLUME,
  CASE WHEN f.IS_EMPTY THEN 0 ELSE f.QUOTE_VOLUME END AS QUOTE_VOLUME,
  CASE WHEN f.IS_EMPTY THEN NULL ELSE f.VWAP END AS VWAP,
  CASE WHEN f.IS_EMPTY THEN 0 ELSE f.TRADE_COUNT END AS TRADE_COUNT,
  q.SPREAD AS SPREAD,
  q.SPREAD_BP AS SPREAD_BP,
  COALESCE(q.FLAGGED_COUNT, 0) AS FLAGGED_COUNT,
  f.IS_EMPTY AS IS_EMPTY,
  f.IS_SIMULATED AS IS_SIMULATED
FROM filled f
LEFT JOIN MARKET.BARS_1M q
  ON q.EXCHANGE = f.EXCHANGE AND q.PAIR = f.PAIR AND q.WINDOW_START = f.MINUTE_START;

CREATE OR REPLACE VIEW MARKET.SPREADS COMMENT = 'Spread of each pair and minute, weighted with time' AS
SELECT
  EXCHANGE,
  PAIR,
  WINDOW_START,
  WINDOW_END,
  SPREAD,
  SPREAD_BP,
  QUOTED_MS,
  CLOSE,
  IS_SIMULATED
FROM MARKET.BARS_1M
WHERE QUOTED_MS > 0;

CREATE OR REPLACE VIEW MARKET.VOLATILITY COMMENT = 'Volatility of up to 60 traded minutes that end with each minute' AS
WITH summed AS (
  SELECT
    EXCHANGE,
    PAIR,
    WINDOW_START,
    WINDOW_END,
    CLOSE,
    IS_SIMULATED,
    SUM(REALIZED_VARIANCE) OVER (
      PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START ROWS BETWEEN 59 PRECEDING AND CURRENT ROW
    ) AS VARIANCE,
    COUNT(REALIZED_VARIANCE) OVER (
      PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START ROWS BETWEEN 59 PRECEDING AND CURRENT ROW
    ) AS MINUTES
  FROM MARKET.BARS_1M
  WHERE TRADE_COUNT > 0
)
SELECT
  EXCHANGE,
  PAIR,
  WINDOW_START,
  WINDOW_END,
  CLOSE,
  SQRT(VARIANCE) AS REALIZED_VOLATILITY,
  SQRT(VARIANCE * 525600 / MINUTES) AS ANNUAL_VOLATILITY,
  MINUTES,
  IS_SIMULATED
FROM summed
WHERE MINUTES > 0;

CREATE OR REPLACE VIEW MARKET.CORRELATION_24H COMMENT = 'Correlation of one-minute returns over the last day' AS
WITH returns AS (
  SELECT
    EXCHANGE,
    PAIR,
    WINDOW_START,
    IS_SIMULATED,
    LN(CAST(CLOSE AS FLOAT) / CAST(LAG(CLOSE) OVER (PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START) AS FLOAT))
      AS LOG_RETURN,
    LAG(WINDOW_START) OVER (PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START) AS START_BEFORE
  FROM MARKET.BARS_1M
  WHERE WINDOW_START >= DATEADD('day', -1, SYSDATE())
    AND TRADE_COUNT > 0
)
SELECT
  a.EXCHANGE AS EXCHANGE,
  a.PAIR AS PAIR_A,
  b.PAIR AS PAIR_B,
  CASE
    WHEN MAX(a.LOG_RETURN) > MIN(a.LOG_RETURN) AND MAX(b.LOG_RETURN) > MIN(b.LOG_RETURN)
      THEN CORR(a.LOG_RETURN, b.LOG_RETURN)
  END AS CORRELATION,
  COUNT(*) AS OBSERVATIONS,
  BOOLOR_AGG(a.IS_SIMULATED) AS IS_SIMULATED
FROM returns a
JOIN returns b ON b.EXCHANGE = a.EXCHANGE AND b.WINDOW_START = a.WINDOW_START AND b.PAIR > a.PAIR
WHERE a.START_BEFORE = DATEADD('MINUTE', -1, a.WINDOW_START)
  AND b.START_BEFORE = DATEADD('MINUTE', -1, b.WINDOW_START)
GROUP BY a.EXCHANGE, a.PAIR, b.PAIR;

CREATE OR REPLACE VIEW MARKET.TOP_MOVERS COMMENT = 'Change of each price over the last day, the greatest first' AS
WITH day_bars AS (
  SELECT
    EXCHANGE,
    PAIR,
    WINDOW_START,
    OPEN,
    CLOSE,
    HIGH,
    LOW,
    QUOTE_VOLUME,
    IS_SIMULATED,
    ROW_NUMBER() OVER (PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START) AS FROM_START,
    ROW_NUMBER() OVER (PARTITION BY EXCHANGE, PAIR ORDER BY WINDOW_START DESC) AS FROM_END
  FROM MARKET.BARS_1M
  WHERE WINDOW_START >= DATEADD('day', -1, SYSDATE())
    AND TRADE_COUNT > 0
),
moved AS (
  SELECT
    EXCHANGE,
    PAIR,
    MIN(WINDOW_START) AS SINCE,
    MAX(CASE WHEN FROM_START = 1 THEN OPEN END) AS OPEN,
    MAX(CASE WHEN FROM_END = 1 THEN CLOSE END) AS CLOSE,
    MAX(HIGH) AS HIGH,
    MIN(LOW) AS LOW,
    CAST(SUM(CAST(QUOTE_VOLUME AS NUMBER(38, 18))) AS NUMBER(38, 18)) AS QUOTE_VOLUME,
    BOOLOR_AGG(IS_SIMULATED) AS IS_SIMULATED
  FROM day_bars
  GROUP BY EXCHANGE, PAIR
)
SELECT
  EXCHANGE,
  PAIR,
  SINCE,
  OPEN,
  CLOSE,
  HIGH,
  LOW,
  QUOTE_VOLUME,
  100 * (CAST(CLOSE AS FLOAT) / CAST(OPEN AS FLOAT) - 1) AS CHANGE_PERCENT,
  RANK() OVER (
    PARTITION BY EXCHANGE ORDER BY ABS(CAST(CLOSE AS FLOAT) / CAST(OPEN AS FLOAT) - 1) DESC, PAIR
  ) AS PLACE,
  IS_SIMULATED
FROM moved;
