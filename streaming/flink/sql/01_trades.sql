-- Grain:  one message of the raw trade topic, as read.
-- Input:  Kafka topic ${trades_topic} (streaming.records.Trade as JSON).
-- Output: table trades; used by both jobs.
--
-- Every field is read as text, because a typed column would turn a malformed value into NULL and lose what
-- stood there; 11_trades_checked.sql gives the types. A message that is no JSON object yields no row here:
-- 03_messages.sql reads the same topic as text and sends it to the dead letters.
--
-- A time that is missing, or more than five minutes ahead of our own clock, sets no watermark: one absurd
-- time would otherwise make every later trade late. A partition silent for ${idle_timeout} is left out of
-- the watermark, because a quiet pair must not hold back the bars of the others.
--
-- Positions are kept in checkpoints alone; committing them to Kafka as well would only cost writes.
CREATE TEMPORARY TABLE trades (
  `v` STRING,
  `exchange` STRING,
  `pair` STRING,
  `first_id` STRING,
  `trade_id` STRING,
  `count` STRING,
  `price` STRING,
  `size` STRING,
  `side` STRING,
  `exchange_time_us` STRING,
  `receive_time_ns` STRING,
  `producer_id` STRING,
  `producer_epoch` STRING,
  `seq` STRING,
  `source` STRING,
  `simulated` STRING,
  `kafka_partition` INT NOT NULL METADATA FROM 'partition' VIRTUAL,
  `kafka_offset` BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL,
  `arrival` AS PROCTIME(),
  `event_time` AS CASE
    WHEN TRY_CAST(`exchange_time_us` AS BIGINT)
      BETWEEN 0 AND TRY_CAST(`receive_time_ns` AS BIGINT) / 1000 + ${clock_tolerance_us}
    THEN TO_TIMESTAMP_LTZ(TRY_CAST(`exchange_time_us` AS BIGINT) / 1000, 3)
  END,
  WATERMARK FOR `event_time` AS `event_time` - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${trades_topic}',
  ${kafka_properties},
  'properties.group.id' = '${group_id}',
  'properties.commit.offsets.on.checkpoint' = 'false',
  'properties.fetch.min.bytes' = '${fetch_min_bytes}',
  'properties.fetch.max.wait.ms' = '${fetch_max_wait_ms}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '60 s',
  'scan.watermark.idle-timeout' = '${idle_timeout}',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
)
