-- Grain: one row a pair and day (EXCHANGE, PAIR, WINDOW_START) of MARKET.BARS_1D.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time; both must be full days, UTC.
-- Output: days that differ from what the stored trades say are corrected, missing ones are added. Running it
--         again changes nothing. The day that has begun holds what has been traded so far.
-- Source: fragments/merge_bars.sql and fragments/bars_of_trades.sql, as for every length of window.

-- include: fragments/merge_bars with MARKET.BARS_1M = MARKET.BARS_1D, :window_seconds = 86400
