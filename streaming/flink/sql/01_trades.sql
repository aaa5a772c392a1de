-- Grain:  one message of the raw trade topic, as read.
-- Input:  Kafka topic ${trades_topic} (streaming.records.Trade as JSON).
-- Output: table trades; used by the tick job. No watermark, because nothing in it waits for one.
--
-- Every field is read as text, because a typed column would turn a malformed value into NULL and lose what
-- stood there; 11_trades_checked.sql gives the types. A message that is no JSON object yields no row here:
-- 03_messages.sql reads the same topic as text and sends it to the dead letters.
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
  `arrival` AS PROCTIME()
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
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
)
