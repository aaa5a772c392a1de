-- Grain:  one minute of one pair on one exchange that had a trade or a quote.
-- Input:  minutes_with_last.
-- Output: view bars_1m: the minute, and what it adds to the realized variance of each window it belongs to.
--
-- Realized variance is the sum of squared log returns (Andersen and Bollerslev 1998, International Economic Review 39,
-- 885-905) along the window's own path: its open, then the last price of each five-second slot that has a trade.
-- Slots rather than single trades keep the bounce between bid and ask out, as calendar-time sampling by the
-- previous tick does (Hansen and Lunde 2006, Journal of Business and Economic Statistics 24, 127-161).
-- So a minute's first return starts at the open of the window if the minute is the window's first with a trade, else
-- at the close of the trade before it: `variance_1m`, `variance_5m`, … differ in that return alone, and the sum of
-- the minutes' figures is exactly the figure of the window.
CREATE TEMPORARY VIEW bars_1m AS
SELECT
  `row_time`, `start_ms`, `exchange`, `pair`, `simulated`, `kafka_partition`, `first_trade`, `last_trade`,
  `latest_trade`, `high`, `low`, `volume`, `quote_volume`, `buy_volume`, `sell_volume`, `trade_count`,
  `flagged_count`, `first_trade_id`, `last_trade_id`, `spread_moment`, `spread_step`, `spread_bp_moment`,
  `spread_bp_step`, `valid_moment`, `valid_step`, `last_state`,
  `from_open` + `inside` AS `variance_1m`,
  CASE WHEN `before_ms` >= `start_ms` / 300000 * 300000 THEN `from_before` ELSE `from_open` END + `inside`
    AS `variance_5m`,
  CASE WHEN `before_ms` >= `start_ms` / 900000 * 900000 THEN `from_before` ELSE `from_open` END + `inside`
    AS `variance_15m`,
  CASE WHEN `before_ms` >= `start_ms` / 3600000 * 3600000 THEN `from_before` ELSE `from_open` END + `inside`
    AS `variance_1h`
FROM (
  SELECT
    *,
    POWER(LN(`p_first` / `p_open`), 2) AS `from_open`,
    POWER(LN(`p_first` / `p_before`), 2) AS `from_before`,
    COALESCE(POWER(LN(`p1` / `p0`), 2), 0) +
    COALESCE(POWER(LN(`p2` / COALESCE(`p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p3` / COALESCE(`p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p4` / COALESCE(`p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p5` / COALESCE(`p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p6` / COALESCE(`p5`, `p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p7` / COALESCE(`p6`, `p5`, `p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p8` / COALESCE(`p7`, `p6`, `p5`, `p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p9` / COALESCE(`p8`, `p7`, `p6`, `p5`, `p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p10` / COALESCE(`p9`, `p8`, `p7`, `p6`, `p5`, `p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0) +
    COALESCE(POWER(LN(`p11` / COALESCE(`p10`, `p9`, `p8`, `p7`, `p6`, `p5`, `p4`, `p3`, `p2`, `p1`, `p0`)), 2), 0)
      AS `inside`
  FROM (
    SELECT
      *,
      COALESCE(`p0`, `p1`, `p2`, `p3`, `p4`, `p5`, `p6`, `p7`, `p8`, `p9`, `p10`, `p11`) AS `p_first`
    FROM (
      SELECT
        *,
        CAST(SUBSTRING(`first_trade`, 39) AS DOUBLE) AS `p_open`,
        CAST(SUBSTRING(`trade_before`, 39) AS DOUBLE) AS `p_before`,
        CAST(SUBSTRING(`trade_before`, 1, 19) AS BIGINT) / 1000 AS `before_ms`,
        CAST(SUBSTRING(`slot_0`, 39) AS DOUBLE) AS `p0`,
        CAST(SUBSTRING(`slot_1`, 39) AS DOUBLE) AS `p1`,
        CAST(SUBSTRING(`slot_2`, 39) AS DOUBLE) AS `p2`,
        CAST(SUBSTRING(`slot_3`, 39) AS DOUBLE) AS `p3`,
        CAST(SUBSTRING(`slot_4`, 39) AS DOUBLE) AS `p4`,
        CAST(SUBSTRING(`slot_5`, 39) AS DOUBLE) AS `p5`,
        CAST(SUBSTRING(`slot_6`, 39) AS DOUBLE) AS `p6`,
        CAST(SUBSTRING(`slot_7`, 39) AS DOUBLE) AS `p7`,
        CAST(SUBSTRING(`slot_8`, 39) AS DOUBLE) AS `p8`,
        CAST(SUBSTRING(`slot_9`, 39) AS DOUBLE) AS `p9`,
        CAST(SUBSTRING(`slot_10`, 39) AS DOUBLE) AS `p10`,
        CAST(SUBSTRING(`slot_11`, 39) AS DOUBLE) AS `p11`
      FROM minutes_with_last
    )
  )
)
