-- Grain:  one feed (a pair on an exchange) that has fallen silent, once for each silence.
-- Input:  activity.
-- Output: view stale_feeds: milliseconds from the feed's last tick to the newest tick of any feed (`score`), above
--         the larger of ${stale_min_s} s and ${stale_gaps} times the feed's mean gap between ticks within the last minute
--         (`allowed`). Looked at once a second.
-- Source: own rule, after the staleness limits of price indices. The mean gap stands for the median one: it is
--         no smaller where ticks come in bursts, and needs no state of its own.
--
-- Silence is measured by the producer's clock against the feeds that do tick: if all are silent, the exchange, the
-- line or we are down, which is not this feed's fault and is seen elsewhere; and a backlog is no silence.
CREATE TEMPORARY VIEW stale_feeds AS
SELECT
  *
FROM (
  SELECT
    *,
    LAG(`is_stale`, 1) OVER (PARTITION BY `exchange`, `pair`, `simulated` ORDER BY `seen`) AS `was_stale`
  FROM (
    SELECT
      *,
      `score` > `allowed` AS `is_stale`
    FROM (
      SELECT
        *,
        CAST(`newest_ms` - `last_ms` AS DOUBLE) AS `score`,
        GREATEST(${stale_min_s} * 1000, ${stale_gaps} * (`last_ms` - `first_ms`) / (`ticks` - 1)) AS `allowed`
      FROM (
        SELECT
          *,
          MAX(`last_ms`) OVER (
            PARTITION BY `simulated` ORDER BY `seen` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
          ) AS `newest_ms`
        FROM (
          SELECT
            `exchange`, `pair`, `simulated`,
            MAX(`kafka_partition`) AS `kafka_partition`,
            SUM(`ticks`) AS `ticks`,
            MIN(`first_ns`) / 1000000 AS `first_ms`,
            MAX(`last_ns`) / 1000000 AS `last_ms`,
            MAX(`exchange_time_us`) AS `exchange_time_us`,
            PROCTIME() AS `seen`
          FROM TABLE(HOP(TABLE activity, DESCRIPTOR(`seen`), INTERVAL '1' SECOND, INTERVAL '1' MINUTE))
          GROUP BY `window_start`, `window_end`, `exchange`, `pair`, `simulated`
        )
      )
      WHERE `ticks` > 1
    )
  )
)
WHERE `is_stale` AND `was_stale` IS NOT TRUE
