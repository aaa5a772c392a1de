-- Grain:  one job, four outputs: clean trades, clean tickers, anomalies, dead letters.
-- Input:  judged_trades, tickers_once, anomalies, unusable.
-- Output: clean_trades, clean_tickers, anomalies_sink, dead_letters. Price and size keep the exchange's text.
EXECUTE STATEMENT SET BEGIN
INSERT INTO clean_trades
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  `first_id`,
  `trade_id`,
  `count`,
  `price`,
  `size`,
  `side`,
  `exchange_time_us`,
  `receive_time_ns`,
  `producer_id`,
  `producer_epoch`,
  `seq`,
  `source`,
  `simulated`,
  `rules`
FROM judged_trades;
INSERT INTO clean_tickers
SELECT
  ${placement_key},
  CAST(`v` AS INT),
  `exchange`,
  `pair`,
  `bid_price`,
  `bid_size`,
  `ask_price`,
  `ask_size`,
  `last_price`,
  `last_size`,
  `open_24h`,
  `high_24h`,
  `low_24h`,
  `base_volume_24h`,
  `quote_volume_24h`,
  CAST(`exchange_time_us` AS BIGINT),
  CAST(`receive_time_ns` AS BIGINT),
  `producer_id`,
  CAST(`producer_epoch` AS BIGINT),
  CAST(`seq` AS BIGINT),
  `source`,
  CAST(`simulated` AS BOOLEAN)
FROM tickers_once;
INSERT INTO anomalies_sink
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  `rule`,
  ${rule_version},
  `subject`,
  `subject_id`,
  `score`,
  `threshold`,
  `price`,
  `bid_price`,
  `ask_price`,
  `exchange_time_us`,
  `receive_time_ns`,
  `simulated`
FROM anomalies;
INSERT INTO dead_letters
SELECT
  ${placement_key},
  ${schema_version},
  `exchange`,
  `pair`,
  'validate',
  `reason`,
  SUBSTRING(`raw`, 1, 16384),
  COALESCE(`receive_time_ns`, 0),
  COALESCE(`producer_id`, 'unknown')
FROM unusable;
END
