-- Grain:  one closed window of one pair on one exchange.
-- Input:  the bars job.
-- Output: Kafka topics ${bars_1m_topic}, …_5m, …_15m and …_1h (streaming.records.Bar as JSON), exactly once for a
--         consumer that reads committed records only; placed as in 31_clean_trades_sink.sql. One sink for the four,
--         so that a checkpoint commits one transaction.
--
-- POOLING reuses transactional ids; the default makes one for each checkpoint, which the brokers keep for a
-- week. The transaction timeout must outlast the longest outage between a checkpoint and its commit, and may
-- not exceed the brokers' transaction.max.timeout.ms, whose default it is.
CREATE TEMPORARY TABLE bars_sink (
  `placement` STRING NOT NULL,
  `topic` STRING NOT NULL METADATA,
  `v` INT,
  `exchange` STRING,
  `pair` STRING,
  `window_start_ms` BIGINT,
  `window_end_ms` BIGINT,
  `open` STRING,
  `high` STRING,
  `low` STRING,
  `close` STRING,
  `volume` STRING,
  `quote_volume` STRING,
  `vwap` STRING,
  `trade_count` BIGINT,
  `first_trade_id` BIGINT,
  `last_trade_id` BIGINT,
  `buy_volume` STRING,
  `sell_volume` STRING,
  `spread` STRING,
  `spread_bp` STRING,
  `quoted_ms` BIGINT,
  `realized_variance` DOUBLE,
  `garman_klass` DOUBLE,
  `rogers_satchell` DOUBLE,
  `flagged_count` BIGINT,
  `simulated` BOOLEAN
) WITH (
  'connector' = 'kafka',
  'topic' = '${bars_1m_topic};${bars_5m_topic};${bars_15m_topic};${bars_1h_topic}',
  ${kafka_properties},
  'key.format' = 'raw',
  'key.fields' = 'placement',
  'value.format' = 'json',
  'value.fields-include' = 'EXCEPT_KEY',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '${transactional_id_prefix}',
  'sink.transaction-naming-strategy' = 'POOLING',
  'properties.transaction.timeout.ms' = '900000',
  'properties.compression.type' = 'snappy'
)
