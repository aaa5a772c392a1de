-- Grain:  one message of the clean trade topic.
-- Input:  clean_messages.
-- Output: view trades_marked: each trade with `is_late`, true when the watermark has passed the end of its minute.
--
-- The comparison is the one by which a window operator drops a row, and it is made right behind the source, whose
-- watermark no later operator is ahead of. So a trade is either in its minute's bar or late. Only right after a restart,
-- before the source has a watermark again, a window may know better; what it then drops is counted in
-- numLateRecordsDropped, and found by the count of trades that the warehouse holds against each bar.
CREATE TEMPORARY VIEW trades_marked AS
SELECT
  `exchange`,
  `pair`,
  `first_id`,
  `trade_id`,
  `count`,
  `price`,
  `size`,
  `side`,
  `exchange_time_us`,
  `receive_time_ns`,
  `source`,
  `simulated`,
  `rules`,
  `kafka_partition`,
  `kafka_offset`,
  `event_time`,
  COALESCE(
    TO_TIMESTAMP_LTZ((`exchange_time_us` / 60000000 + 1) * 60000 - 1, 3) <= CURRENT_WATERMARK(`event_time`),
    FALSE
  ) AS `is_late`
FROM clean_messages
WHERE `kafka_topic` = '${clean_trades_topic}' AND `event_time` IS NOT NULL
