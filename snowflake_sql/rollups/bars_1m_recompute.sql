-- Grain: one row a pair and minute (EXCHANGE, PAIR, WINDOW_START) of MARKET.BARS_1M.
-- Input: RAW.TRADES with :from_time <= EXCHANGE_TIME < :to_time; both must be full minutes, ends of windows, UTC, and :to_time
--        so far back that the stream has closed every window before it.
-- Output: windows that differ from what the stored trades say are corrected, missing ones are added. Running it
--         again changes nothing.
-- Source: fragments/merge_bars.sql and fragments/bars_of_trades.sql, as for every length of window.

-- include: fragments/merge_bars with MARKET.BARS_1M = MARKET.BARS_1M, :window_seconds = 60
