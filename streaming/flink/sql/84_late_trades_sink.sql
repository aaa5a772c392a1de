-- Grain:  one message of the clean trade topic that came after its minute was closed.
-- Input:  the bars job.
-- Output: Kafka topic ${late_trades_topic} (streaming.records.LateTrade as JSON), at least once, placed as in
--         31_clean_trades_sink.sql. A late message may be a copy of a trade that was on time.
CREATE TEMPORARY TABLE late_trades_sink (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `first_id` BIGINT,
  `trade_id` BIGINT,
  `exchange_time_us` BIGINT,
  `receive_time_ns` BIGINT,
  `source` STRING,
  `simulated` BOOLEAN
) WITH (
  'connector' = 'kafka',
  'topic' = '${late_trades_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.linger.ms' = '10',
  'properties.compression.type' = 'snappy'
)
