-- Grain:  one clean trade.
-- Input:  spiking_trades.
-- Output: view judged_trades: `outlier_score`, NULL before there is a mean; `outside_score`, the verdict of
--         43_outside_quote.sql: the smaller of how far the trade is outside the quote and how far it is from the
--         two trades before it, because trades that agree with each other are a market that moves; and in
--         `rules` the names of the rules that flag it, separated by commas, empty if none does.
-- Source: C. T. Brownlees, G. M. Gallo, "Financial econometric analysis at ultra-high frequency: data handling
--         concerns", Computational Statistics & Data Analysis 51 (2006): a price is an outlier unless
--         |p - mean_k| < 3 s_k + gamma, with trimmed mean and standard deviation of its k neighbours. Here the
--         neighbours are the trades of 29_usual_prices.sql, trimmed by one extreme on each side, and gamma, the granularity
--         that keeps flat prices alive, is ${outlier_granularity_bp} bp of the mean. Score: |p - mean_k| / (s_k + gamma / 3),
--         flagged above 3 (both ${outlier_sigmas} here), which is the same inequality.
--
-- A trade that agrees with the quote in force is neither spike nor outlier: when the market really jumps the
-- quote moves with it, when a print is wrong it does not. Without such a quote the statistics decide alone, as long
-- as the mean is of the trade's time: trades that were held up come all at once, faster than the mean can follow, so
-- none is judged while the trade before it is more than a second newer than the mean.
CREATE TEMPORARY VIEW judged_trades AS
SELECT
  *,
  CONCAT_WS(
    ',',
    CASE WHEN `spike_score` > ${spike_mads} THEN 'price_spike' END,
    CASE WHEN `outlier_score` > ${outlier_sigmas} THEN 'trade_outlier' END,
    CASE WHEN `outside_score` > `outside_allowed_bp` THEN 'outside_quote' END
  ) AS `rules`
FROM (
  SELECT
    `exchange`, `pair`, `first_id`, `trade_id`, `count`, `price`, `size`, `side`, `exchange_time_us`,
    `receive_time_ns`, `producer_id`, `producer_epoch`, `seq`, `source`, `simulated`, `kafka_partition`,
    `outside_allowed_bp`,
    LEAST(`outside_bp`, COALESCE(`move_bp`, `outside_bp`)) AS `outside_score`,
    CASE WHEN `outside_bp` <= `outside_allowed_bp` THEN 0E0 ELSE `spike_score` END AS `spike_score`,
    CASE
      WHEN `outside_bp` <= `outside_allowed_bp` THEN 0E0
      WHEN `before_us` - `mean_us` > 1000000 THEN NULL
      ELSE ABS(`live_price` - `mean`)
        / (SQRT(GREATEST(`mean_square` - `mean` * `mean`, 0E0))
          + ${outlier_granularity_bp} / 10000E0 * `mean` / ${outlier_sigmas})
    END AS `outlier_score`
  FROM spiking_trades
)
