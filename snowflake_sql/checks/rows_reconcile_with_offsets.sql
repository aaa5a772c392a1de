-- Grain: one row a Kafka partition whose rows contradict the offsets; no row means that none does.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time, UTC, and OPS.LOAD_OFFSETS.
-- Output: rows, their lowest and highest offset, and the next offset that is noted as not loaded.
-- Source: a row's offset is noted in the transaction that writes it (streaming/loader/sink.py), so no row lies at or
--         beyond the next offset, and a partition has at most one row an offset.

WITH loaded AS (
  SELECT
    KAFKA_PARTITION,
    COUNT(*) AS TRADES,
    COUNT(DISTINCT KAFKA_OFFSET) AS OFFSETS,
    MIN(KAFKA_OFFSET) AS LOWEST,
    MAX(KAFKA_OFFSET) AS HIGHEST
  FROM RAW.TRADES
  WHERE EXCHANGE_TIME >= CAST(:from_time AS TIMESTAMP_NTZ(6))
    AND EXCHANGE_TIME < CAST(:to_time AS TIMESTAMP_NTZ(6))
  GROUP BY KAFKA_PARTITION
)
SELECT l.KAFKA_PARTITION, l.TRADES, l.OFFSETS, l.LOWEST, l.HIGHEST, o.NEXT_OFFSET
FROM loaded l
LEFT JOIN OPS.LOAD_OFFSETS o
  ON o.PARTITION_ID = l.KAFKA_PARTITION AND o.TOPIC = 'CryptoCurrency_clean_trades'
WHERE o.NEXT_OFFSET IS NULL OR l.HIGHEST >= o.NEXT_OFFSET OR l.OFFSETS <> l.TRADES
ORDER BY l.KAFKA_PARTITION;
