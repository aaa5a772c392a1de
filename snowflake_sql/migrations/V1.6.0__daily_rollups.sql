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
