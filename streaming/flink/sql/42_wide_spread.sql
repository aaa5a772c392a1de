-- Grain:  one live quote in force.
-- Input:  market.
-- Output: view spreads: the spread in basis points of the middle (`score`) and the widest one that is not
--         flagged (`allowed`): ${spread_medians} times the pair's median of 28_usual.sql, and never below
--         ${spread_floor_bp} bp, because the median of a liquid pair is a single tick. NULL before there is one.
-- Source: Barndorff-Nielsen, Hansen, Lunde, Shephard (2009), rule Q3: a spread above 50 times the median of the
--         day. Online the median is that of the quotes before.
CREATE TEMPORARY VIEW spreads AS
SELECT
  *,
  20000 * (`new_ask` - `new_bid`) / (`new_ask` + `new_bid`) AS `score`,
  GREATEST(${spread_medians} * `median_spread_bp`, ${spread_floor_bp}) AS `allowed`
FROM market
WHERE `bid_price` IS NOT NULL AND `new_bid` IS NOT NULL
