-- Grain:  one message that cannot become a clean record.
-- Input:  the tick job.
-- Output: Kafka topic ${dead_letters_topic} (streaming.records.DeadLetter as JSON), at least once, on the
--         partition of the message it is about.
CREATE TEMPORARY TABLE dead_letters (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `stage` STRING,
  `reason` STRING,
  `raw` STRING,
  `receive_time_ns` BIGINT,
  `producer_id` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = '${dead_letters_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.compression.type' = 'snappy'
)
