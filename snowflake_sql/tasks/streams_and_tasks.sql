-- Grain: none; a stream on the trades and a graph of tasks that keeps the rollups, for those who run without Dagster.
-- Input: RAW.TRADES. Output: the rollups of snowflake_sql/rollups, recomputed for the hours and days in which trades were
--        loaded since the last run. Needs an account; never run on the emulator, which has neither streams nor tasks.
-- Source: a task with WHEN SYSTEM$STREAM_HAS_DATA and no schedule runs when its stream has rows; without a warehouse it is
--         serverless and then needs TARGET_COMPLETION_INTERVAL ("Triggered tasks", "Serverless tasks", docs.snowflake.com).
--         The INSERT consumes the stream in the transaction that notes the span; the span is forgotten by the last task of
--         the graph, so a run that fails is made up for by the next. Runs of one graph never overlap.

CREATE TABLE IF NOT EXISTS OPS.TOUCHED_SPANS (
  FIRST_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Exchange time of the earliest trade of the load, UTC',
  LAST_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Exchange time of the latest trade of the load, UTC',
  NOTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the task noted it, UTC'
)
COMMENT = 'Spans of trades that were loaded and not rolled up yet';

CREATE OR REPLACE VIEW OPS.TOUCHED_HOURS COMMENT = 'The full hours around what is not rolled up yet' AS
SELECT
  DATE_TRUNC('HOUR', MIN(FIRST_TIME)) AS FROM_TIME,
  DATEADD('HOUR', 1, DATE_TRUNC('HOUR', MAX(LAST_TIME))) AS TO_TIME
FROM OPS.TOUCHED_SPANS;

CREATE OR REPLACE VIEW OPS.TOUCHED_DAYS COMMENT = 'The full days around what is not rolled up yet' AS
SELECT
  DATE_TRUNC('DAY', MIN(FIRST_TIME)) AS FROM_TIME,
  DATEADD('DAY', 1, DATE_TRUNC('DAY', MAX(LAST_TIME))) AS TO_TIME
FROM OPS.TOUCHED_SPANS;

CREATE STREAM IF NOT EXISTS RAW.TRADES_STREAM ON TABLE RAW.TRADES APPEND_ONLY = TRUE COMMENT = 'New trades';

CREATE OR REPLACE TASK OPS.NOTE_TOUCHED_SPANS
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS = 300
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Notes what was loaded, at most every five minutes and only when there are new trades'
  WHEN SYSTEM$STREAM_HAS_DATA('RAW.TRADES_STREAM')
AS
INSERT INTO OPS.TOUCHED_SPANS (FIRST_TIME, LAST_TIME, NOTED_AT)
SELECT MIN(EXCHANGE_TIME), MAX(EXCHANGE_TIME), SYSDATE()
FROM RAW.TRADES_STREAM
HAVING COUNT(*) > 0;

CREATE OR REPLACE TASK OPS.ROLL_UP_BARS_5M
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Corrects five-minute bars that lack a trade'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/bars_5m_recompute with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_HOURS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_HOURS)

CREATE OR REPLACE TASK OPS.ROLL_UP_BARS_15M
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Corrects quarters of an hour that lack a trade'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/bars_15m_recompute with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_HOURS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_HOURS)

CREATE OR REPLACE TASK OPS.ROLL_UP_BARS_1H
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Hourly bars'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/bars_1h with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_HOURS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_HOURS)

CREATE OR REPLACE TASK OPS.ROLL_UP_LATENCIES
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Latencies of the touched hours'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/latencies with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_HOURS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_HOURS)

CREATE OR REPLACE TASK OPS.ROLL_UP_BARS_1D
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Daily bars'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/bars_1d with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_DAYS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_DAYS)

CREATE OR REPLACE TASK OPS.ROLL_UP_VOLUME_PROFILES
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Volume at price of the touched days'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/volume_profiles with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_DAYS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_DAYS)

CREATE OR REPLACE TASK OPS.ROLL_UP_DAILY_STATISTICS
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Volatility, spreads, volume and completeness'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/daily_statistics with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_DAYS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_DAYS)

CREATE OR REPLACE TASK OPS.ROLL_UP_CORRELATIONS
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Correlations of the touched days'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/correlations with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_DAYS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_DAYS)

CREATE OR REPLACE TASK OPS.ROLL_UP_EXCHANGE_SPREADS
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  USER_TASK_TIMEOUT_MS = 600000
  COMMENT = 'Distances between exchanges of the touched days'
  AFTER OPS.NOTE_TOUCHED_SPANS
AS
-- include: rollups/exchange_spreads with :from_time = (SELECT FROM_TIME FROM OPS.TOUCHED_DAYS), :to_time = (SELECT TO_TIME FROM OPS.TOUCHED_DAYS)

CREATE OR REPLACE TASK OPS.FORGET_TOUCHED_SPANS
  TARGET_COMPLETION_INTERVAL = '5 MINUTES'
  COMMENT = 'Forgets what all rollups have taken'
  AFTER
    OPS.ROLL_UP_BARS_5M,
    OPS.ROLL_UP_BARS_15M,
    OPS.ROLL_UP_BARS_1H,
    OPS.ROLL_UP_LATENCIES,
    OPS.ROLL_UP_BARS_1D,
    OPS.ROLL_UP_VOLUME_PROFILES,
    OPS.ROLL_UP_DAILY_STATISTICS,
    OPS.ROLL_UP_CORRELATIONS,
    OPS.ROLL_UP_EXCHANGE_SPREADS
AS
DELETE FROM OPS.TOUCHED_SPANS;

SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('OPS.NOTE_TOUCHED_SPANS');
