-- Grain:  one live quote in force.
-- Input:  market.
-- Output: view spreads: the spread in basis points of the middle (`score`) and the widest one that is not
--         flagged (`allowed`): ${spread_medians} times the median of the pair's last 100 quotes, and never below
--         ${spread_floor_bp} bp, because the median of a liquid pair is a single tick. NULL before 20 quotes.
-- Source: Barndorff-Nielsen, Hansen, Lunde, Shephard (2009), rule Q3: a spread above 50 times the median of the
--         day. Online the median is that of the quotes before; the judged one is among them and moves a median
--         of 100 by one rank at most.
CREATE TEMPORARY VIEW spreads AS
SELECT
  *,
  CASE WHEN `quotes_before` >= 20 THEN GREATEST(${spread_medians} * `median_bp`, ${spread_floor_bp}) END
    AS `allowed`
FROM (
  SELECT
    *,
    COUNT(`score`) OVER `trailing` AS `quotes_before`,
    PERCENTILE(`score`, 0.5) OVER `trailing` AS `median_bp`
  FROM (
    SELECT
      `exchange`, `pair`, `bid_price`, `ask_price`, `exchange_time_us`, `receive_time_ns`, `producer_epoch`, `seq`,
      `simulated`, `kafka_partition`, `seen`,
      20000 * (`new_ask` - `new_bid`) / (`new_ask` + `new_bid`) AS `score`
    FROM market
    WHERE `trade_id` IS NULL AND `new_bid` IS NOT NULL
  )
  WINDOW `trailing` AS (
    PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN 99 PRECEDING AND CURRENT ROW
  )
)
