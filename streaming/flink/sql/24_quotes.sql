-- Grain:  one clean ticker that came live and has a bid and an ask.
-- Input:  tickers_once.
-- Output: view quotes: the tickers as numbers. `in_force` is false for a quote nobody can trade on: bid at or
--         above ask.
CREATE TEMPORARY VIEW quotes AS
SELECT
  *,
  `bid` < `ask` AS `in_force`
FROM (
  SELECT
    `exchange`,
    `pair`,
    `bid_price`,
    `ask_price`,
    TRY_CAST(`bid_price` AS DOUBLE) AS `bid`,
    TRY_CAST(`ask_price` AS DOUBLE) AS `ask`,
    CAST(`exchange_time_us` AS BIGINT) AS `exchange_time_us`,
    CAST(`receive_time_ns` AS BIGINT) AS `receive_time_ns`,
    `producer_id`,
    CAST(`producer_epoch` AS BIGINT) AS `producer_epoch`,
    CAST(`seq` AS BIGINT) AS `seq`,
    `source`,
    CAST(`simulated` AS BOOLEAN) AS `simulated`,
    `kafka_partition`
  FROM tickers_once
  WHERE `source` = 'ws'
)
WHERE `bid` > 0 AND `ask` > 0
