-- Grain:  one message of the clean ticker topic.
-- Input:  clean_messages.
-- Output: view bar_quotes: only what a quote is made of.
CREATE TEMPORARY VIEW bar_quotes AS
SELECT
  `exchange`,
  `pair`,
  `bid_price`,
  `ask_price`,
  `exchange_time_us`,
  `producer_epoch`,
  `seq`,
  `simulated`,
  `kafka_partition`,
  `event_time`
FROM clean_messages
WHERE `kafka_topic` = '${clean_tickers_topic}'
