-- Grain:  one finding of one rule.
-- Input:  the tick job.
-- Output: Kafka topic ${anomalies_topic} (streaming.records.Anomaly as JSON), at least once, on the partition of
--         what it is about; placed as in 31_clean_trades_sink.sql.
CREATE TEMPORARY TABLE anomalies_sink (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `rule` STRING,
  `rule_version` INT,
  `subject` STRING,
  `subject_id` STRING,
  `score` DOUBLE,
  `threshold` DOUBLE,
  `price` STRING,
  `bid_price` STRING,
  `ask_price` STRING,
  `exchange_time_us` BIGINT,
  `receive_time_ns` BIGINT,
  `simulated` BOOLEAN
) WITH (
  'connector' = 'kafka',
  'topic' = '${anomalies_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.linger.ms' = '0',
  'properties.compression.type' = 'snappy'
)
