-- Grain:  one job, three outputs: clean trades, clean tickers, dead letters.
-- Input:  trades_once, tickers_once, unusable.
-- Output: clean_trades, clean_tickers, dead_letters. Price and size keep the exchange's text.
EXECUTE STATEMENT SET BEGIN
INSERT INTO clean_trades
SELECT
  ${placement_key},
  CAST(`v` AS INT),
  `exchange`,
  `pair`,
  CAST(`first_id` AS BIGINT),
  CAST(`trade_id` AS BIGINT),
  CAST(`count` AS BIGINT),
  `price`,
  `size`,
  `side`,
  CAST(`exchange_time_us` AS BIGINT),
  CAST(`receive_time_ns` AS BIGINT),
  `producer_id`,
  CAST(`producer_epoch` AS BIGINT),
  CAST(`seq` AS BIGINT),
  `source`,
  CAST(`simulated` AS BOOLEAN)
FROM trades_once;
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
