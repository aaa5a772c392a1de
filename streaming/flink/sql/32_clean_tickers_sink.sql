-- Grain:  one clean ticker.
-- Input:  the tick job.
-- Output: Kafka topic ${clean_tickers_topic} (streaming.records.Ticker as JSON), at least once, placed as in
--         31_clean_trades_sink.sql.
CREATE TEMPORARY TABLE clean_tickers (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `bid_price` STRING,
  `bid_size` STRING,
  `ask_price` STRING,
  `ask_size` STRING,
  `last_price` STRING,
  `last_size` STRING,
  `open_24h` STRING,
  `high_24h` STRING,
  `low_24h` STRING,
  `base_volume_24h` STRING,
  `quote_volume_24h` STRING,
  `exchange_time_us` BIGINT,
  `receive_time_ns` BIGINT,
  `producer_id` STRING,
  `producer_epoch` BIGINT,
  `seq` BIGINT,
  `source` STRING,
  `simulated` BOOLEAN
) WITH (
  'connector' = 'kafka',
  'topic' = '${clean_tickers_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.linger.ms' = '10',
  'properties.compression.type' = 'snappy'
)
