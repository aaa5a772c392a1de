-- Grain:  one second of a minute that has begun, of one pair on one exchange.
-- Input:  the bars job.
-- Output: Kafka topic ${bars_forming_topic} (streaming.records.FormingBar as JSON), at least once; of the records of a
--         minute the one with the latest `as_of_ms` counts. Placed as in 31_clean_trades_sink.sql.
CREATE TEMPORARY TABLE forming_bars_sink (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `window_start_ms` BIGINT,
  `window_end_ms` BIGINT,
  `as_of_ms` BIGINT,
  `open` STRING,
  `high` STRING,
  `low` STRING,
  `close` STRING,
  `volume` STRING,
  `quote_volume` STRING,
  `vwap` STRING,
  `trade_count` BIGINT,
  `buy_volume` STRING,
  `sell_volume` STRING,
  `flagged_count` BIGINT,
  `simulated` BOOLEAN
) WITH (
  'connector' = 'kafka',
  'topic' = '${bars_forming_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.linger.ms' = '10',
  'properties.compression.type' = 'snappy'
)
