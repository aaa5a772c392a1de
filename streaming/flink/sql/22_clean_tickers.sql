-- Grain:  one ticker, its first copy to arrive: (exchange, pair, producer_id, producer_epoch, seq).
-- Input:  tickers_checked.
-- Output: view tickers_once, made as trades_once is and with the same time to live.
CREATE TEMPORARY VIEW tickers_once AS
SELECT
  `v`, `exchange`, `pair`, `bid_price`, `bid_size`, `ask_price`, `ask_size`, `last_price`, `last_size`, `open_24h`,
  `high_24h`, `low_24h`, `base_volume_24h`, `quote_volume_24h`, `exchange_time_us`, `receive_time_ns`, `producer_id`,
  `producer_epoch`, `seq`, `source`, `simulated`, `kafka_partition`
FROM (
  SELECT
    *,
    ${copies_at_places}
  FROM (
    SELECT
      *,
      CAST(`seq` AS BIGINT) / ${block_size} AS `seq_block`,
      MOD(CAST(`seq` AS BIGINT), ${block_size}) AS `place`
    FROM tickers_checked
    WHERE `problem` IS NULL
  )
  WINDOW `block` AS (
    PARTITION BY `exchange`, `pair`, `producer_id`, `producer_epoch`, `seq_block` ORDER BY `arrival`
  )
)
WHERE ${copies_at_own_place} = 1
