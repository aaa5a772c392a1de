-- Grain:  one clean trade.
-- Input:  market.
-- Output: view quoted_trades. `outside_bp`: how far the price is below the bid or above the ask, in basis points
--         of the middle; `outside_allowed_bp`: how far it may be, ${margin_spreads} spreads and never less than
--         ${margin_bp} bp, because the market moves between two quotes. Both are NULL without a quote of the trade's
--         own time, by the exchange's clock: at most ${quote_max_age_s} s older, and at most half a second newer, because
--         a trade that was held up must not be judged by the market of later. They are NULL too for trades that did
--         not come live. 45_trade_outlier.sql draws the conclusion.
-- Source: Barndorff-Nielsen, Hansen, Lunde, Shephard (2009), rule T4: a price above the ask plus the spread or
--         below the bid minus the spread is an error.
CREATE TEMPORARY VIEW quoted_trades AS
SELECT
  *,
  20000 * GREATEST(`quote_bid` - `live_price`, `live_price` - `quote_ask`, 0E0) / (`quote_bid` + `quote_ask`)
    AS `outside_bp`,
  GREATEST(
    ${margin_spreads} * 20000 * (`quote_ask` - `quote_bid`) / (`quote_ask` + `quote_bid`), ${margin_bp}
  ) AS `outside_allowed_bp`
FROM (
  SELECT
    *,
    CASE WHEN `exchange_time_us` - `quoted_us` BETWEEN -500000 AND ${quote_max_age_us} THEN `bid` END AS `quote_bid`,
    CASE WHEN `exchange_time_us` - `quoted_us` BETWEEN -500000 AND ${quote_max_age_us} THEN `ask` END AS `quote_ask`
  FROM market
  WHERE `trade_id` IS NOT NULL
)
