-- Grain:  one message of the clean trade topic that is not late.
-- Input:  trades_marked.
-- Output: view trades_on_time. A flagged trade keeps its ids and its count; its price and size are NULL here, so that
--         nothing made of them can include it.
--
-- `ordered_price` is time, id and price as text, each with its width fixed: the least and the greatest of a group are
-- its first and last trade by (exchange time, trade id), so that arrival order has no say. `slot` is the trade's
-- five-second slot within its minute. `text` is the whole trade, beginning with its offset, which orders its copies;
-- `trade_block` and `place` say where it is kept (55_trade_blocks.sql).
CREATE TEMPORARY VIEW trades_on_time AS
SELECT
  `exchange`,
  `pair`,
  `simulated`,
  `first_id`,
  `trade_id`,
  `count`,
  `side`,
  CASE WHEN `usable` THEN `price` END AS `price`,
  CASE WHEN `usable` THEN `size` END AS `size`,
  CASE WHEN `usable` THEN CONCAT(
    LPAD(CAST(`exchange_time_us` AS STRING), 19, '0'),
    LPAD(CAST(`trade_id` AS STRING), 19, '0'),
    CAST(`price` AS STRING)
  ) END AS `ordered_price`,
  `exchange_time_us` / 5000000 - `exchange_time_us` / 60000000 * 12 AS `slot`,
  `usable`,
  `exchange_time_us`,
  `kafka_partition`,
  `trade_id` / ${block_size} AS `trade_block`,
  MOD(`trade_id`, ${block_size}) AS `place`,
  CONCAT(
    LPAD(CAST(`kafka_offset` AS STRING), 19, '0'),
    LPAD(CAST(`exchange_time_us` AS STRING), 19, '0'),
    LPAD(CAST(`trade_id` AS STRING), 19, '0'),
    CASE WHEN `usable` THEN CAST(`price` AS STRING) ELSE '' END, '|',
    CASE WHEN `usable` THEN CAST(`size` AS STRING) ELSE '' END, '|',
    `side`, '|',
    CAST(`count` AS STRING), '|',
    CAST(`first_id` AS STRING)
  ) AS `text`,
  `event_time`
FROM (SELECT *, COALESCE(`rules`, '') = '' AS `usable` FROM trades_marked WHERE NOT `is_late`)
