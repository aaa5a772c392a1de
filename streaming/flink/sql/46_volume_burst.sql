-- Grain:  one pair on one exchange in one quarter of a second with at least five trades.
-- Input:  usual.
-- Output: view volumes: the volume of the quarter second over the median of those before it in which the pair traded
--         (`score`), flagged above ${burst_medians}; NULL before 20 of them. One large trade is no burst.
-- Source: J. Kamps, B. Kleinberg, "To the moon: defining and detecting cryptocurrency pump-and-dumps", Crime
--         Science 7 (2018): volume is anomalous above a multiple of its own moving average; here of its moving
--         median, which a burst does not raise for the next one.
CREATE TEMPORARY VIEW volumes AS
SELECT
  *,
  CASE WHEN `quarters` >= 20 THEN `volume` / `median_volume` END AS `score`
FROM usual
WHERE `trades` >= 5
