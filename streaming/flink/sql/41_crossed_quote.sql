-- Grain:  one live quote whose bid is at or above its ask.
-- Input:  quotes.
-- Output: view crossed_quotes. Score: bid minus ask in basis points of their middle; above a threshold of just
--         under zero, so that a locked quote (bid = ask) counts.
-- Source: O. E. Barndorff-Nielsen, P. R. Hansen, A. Lunde, N. Shephard, "Realized kernels in practice: trades
--         and quotes", Econometrics Journal 12 (2009), rule Q2: a quote with a negative spread is no quote.
CREATE TEMPORARY VIEW crossed_quotes AS
SELECT
  *,
  20000 * (`bid` - `ask`) / (`bid` + `ask`) AS `score`
FROM quotes
WHERE NOT `in_force`
