-- Grain:  one clean trade or ticker, in the order of arrival within its pair on its exchange.
-- Input:  trades_once, tickers_once.
-- Output: view market: each row with the quote in force when it arrived (`bid`, `ask`, exchange time `quoted_us`);
--         a ticker's own quote is in force at once. `trade_id` tells trades from tickers.
--
-- The alert path goes by arrival (proctime): rules must speak within 500 ms and cannot wait for a watermark.
-- After a failure rows may be judged again beside other neighbours; an alert's identity does not depend on that.
-- Only live rows (`source` ws) are judged and move the quote: a trade filled in later by REST would be compared
-- with a market it never saw. A crossed or one-sided quote is not in force; the one before it stays.
-- Scores are DOUBLE; the exchange's own texts travel along untouched.
CREATE TEMPORARY VIEW market AS
SELECT
  *,
  LAST_VALUE(`new_bid`) OVER `so_far` AS `bid`,
  LAST_VALUE(`new_ask`) OVER `so_far` AS `ask`,
  LAST_VALUE(`new_quote_us`) OVER `so_far` AS `quoted_us`
FROM (
  SELECT
    `exchange`,
    `pair`,
    CAST(`first_id` AS BIGINT) AS `first_id`,
    CAST(`trade_id` AS BIGINT) AS `trade_id`,
    CAST(`count` AS BIGINT) AS `count`,
    `price`,
    `size`,
    `side`,
    CAST(NULL AS STRING) AS `bid_price`,
    CAST(NULL AS STRING) AS `ask_price`,
    CAST(`exchange_time_us` AS BIGINT) AS `exchange_time_us`,
    CAST(`receive_time_ns` AS BIGINT) AS `receive_time_ns`,
    `producer_id`,
    CAST(`producer_epoch` AS BIGINT) AS `producer_epoch`,
    CAST(`seq` AS BIGINT) AS `seq`,
    `source`,
    CAST(`simulated` AS BOOLEAN) AS `simulated`,
    `kafka_partition`,
    CAST(NULL AS DOUBLE) AS `new_bid`,
    CAST(NULL AS DOUBLE) AS `new_ask`,
    CAST(NULL AS BIGINT) AS `new_quote_us`,
    PROCTIME() AS `seen`
  FROM trades_once
  UNION ALL
  SELECT
    `exchange`,
    `pair`,
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS BIGINT),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    CAST(NULL AS STRING),
    `bid_price`,
    `ask_price`,
    `exchange_time_us`,
    `receive_time_ns`,
    `producer_id`,
    `producer_epoch`,
    `seq`,
    `source`,
    `simulated`,
    `kafka_partition`,
    CASE WHEN `in_force` THEN `bid` END,
    CASE WHEN `in_force` THEN `ask` END,
    CASE WHEN `in_force` THEN `exchange_time_us` END,
    PROCTIME()
  FROM quotes
)
WINDOW `so_far` AS (
  PARTITION BY `exchange`, `pair` ORDER BY `seen` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
