-- Grain:  one message of the clean trade or the clean ticker topic, as read.
-- Input:  Kafka topics ${clean_trades_topic} and ${clean_tickers_topic} (streaming.records.CleanTrade and Ticker as JSON,
--         written by the tick job).
-- Output: table clean_messages; used by the bars job. The tick job has checked every value of a trade, so they are typed
--         here; a quote's price that is missing or does not fit is NULL. Of a ticker only what a quote is made of is read.
--         `rules` names the anomaly rules that flag the trade, separated by commas; missing or empty means none.
--
-- Trades and quotes are read by one source, so that they have one watermark: the least of all partitions of both topics
-- that are not silent. With a watermark each, trades that fall silent would no longer hold back the minutes that quotes
-- close, and the trades of the open minute would come too late for it without being late by their own watermark.
--
-- Nothing is passed over: what is no JSON object here did not come from the tick job, and fails this one with its text.
-- A source that passes over what it cannot parse passes over every error of the operators in its task as well, because
-- it hands rows on from within the parser's own try (flink-json 2.2.1), and rows would vanish without a word.
--
-- A partition silent for ${idle_timeout} is left out of the watermark, because a quiet pair must not hold back the
-- bars of the others. Positions are kept in checkpoints alone, as in 01_trades.sql.
CREATE TEMPORARY TABLE clean_messages (
  `exchange` STRING,
  `pair` STRING,
  `first_id` BIGINT,
  `trade_id` BIGINT,
  `count` BIGINT,
  `price` DECIMAL(18, 10),
  `size` DECIMAL(19, 8),
  `side` STRING,
  `bid_price` DECIMAL(18, 10),
  `ask_price` DECIMAL(18, 10),
  `exchange_time_us` BIGINT,
  `receive_time_ns` BIGINT,
  `producer_epoch` BIGINT,
  `seq` BIGINT,
  `source` STRING,
  `simulated` BOOLEAN,
  `rules` STRING,
  `kafka_topic` STRING NOT NULL METADATA FROM 'topic' VIRTUAL,
  `kafka_partition` INT NOT NULL METADATA FROM 'partition' VIRTUAL,
  `kafka_offset` BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL,
  `event_time` AS TO_TIMESTAMP_LTZ(`exchange_time_us` / 1000, 3),
  WATERMARK FOR `event_time` AS `event_time` - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${clean_trades_topic};${clean_tickers_topic}',
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
