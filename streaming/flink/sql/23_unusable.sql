-- Grain:  one message that cannot become a clean record.
-- Input:  trades_checked, tickers_checked, messages.
-- Output: view unusable: what becomes a dead letter. The reason names topic, partition and offset, where the
--         original stays for the topic's retention; `raw` holds its fields as read, or its text if it has
--         no fields, cut so that it stays below 64 KiB in UTF-8.
--
-- What the producer writes, a flat object without escapes, is told by its text; only what does not look like that
-- is parsed, which costs several times as much.
--
-- Nothing falls between the branches: a message that is a JSON object has a row in trades or tickers with every
-- field as text, so it is either clean or has a problem; any other message is caught by the last branch.
CREATE TEMPORARY VIEW unusable AS
SELECT
  COALESCE(`exchange`, 'unknown') AS `exchange`,
  `pair`,
  CONCAT(`problem`, ' (${trades_topic} ', CAST(`kafka_partition` AS STRING), ':',
    CAST(`kafka_offset` AS STRING), ')') AS `reason`,
  JSON_OBJECT(
    'v' VALUE `v`, 'exchange' VALUE `exchange`, 'pair' VALUE `pair`, 'first_id' VALUE `first_id`,
    'trade_id' VALUE `trade_id`, 'count' VALUE `count`, 'price' VALUE `price`, 'size' VALUE `size`,
    'side' VALUE `side`, 'exchange_time_us' VALUE `exchange_time_us`,
    'receive_time_ns' VALUE `receive_time_ns`, 'producer_id' VALUE `producer_id`,
    'producer_epoch' VALUE `producer_epoch`, 'seq' VALUE `seq`, 'source' VALUE `source`,
    'simulated' VALUE `simulated`
  ) AS `raw`,
  TRY_CAST(`receive_time_ns` AS BIGINT) AS `receive_time_ns`,
  `producer_id`,
  `kafka_partition`
FROM trades_checked
WHERE `problem` IS NOT NULL
UNION ALL
SELECT
  COALESCE(`exchange`, 'unknown'),
  `pair`,
  CONCAT(`problem`, ' (${tickers_topic} ', CAST(`kafka_partition` AS STRING), ':',
    CAST(`kafka_offset` AS STRING), ')'),
  JSON_OBJECT(
    'v' VALUE `v`, 'exchange' VALUE `exchange`, 'pair' VALUE `pair`, 'bid_price' VALUE `bid_price`,
    'bid_size' VALUE `bid_size`, 'ask_price' VALUE `ask_price`, 'ask_size' VALUE `ask_size`,
    'last_price' VALUE `last_price`, 'last_size' VALUE `last_size`, 'open_24h' VALUE `open_24h`,
    'high_24h' VALUE `high_24h`, 'low_24h' VALUE `low_24h`, 'base_volume_24h' VALUE `base_volume_24h`,
    'quote_volume_24h' VALUE `quote_volume_24h`, 'exchange_time_us' VALUE `exchange_time_us`,
    'receive_time_ns' VALUE `receive_time_ns`, 'producer_id' VALUE `producer_id`,
    'producer_epoch' VALUE `producer_epoch`, 'seq' VALUE `seq`, 'source' VALUE `source`,
    'simulated' VALUE `simulated`
  ),
  TRY_CAST(`receive_time_ns` AS BIGINT),
  `producer_id`,
  `kafka_partition`
FROM tickers_checked
WHERE `problem` IS NOT NULL
UNION ALL
SELECT
  COALESCE(SPLIT_INDEX(`message_key`, '|', 0), 'unknown'),
  SPLIT_INDEX(`message_key`, '|', 1),
  CONCAT('the message is not a JSON object (', `kafka_topic`, ' ', CAST(`kafka_partition` AS STRING), ':',
    CAST(`kafka_offset` AS STRING), ')'),
  COALESCE(`text`, ''),
  CAST(UNIX_TIMESTAMP(CAST(`kafka_time` AS STRING)) AS BIGINT) * 1000000000,
  CAST(NULL AS STRING),
  `kafka_partition`
FROM messages
WHERE CASE
  WHEN `text` IS NULL THEN TRUE
  WHEN CHAR_LENGTH(`text`) <= 2000 AND REGEXP(
    `text`,
    '^[{](?:"[a-z0-9_]++":(?:"[ !#-Z^-~]*+"|(?:0|[1-9][0-9]*+)|true|false|null)(?:,(?=")|(?=[}])))*+[}]$'
  ) THEN FALSE
  ELSE `text` IS NOT JSON OBJECT
END
