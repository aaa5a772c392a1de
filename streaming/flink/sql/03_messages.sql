-- Grain:  one message of either raw topic, as text.
-- Input:  Kafka topics ${trades_topic} and ${tickers_topic}, read a second time.
-- Output: table messages; used by the tick job to find what 01_trades.sql and 02_tickers.sql cannot read. Nobody
--         waits for a dead letter, so it is fetched once a second in large pieces.
CREATE TEMPORARY TABLE messages (
  `message_key` STRING,
  `text` STRING,
  `kafka_topic` STRING NOT NULL METADATA FROM 'topic' VIRTUAL,
  `kafka_partition` INT NOT NULL METADATA FROM 'partition' VIRTUAL,
  `kafka_offset` BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL,
  `kafka_time` TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL
) WITH (
  'connector' = 'kafka',
  'topic' = '${trades_topic};${tickers_topic}',
  ${kafka_properties},
  'properties.group.id' = '${group_id}',
  'properties.commit.offsets.on.checkpoint' = 'false',
  'properties.fetch.min.bytes' = '1048576',
  'properties.fetch.max.wait.ms' = '1000',
  'scan.startup.mode' = 'earliest-offset',
  'scan.topic-partition-discovery.interval' = '60 s',
  'key.format' = 'raw',
  'key.fields' = 'message_key',
  'value.format' = 'raw',
  'value.fields-include' = 'EXCEPT_KEY'
)
