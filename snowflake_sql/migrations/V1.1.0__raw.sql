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
