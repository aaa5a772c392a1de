-- Grain:  one pair on one exchange in one quarter of a second with at least five trades.
-- Input:  activity.
-- Output: view volumes: the volume of the quarter second over the median of the pair's last 240 in which it traded
--         (`score`), flagged above ${burst_medians}; NULL before 20 of them. One large trade is no burst. Trades
--         that piled up before they arrived are spread over the exchange time they cover: catching up is none.
-- Source: J. Kamps, B. Kleinberg, "To the moon: defining and detecting cryptocurrency pump-and-dumps", Crime
--         Science 7 (2018): volume is anomalous above a multiple of its own moving average; here of its moving
--         median, which a burst does not raise for the next one.
CREATE TEMPORARY VIEW volumes AS
SELECT
  *,
  CASE WHEN `quarters` >= 20 THEN `volume` / `median_volume` END AS `score`
FROM (
  SELECT
    *,
    COUNT(`volume`) OVER `trailing` AS `quarters`,
    PERCENTILE(`volume`, 0.5) OVER `trailing` AS `median_volume`
  FROM (
    SELECT
      *,
      `traded` / GREATEST(1, (`last_trade_us` - `first_trade_us`) / 250000) AS `volume`
    FROM activity
    WHERE `traded` IS NOT NULL
  )
  WINDOW `trailing` AS (
    PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN 239 PRECEDING AND CURRENT ROW
  )
)
WHERE `trades` >= 5
