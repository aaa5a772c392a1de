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
