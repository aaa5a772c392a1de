-- Grain:  one clean trade.
-- Input:  the tick job.
-- Output: Kafka topic ${clean_trades_topic} (streaming.records.Trade and `rules`, as JSON), at least once: after a failure
--         up to one checkpoint interval is written again. The key places the record on the partition it came
--         from (streaming.flink.placement); the pair is in the value.
CREATE TEMPORARY TABLE clean_trades (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `first_id` BIGINT,
  `trade_id` BIGINT,
  `count` BIGINT,
  `price` STRING,
  `size` STRING,
  `side` STRING,
  `exchange_time_us` BIGINT,
  `receive_time_ns` BIGINT,
  `producer_id` STRING,
  `producer_epoch` BIGINT,
  `seq` BIGINT,
  `source` STRING,
  `simulated` BOOLEAN,
  `rules` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = '${clean_trades_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.linger.ms' = '10',
  'properties.compression.type' = 'snappy'
)
