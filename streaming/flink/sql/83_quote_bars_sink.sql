-- Grain:  one second of one pair on one exchange that had a quote.
-- Input:  the bars job.
-- Output: Kafka topic ${quote_bars_1s_topic} (streaming.records.QuoteBar as JSON), at least once; a repeat is equal.
--         Placed as in 31_clean_trades_sink.sql.
CREATE TEMPORARY TABLE quote_bars_sink (
  `placement` STRING NOT NULL,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `window_start_ms` BIGINT,
  `window_end_ms` BIGINT,
  `bid_open` STRING,
  `bid_high` STRING,
  `bid_low` STRING,
  `bid_close` STRING,
  `ask_open` STRING,
  `ask_high` STRING,
  `ask_low` STRING,
  `ask_close` STRING,
  `spread` STRING,
  `spread_bp` STRING,
  `quoted_ms` BIGINT,
  `quote_count` BIGINT,
  `simulated` BOOLEAN
) WITH (
  'connector' = 'kafka',
  'topic' = '${quote_bars_1s_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'at-least-once',
  'properties.linger.ms' = '10',
  'properties.compression.type' = 'snappy'
)
