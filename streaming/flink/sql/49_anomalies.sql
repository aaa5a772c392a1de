-- Grain:  one finding of one rule: (exchange, pair, rule, subject_id).
-- Input:  crossed_quotes, spreads, judged_trades, volumes, stale_feeds, deviating_quotes.
-- Output: view anomalies. `subject_id` is the trade's id, the quote's producer epoch and sequence number, or a
--         time taken from the records, never from our clock: a finding repeated after a failure is the same one.
CREATE TEMPORARY VIEW anomalies AS
SELECT
  `kafka_partition`, `exchange`, `pair`, 'crossed_quote' AS `rule`, 'quote' AS `subject`,
  CONCAT(CAST(`producer_epoch` AS STRING), '-', CAST(`seq` AS STRING)) AS `subject_id`,
  `score`, CAST(-1e-9 AS DOUBLE) AS `threshold`, CAST(NULL AS STRING) AS `price`, `bid_price`, `ask_price`,
  `exchange_time_us`, `receive_time_ns`, `simulated`
FROM crossed_quotes
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'wide_spread', 'quote',
  CONCAT(CAST(`producer_epoch` AS STRING), '-', CAST(`seq` AS STRING)),
  `score`, `allowed`, CAST(NULL AS STRING), `bid_price`, `ask_price`,
  `exchange_time_us`, `receive_time_ns`, `simulated`
FROM spreads
WHERE `score` > `allowed`
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'outside_quote', 'trade', CAST(`trade_id` AS STRING),
  `outside_score`, `outside_allowed_bp`, `price`, CAST(NULL AS STRING), CAST(NULL AS STRING),
  `exchange_time_us`, `receive_time_ns`, `simulated`
FROM judged_trades
WHERE `outside_score` > `outside_allowed_bp`
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'price_spike', 'trade', CAST(`trade_id` AS STRING),
  `spike_score`, ${spike_mads}, `price`, CAST(NULL AS STRING), CAST(NULL AS STRING),
  `exchange_time_us`, `receive_time_ns`, `simulated`
FROM judged_trades
WHERE `spike_score` > ${spike_mads}
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'trade_outlier', 'trade', CAST(`trade_id` AS STRING),
  `outlier_score`, ${outlier_sigmas}, `price`, CAST(NULL AS STRING), CAST(NULL AS STRING),
  `exchange_time_us`, `receive_time_ns`, `simulated`
FROM judged_trades
WHERE `outlier_score` > ${outlier_sigmas}
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'volume_burst', 'pair', CAST(`last_trade_us` / 1000000 AS STRING),
  `score`, ${burst_medians}, CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
  `last_trade_us`, `last_ns`, `simulated`
FROM volumes
WHERE `score` > ${burst_medians}
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'stale_feed', 'pair', CAST(`last_ms` AS STRING),
  `score`, `allowed`, CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
  `exchange_time_us`, `last_ms` * 1000000, `simulated`
FROM stale_feeds
UNION ALL
SELECT
  `kafka_partition`, `exchange`, `pair`, 'venue_deviation', 'quote', CAST(`second` AS STRING),
  `score`, `allowed`, CAST(NULL AS STRING), `bid_price`, `ask_price`,
  `exchange_time_us`, `receive_time_ns`, `simulated`
FROM deviating_quotes
