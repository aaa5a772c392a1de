-- Grain:  one trade of one minute in exchange time, its first copy: (minute, exchange, pair, trade_id).
-- Input:  trade_blocks.
-- Output: view trades_in_minute, with the columns of trades_on_time that a minute is summed up from. It has its rows
--         when the minute is over.
CREATE TEMPORARY VIEW trades_in_minute AS
SELECT
  `row_time`,
  `exchange`,
  `pair`,
  `simulated`,
  `kafka_partition`,
  `first_id`,
  `trade_id`,
  `count`,
  `side`,
  `price`,
  `size`,
  CASE WHEN `price` IS NOT NULL THEN `time_id_price` END AS `ordered_price`,
  `exchange_time_us` / 5000000 - `exchange_time_us` / 60000000 * 12 AS `slot`,
  `price` IS NOT NULL AS `usable`,
  `exchange_time_us`
FROM (
  SELECT
    `row_time`, `exchange`, `pair`, `simulated`, `kafka_partition`, `side`, `time_id_price`,
    CAST(SUBSTRING(`time_id_price`, 1, 19) AS BIGINT) AS `exchange_time_us`,
    CAST(SUBSTRING(`time_id_price`, 20, 19) AS BIGINT) AS `trade_id`,
    CAST(NULLIF(SUBSTRING(`time_id_price`, 39), '') AS DECIMAL(18, 10)) AS `price`,
    CAST(NULLIF(`size_text`, '') AS DECIMAL(19, 8)) AS `size`,
    CAST(`count_text` AS BIGINT) AS `count`,
    CAST(`first_id_text` AS BIGINT) AS `first_id`
  FROM (
    SELECT
      `row_time`, `exchange`, `pair`, `simulated`, `kafka_partition`,
      SUBSTRING(SPLIT_INDEX(`text`, '|', 0), 20) AS `time_id_price`,
      SPLIT_INDEX(`text`, '|', 1) AS `size_text`,
      SPLIT_INDEX(`text`, '|', 2) AS `side`,
      SPLIT_INDEX(`text`, '|', 3) AS `count_text`,
      SPLIT_INDEX(`text`, '|', 4) AS `first_id_text`
    FROM trade_blocks CROSS JOIN UNNEST(ARRAY[
      ${places}
    ]) AS `trades_of_block` (`text`)
    WHERE `text` IS NOT NULL
  )
)
