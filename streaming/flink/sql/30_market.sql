-- Grain:  one clean trade, live quote or statement of what is usual, by arrival within its pair on its exchange.
-- Input:  priced_trades, quotes, usual, usual_prices.
-- Output: view market: each row with the quote in force when it arrived (`bid`, `ask`, exchange time `quoted_us`; a
--         ticker's own quote is in force at once) and with what was usual for the pair; `mean_us` is the time
--         of the last trade in the mean. `trade_id` tells trades from the rest, `bid_price` tells quotes.
--
-- A crossed or one-sided quote is not in force; the one before it stays. Scores are DOUBLE; the exchange's own texts
-- travel along untouched. Whatever does not change from tick to tick is remembered here, by one window, because each
-- window of its own moves every tick once more.
CREATE TEMPORARY VIEW market AS
SELECT
  *,
  LAST_VALUE(`new_bid`) OVER `so_far` AS `bid`,
  LAST_VALUE(`new_ask`) OVER `so_far` AS `ask`,
  LAST_VALUE(`new_quote_us`) OVER `so_far` AS `quoted_us`,
  LAST_VALUE(`new_median_return`) OVER `so_far` AS `median_return`,
  LAST_VALUE(`new_mean`) OVER `so_far` AS `mean`,
  LAST_VALUE(`new_mean_square`) OVER `so_far` AS `mean_square`,
  LAST_VALUE(`new_mean_us`) OVER `so_far` AS `mean_us`,
  LAST_VALUE(`new_median_spread_bp`) OVER `so_far` AS `median_spread_bp`
FROM (
  SELECT
    `exchange`, `pair`, `first_id`, `trade_id`, `count`, `price`, `size`, `side`,
    CAST(NULL AS STRING) AS `bid_price`,
    CAST(NULL AS STRING) AS `ask_price`,
    `exchange_time_us`, `receive_time_ns`, `producer_id`, `producer_epoch`, `seq`, `source`, `simulated`,
    `kafka_partition`, `live_price`,
    LEAST(`return_1`, `return_2`) AS `move_bp`,
    `before_us`,
    CAST(NULL AS DOUBLE) AS `new_bid`,
    CAST(NULL AS DOUBLE) AS `new_ask`,
    CAST(NULL AS BIGINT) AS `new_quote_us`,
    CAST(NULL AS DOUBLE) AS `new_median_return`,
    CAST(NULL AS DOUBLE) AS `new_mean`,
    CAST(NULL AS DOUBLE) AS `new_mean_square`,
    CAST(NULL AS BIGINT) AS `new_mean_us`,
    CAST(NULL AS DOUBLE) AS `new_median_spread_bp`,
    `seen`
  FROM priced_trades
  UNION ALL
  SELECT
    `exchange`, `pair`, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS STRING),
    CAST(NULL AS STRING), CAST(NULL AS STRING),
    `bid_price`,
    `ask_price`,
    `exchange_time_us`, `receive_time_ns`, `producer_id`, `producer_epoch`, `seq`, `source`, `simulated`,
    `kafka_partition`, CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT),
    CASE WHEN `in_force` THEN `bid` END,
    CASE WHEN `in_force` THEN `ask` END,
    CASE WHEN `in_force` THEN `exchange_time_us` END,
    CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT), CAST(NULL AS DOUBLE),
    PROCTIME()
  FROM quotes
  UNION ALL
  SELECT
    `exchange`, `pair`, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS STRING),
    CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
    `exchange_time_us`, `last_ns`, CAST(NULL AS STRING), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    CAST(NULL AS STRING), `simulated`, `kafka_partition`, CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE),
    CAST(NULL AS BIGINT), CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT),
    CAST(NULL AS DOUBLE), `mean`, `mean_square`, `last_trade_us`, CAST(NULL AS DOUBLE), `known`
  FROM usual_prices
  UNION ALL
  SELECT
    `exchange`, `pair`, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS STRING),
    CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
    `exchange_time_us`, `last_ns`, CAST(NULL AS STRING), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    CAST(NULL AS STRING), `simulated`, `kafka_partition`, CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE),
    CAST(NULL AS BIGINT), CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT),
    `median_return`, CAST(NULL AS DOUBLE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT), `median_spread_bp`, `known`
  FROM usual
)
WINDOW `so_far` AS (
  PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
