-- Grain:  one message of the raw ticker topic, as read.
-- Input:  Kafka topic ${tickers_topic} (streaming.records.Ticker as JSON).
-- Output: table tickers; used by the tick job. Fields are text for the reason given in 01_trades.sql; no
--         watermark, because nothing groups tickers by time.
CREATE TEMPORARY TABLE tickers (
  `v` STRING,
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
  'topic' = '${tickers_topic}',
  ${kafka_properties},
  'properties.group.id' = '${group_id}',
  'properties.commit.offsets.on.checkpoint' = 'false',
  'properties.fetch.max.wait.ms' = '2000',
  'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '60 s',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
)
