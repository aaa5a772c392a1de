-- Grain:  one pair on one exchange in one quarter of a second in which it traded live.
-- Input:  activity.
-- Output: view usual_prices: mean and mean square of the prices of the last twelve quarter seconds in which the pair
--         traded, without the lowest and the highest; NULL if there are fewer than ten trades; and the time of the last
--         of these trades. It is short, because a
--         market that has jumped must soon be at home where it is.
CREATE TEMPORARY VIEW usual_prices AS
SELECT
  `exchange`,
  `pair`,
  `simulated`,
  `kafka_partition`,
  `exchange_time_us`,
  `last_ns`,
  `last_trade_us`,
  PROCTIME() AS `known`,
  CASE WHEN `all_trades` >= 10 THEN (`all_sum` - `least` - `greatest`) / (`all_trades` - 2) END AS `mean`,
  CASE WHEN `all_trades` >= 10 THEN
    (`all_squares` - `least` * `least` - `greatest` * `greatest`) / (`all_trades` - 2)
  END AS `mean_square`
FROM (
  SELECT
    *,
    SUM(`trades`) OVER `trailing` AS `all_trades`,
    SUM(`price_sum`) OVER `trailing` AS `all_sum`,
    SUM(`square_sum`) OVER `trailing` AS `all_squares`,
    MIN(`lowest`) OVER `trailing` AS `least`,
    MAX(`highest`) OVER `trailing` AS `greatest`
  FROM activity
  WHERE `trades` > 0
  WINDOW `trailing` AS (
    PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN 11 PRECEDING AND CURRENT ROW
  )
)
