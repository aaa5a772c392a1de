-- Grain:  one millisecond of one pair on one exchange that had a quote.
-- Input:  quotes.
-- Output: view quote_steps: by how much the quote before it exceeds each quote in spread, basis points and validity.
--
-- This is all that a time-weighted mean needs. A quote holds from its time until the next one, also across the ends of
-- windows. For a window [a, b) with the quotes s_1..s_n at t_1..t_n, and s_0 before them,
--     integral = s_0 (t_1 - a) + s_1 (t_2 - t_1) + … + s_n (b - t_n)
--              = sum of (s_(i-1) - s_i) (t_i - a)  +  s_n (b - a),
-- a sum without order, which longer windows take over from shorter ones: with T the sum for [a, b) and D the sum of
-- the steps s_(i-1) - s_i, the part of [a, b) in the sum of a window that begins at A is T + D (a - A).
CREATE TEMPORARY VIEW quote_steps AS
SELECT
  *,
  CAST(COALESCE(
    LAG(`spread`) OVER (PARTITION BY `exchange`, `pair` ORDER BY `row_time`), CAST(0 AS DECIMAL(18, 10))
  ) - `spread` AS DECIMAL(18, 10)) AS `spread_step`,
  CAST(COALESCE(
    LAG(`spread_bp`) OVER (PARTITION BY `exchange`, `pair` ORDER BY `row_time`), CAST(0 AS DECIMAL(18, 10))
  ) - `spread_bp` AS DECIMAL(18, 10)) AS `spread_bp_step`,
  COALESCE(LAG(`valid`) OVER (PARTITION BY `exchange`, `pair` ORDER BY `row_time`), 0) - `valid` AS `valid_step`
FROM quotes
