-- Grain:  one readable message of the raw trade topic.
-- Input:  trades.
-- Output: view trades_checked: the first rule a trade breaks, in `problem`, or NULL. Source of the rules: the
--         contract in streaming.records (plain decimals, 8+10 digits of price, 11+8 digits of size).
--
-- Numbers are matched as text before they are cast, because a cast rounds what does not fit. The first branch lets
-- a trade pass that is plainly in order, by one look at all its fields; it accepts less than the others allow, so
-- it changes no verdict. With every field there, a comma within one cannot stand for one between two.
CREATE TEMPORARY VIEW trades_checked AS
SELECT
  *,
  CASE
    WHEN `v` = '${schema_version}' AND `exchange` <> '' AND `pair` <> '' AND `producer_id` <> ''
      AND `first_id` IS NOT NULL AND `trade_id` IS NOT NULL AND `count` IS NOT NULL
      AND `exchange_time_us` IS NOT NULL AND `receive_time_ns` IS NOT NULL AND `producer_epoch` IS NOT NULL
      AND `seq` IS NOT NULL AND `side` IS NOT NULL AND `source` IS NOT NULL AND `simulated` IS NOT NULL
      AND `price` IS NOT NULL AND `size` IS NOT NULL
      AND REGEXP(
        CONCAT_WS(',', `first_id`, `trade_id`, `exchange_time_us`, `receive_time_ns`, `producer_epoch`, `seq`,
          `count`, `side`, `source`, `simulated`, `price`, `size`),
        '^(?:[0-8]?[0-9]{1,18},){6}[1-9][0-9]{0,17},(?:buy|sell),(?:ws|snapshot|rest),(?:true|false),(?=[0.]*[1-9])[0-9]{1,8}(?:[.][0-9]{1,10})?,(?=[0.]*[1-9])[0-9]{1,11}(?:[.][0-9]{1,8})?$'
      )
      AND CAST(`first_id` AS BIGINT) <= CAST(`trade_id` AS BIGINT)
      AND CAST(`exchange_time_us` AS BIGINT) <= CAST(`receive_time_ns` AS BIGINT) / 1000 + ${clock_tolerance_us}
      THEN CAST(NULL AS STRING)
    WHEN COALESCE(`v`, '') <> '${schema_version}' THEN 'v is not schema version ${schema_version}'
    WHEN COALESCE(`exchange`, '') = '' OR COALESCE(`pair`, '') = '' THEN 'exchange or pair is missing'
    WHEN NOT REGEXP(
      CONCAT_WS(',', `first_id`, `trade_id`, `count`, `exchange_time_us`, `receive_time_ns`, `producer_epoch`, `seq`),
      '^[0-9]{1,19}(,[0-9]{1,19}){6}$'
    ) THEN 'an id, count, time or sequence is not a whole number'
    WHEN TRY_CAST(`first_id` AS BIGINT) IS NULL OR TRY_CAST(`trade_id` AS BIGINT) IS NULL
      OR TRY_CAST(`count` AS BIGINT) IS NULL OR TRY_CAST(`exchange_time_us` AS BIGINT) IS NULL
      OR TRY_CAST(`receive_time_ns` AS BIGINT) IS NULL OR TRY_CAST(`producer_epoch` AS BIGINT) IS NULL
      OR TRY_CAST(`seq` AS BIGINT) IS NULL
      THEN 'an id, count, time or sequence exceeds 64 bits'
    WHEN TRY_CAST(`count` AS BIGINT) < 1 THEN 'count is zero'
    WHEN TRY_CAST(`first_id` AS BIGINT) > TRY_CAST(`trade_id` AS BIGINT) THEN 'first_id is above trade_id'
    WHEN TRY_CAST(`exchange_time_us` AS BIGINT)
      > TRY_CAST(`receive_time_ns` AS BIGINT) / 1000 + ${clock_tolerance_us}
      THEN 'exchange_time_us is in the future'
    WHEN NOT REGEXP(COALESCE(`price`, ''), '^0*[0-9]{1,8}([.][0-9]{1,10}0*)?$')
      THEN 'price is not a decimal with at most 8 digits before and 10 after the point'
    WHEN TRY_CAST(`price` AS DECIMAL(18, 10)) = 0 THEN 'price is zero'
    WHEN NOT REGEXP(COALESCE(`size`, ''), '^0*[0-9]{1,11}([.][0-9]{1,8}0*)?$')
      THEN 'size is not a decimal with at most 11 digits before and 8 after the point'
    WHEN TRY_CAST(`size` AS DECIMAL(19, 8)) = 0 THEN 'size is zero'
    WHEN COALESCE(`side`, '') NOT IN ('buy', 'sell') THEN 'side is neither buy nor sell'
    WHEN COALESCE(`source`, '') NOT IN ('ws', 'snapshot', 'rest') THEN 'source is unknown'
    WHEN COALESCE(`simulated`, '') NOT IN ('true', 'false') THEN 'simulated is neither true nor false'
    WHEN COALESCE(`producer_id`, '') = '' THEN 'producer_id is missing'
  END AS `problem`
FROM trades
