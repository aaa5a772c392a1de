-- Grain:  one millisecond of one pair on one exchange that had a quote.
-- Input:  quotes_by_ms.
-- Output: view quotes: bid and ask (NULL if that side is missing or zero), spread in price and in basis points of the
--         mid price, rounded half up to 10 decimals, and `valid`. A quote is valid, 1, if both sides are there and
--         the ask is not below the bid; otherwise 0 and no spread: a crossed book is no market one can trade
--         in (rule Q2 of Barndorff-Nielsen, Hansen, Lunde and Shephard 2009, Econometrics Journal 12, C1-C32).
--         A locked one (bid = ask) has the spread 0. `t_ms` is the quote's time since 1970.
CREATE TEMPORARY VIEW quotes AS
SELECT
  `row_time`,
  `exchange`,
  `pair`,
  `simulated`,
  `kafka_partition`,
  `t_ms`,
  `bid`,
  `ask`,
  CASE WHEN `bid` <= `ask` THEN 1 ELSE 0 END AS `valid`,
  CASE WHEN `bid` <= `ask` THEN CAST(`ask` - `bid` AS DECIMAL(18, 10)) ELSE 0 END AS `spread`,
  CASE WHEN `bid` <= `ask` THEN CAST(
    CAST((`ask` - `bid`) * 20000 AS DECIMAL(28, 10)) / CAST(`ask` + `bid` AS DECIMAL(19, 10)) AS DECIMAL(18, 10)
  ) ELSE 0 END AS `spread_bp`
FROM (
  SELECT
    `row_time`,
    `exchange`,
    `pair`,
    `simulated`,
    `kafka_partition`,
    CAST(SUBSTRING(`quote`, 1, 19) AS BIGINT) / 1000 AS `t_ms`,
    NULLIF(CAST(SPLIT_INDEX(`quote`, '|', 1) AS DECIMAL(18, 10)), CAST(0 AS DECIMAL(18, 10))) AS `bid`,
    NULLIF(CAST(SPLIT_INDEX(`quote`, '|', 2) AS DECIMAL(18, 10)), CAST(0 AS DECIMAL(18, 10))) AS `ask`
  FROM quotes_by_ms
)
