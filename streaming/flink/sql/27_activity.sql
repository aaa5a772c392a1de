-- Grain:  one pair on one exchange in one quarter of a second by arrival in which it ticked live.
-- Input:  ticks.
-- Output: view activity: ticks, volume and times, for the rules about more than one tick; sums and extremes of the
--         prices; and a sample of the pair, the last trade's return and the last spread. `seen` is the end of the quarter second.
--         `volume` is what was traded, or NULL; trades that piled up before they arrived are spread over the
--         exchange time they cover, because catching up is no burst.
CREATE TEMPORARY VIEW activity AS
SELECT
  *,
  `traded` / GREATEST(1, (`last_trade_us` - `first_trade_us`) / 250000) AS `volume`
FROM (
  SELECT
    `exchange`,
    `pair`,
    `simulated`,
    `window_time` AS `seen`,
    COUNT(*) AS `ticks`,
    COUNT(`trade_us`) AS `trades`,
    SUM(`traded`) AS `traded`,
    MIN(`trade_us`) AS `first_trade_us`,
    MAX(`trade_us`) AS `last_trade_us`,
    MAX(`exchange_time_us`) AS `exchange_time_us`,
    MIN(`receive_time_ns`) AS `first_ns`,
    MAX(`receive_time_ns`) AS `last_ns`,
    SUM(`live_price`) AS `price_sum`,
    SUM(`live_price` * `live_price`) AS `square_sum`,
    MIN(`live_price`) AS `lowest`,
    MAX(`live_price`) AS `highest`,
    LAST_VALUE(`return_1`) AS `sampled_return`,
    LAST_VALUE(`spread_bp`) AS `sampled_spread_bp`,
    MAX(`kafka_partition`) AS `kafka_partition`
  FROM TABLE(TUMBLE(TABLE ticks, DESCRIPTOR(`seen`), INTERVAL '0.250' SECOND))
  GROUP BY `window_start`, `window_end`, `window_time`, `exchange`, `pair`, `simulated`
)
