-- Grain:  one clean trade.
-- Input:  quoted_trades.
-- Output: view spiking_trades: `spike_score`, the Hampel identifier of a trade's return (`move_bp`): its size in units
--         of the scaled median absolute deviation of the pair's returns (28_usual.sql), of which there are at least
--         ${spike_floor_bp} bp (most returns are zero on a calm market). Flagged above ${spike_mads}; NULL before there is a median.
-- Source: F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69 (1974); 1.4826 makes the
--         median absolute deviation an estimate of sigma.
--
-- Deviations are taken from zero, where the median of tick returns lies to within a tick; an own median for each
-- would need a second window. The smaller of the returns from the last trade and from the one before it is judged,
-- so that a price that comes back after a bad print is no spike.
CREATE TEMPORARY VIEW spiking_trades AS
SELECT
  *,
  `move_bp` / GREATEST(1.4826E0 * `median_return`, ${spike_floor_bp}) AS `spike_score`
FROM quoted_trades
