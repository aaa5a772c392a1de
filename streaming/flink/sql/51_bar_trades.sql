-- Grain:  one message of the clean trade topic, as read.
-- Input:  Kafka topic ${clean_trades_topic} (streaming.records.Trade as JSON, written by the tick job).
-- Output: table bar_trades; used by the bars job. The tick job has checked every value, so they are typed here.
--         `rules` names the anomaly rules that flag the trade, separated by commas; missing or empty means none.
--
-- Nothing is passed over: what is no JSON object here did not come from the tick job, and fails this one with its text.
-- A source that passes over what it cannot parse passes over every error of the operators in its task as well, because
-- it hands rows on from within the parser's own try (flink-json 2.2.1), and rows would vanish without a word.
--
-- A partition silent for ${idle_timeout} is left out of the watermark, because a quiet pair must not hold back the
-- bars of the others. Positions are kept in checkpoints alone, as in 01_trades.sql.
CREATE TEMPORARY TABLE bar_trades (
  `exchange` STRING,
  `pair` STRING,
  `first_id` BIGINT,
  `trade_id` BIGINT,
  `count` BIGINT,
  `price` DECIMAL(18, 10),
  `size` DECIMAL(19, 8),
  `side` STRING,
  `exchange_time_us` BIGINT,
  `receive_time_ns` BIGINT,
  `source` STRING,
  `simulated` BOOLEAN,
  `rules` STRING,
  `kafka_partition` INT NOT NULL METADATA FROM 'partition' VIRTUAL,
  `kafka_offset` BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL,
  `event_time` AS TO_TIMESTAMP_LTZ(`exchange_time_us` / 1000, 3),
  WATERMARK FOR `event_time` AS `event_time` - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${clean_trades_topic}',
  ${kafka_properties},
  'properties.group.id' = '${group_id}',
  'properties.commit.offsets.on.checkpoint' = 'false',
  'properties.fetch.min.bytes' = '${fetch_min_bytes}',
  'properties.fetch.max.wait.ms' = '${fetch_max_wait_ms}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '60 s',
  'scan.watermark.idle-timeout' = '${idle_timeout}',
  'format' = 'json'
)
