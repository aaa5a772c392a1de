-- Grain: one row a pair and window (EXCHANGE, PAIR, WINDOW_START) of MARKET.BARS_1H whose bar lacks a trade.
-- Input: RAW.TRADES and OPS.LATE_TRADES loaded with :from_time <= LOADED_AT < :to_time, and the bars, without the
--        windows that end within :settling_seconds of the newest trade.
-- Output: the hours to recompute.
-- Source: fragments/touched_windows.sql, as for every length of window.

-- include: fragments/touched_windows with MARKET.BARS_1M = MARKET.BARS_1H, :window_seconds = 3600
