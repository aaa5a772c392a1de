-- Grain:  one message of the clean ticker topic, as read; only what a quote is made of.
-- Input:  Kafka topic ${clean_tickers_topic} (streaming.records.Ticker as JSON, written by the tick job).
-- Output: table bar_quotes; used by the bars job. A price that is missing or does not fit is NULL.
--         Nothing is passed over, as in 51_bar_trades.sql.
CREATE TEMPORARY TABLE bar_quotes (
  `exchange` STRING,
  `pair` STRING,
  `bid_price` DECIMAL(18, 10),
  `ask_price` DECIMAL(18, 10),
  `exchange_time_us` BIGINT,
  `producer_epoch` BIGINT,
  `seq` BIGINT,
  `simulated` BOOLEAN,
  `kafka_partition` INT NOT NULL METADATA FROM 'partition' VIRTUAL,
  `event_time` AS TO_TIMESTAMP_LTZ(`exchange_time_us` / 1000, 3),
  WATERMARK FOR `event_time` AS `event_time` - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${clean_tickers_topic}',
  ${kafka_properties},
  'properties.group.id' = '${group_id}',
  'properties.commit.offsets.on.checkpoint' = 'false',
  'properties.fetch.min.bytes' = '${fetch_min_bytes}',
  'properties.fetch.max.wait.ms' = '${fetch_max_wait_ms}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '60 s',
  'scan.watermark.idle-timeout' = '${idle_timeout}',
  'format' = 'json'
)
