-- Grain:  one pair on one exchange in one quarter of a second in which it ticked live.
-- Input:  activity.
-- Output: view usual: what is usual for the pair, from the last 100 quarter seconds in which it ticked: median size of a
--         return and median spread, both in basis points and NULL before 20 samples; median volume, with the number
--         of quarter seconds it is taken from (`quarters`).
--
-- One sample of each quarter second stands for all of its ticks. So a busy second does not push everything before it
-- out of memory, and what every tick has to carry is a handful of numbers.
CREATE TEMPORARY VIEW usual AS
SELECT
  *,
  PROCTIME() AS `known`,
  CASE WHEN `returns` >= 20 THEN `any_median_return` END AS `median_return`,
  CASE WHEN `spreads` >= 20 THEN `any_median_spread_bp` END AS `median_spread_bp`
FROM (
  SELECT
    *,
    COUNT(`sampled_return`) OVER `trailing` AS `returns`,
    PERCENTILE(`sampled_return`, 0.5) OVER `trailing` AS `any_median_return`,
    COUNT(`sampled_spread_bp`) OVER `trailing` AS `spreads`,
    PERCENTILE(`sampled_spread_bp`, 0.5) OVER `trailing` AS `any_median_spread_bp`,
    COUNT(`volume`) OVER `trailing` AS `quarters`,
    PERCENTILE(`volume`, 0.5) OVER `trailing` AS `median_volume`
  FROM activity
  WINDOW `trailing` AS (
    PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN 99 PRECEDING AND CURRENT ROW
  )
)
