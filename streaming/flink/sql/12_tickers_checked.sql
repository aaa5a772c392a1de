-- Grain:  one readable message of the raw ticker topic.
-- Input:  tickers.
-- Output: view tickers_checked: the first rule a ticker breaks, in `problem`, or NULL. Source of the rules:
--         the contract in streaming.records; a value the exchange left out is NULL and allowed. Every present
--         value must fit the warehouse's NUMBER(38, 18).
CREATE TEMPORARY VIEW tickers_checked AS
SELECT
  *,
  CASE
    WHEN COALESCE(`v`, '') <> '${schema_version}' THEN 'v is not schema version ${schema_version}'
    WHEN COALESCE(`exchange`, '') = '' OR COALESCE(`pair`, '') = '' THEN 'exchange or pair is missing'
    WHEN NOT REGEXP(
      CONCAT_WS(',', `exchange_time_us`, `receive_time_ns`, `producer_epoch`, `seq`),
      '^[0-9]{1,19}(,[0-9]{1,19}){3}$'
    ) THEN 'a time or sequence is not a whole number'
    WHEN TRY_CAST(`exchange_time_us` AS BIGINT) IS NULL OR TRY_CAST(`receive_time_ns` AS BIGINT) IS NULL
      OR TRY_CAST(`producer_epoch` AS BIGINT) IS NULL OR TRY_CAST(`seq` AS BIGINT) IS NULL
      THEN 'a time or sequence exceeds 64 bits'
    WHEN TRY_CAST(`exchange_time_us` AS BIGINT)
      > TRY_CAST(`receive_time_ns` AS BIGINT) / 1000 + ${clock_tolerance_us}
      THEN 'exchange_time_us is in the future'
    WHEN NOT REGEXP(
      CONCAT_WS(',', '0', `bid_price`, `bid_size`, `ask_price`, `ask_size`, `last_price`, `last_size`, `open_24h`,
        `high_24h`, `low_24h`, `base_volume_24h`, `quote_volume_24h`),
      '^0(,0*[0-9]{1,20}([.][0-9]{1,18}0*)?)*$'
    ) THEN 'a price, size or volume is not a decimal with at most 20 digits before and 18 after the point'
    WHEN COALESCE(`source`, '') NOT IN ('ws', 'snapshot', 'rest') THEN 'source is unknown'
    WHEN COALESCE(`simulated`, '') NOT IN ('true', 'false') THEN 'simulated is neither true nor false'
    WHEN COALESCE(`producer_id`, '') = '' THEN 'producer_id is missing'
  END AS `problem`
FROM tickers
