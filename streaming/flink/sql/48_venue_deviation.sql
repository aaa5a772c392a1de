-- Grain:  one pair on one exchange in one second of exchange time, when its quote leaves that of the others.
-- Input:  quotes.
-- Output: view deviating_quotes: distance of the middle of the quote from the median of the other exchanges'
--         latest middles in basis points (`score`), above ${venue_bp} bp and above ${venue_mads} times their median absolute
--         deviation (`allowed`). An exchange takes part with a quote no older than ${quote_max_age_s} s; there must be
--         three of them, the judged one included. The distance must have lasted for a tenth of a second, because
--         one exchange is always the first to move. Real and simulated exchanges are kept apart.
--         RAND() >= 0 is always true; it keeps the planner from writing an expression out again wherever its
--         name is used, which it does not do with what it takes to be random.
-- Source: own rule, after index practice (a constituent that leaves the median of the others is left out).
CREATE TEMPORARY VIEW deviating_quotes AS
SELECT
  *
FROM (
  SELECT
    *,
    LAG(`second`, 1) OVER (PARTITION BY `exchange`, `pair`, `simulated` ORDER BY `flagged`) AS `second_before`
  FROM (
    SELECT
      *,
      `exchange_time_us` / 1000000 AS `second`,
      MIN(`exchange_time_us`) OVER (
        PARTITION BY `exchange`, `pair`, `simulated` ORDER BY `flagged`
        RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW
      ) AS `since_us`
    FROM (
      SELECT
        *,
        PROCTIME() AS `flagged`
      FROM (
        SELECT
          *,
          10000 * ABS(`mid` - `median_mid`) / `median_mid` AS `score`,
          GREATEST(
            ${venue_bp},
            ${venue_mads} * 10000 / `median_mid`
              * (`deviations`[(`others` + 1) / 2] + `deviations`[`others` / 2 + 1]) / 2
          ) AS `allowed`
        FROM (
          SELECT
            *,
            CASE WHEN RAND() >= 0 THEN ARRAY_SORT(ARRAY_REMOVE(ARRAY[
              ${venue_deviations}
            ], CAST(NULL AS DOUBLE))) END AS `deviations`
          FROM (
            SELECT
              *,
              CASE WHEN RAND() >= 0 THEN (`mids`[(`others` + 1) / 2] + `mids`[`others` / 2 + 1]) / 2 END
                AS `median_mid`
            FROM (
              SELECT
                *,
                CARDINALITY(`mids`) AS `others`
              FROM (
                SELECT
                  *,
                  CASE WHEN RAND() >= 0 THEN ARRAY_SORT(ARRAY_REMOVE(ARRAY[
                    ${venue_mids}
                  ], CAST(NULL AS DOUBLE))) END AS `mids`
                FROM (
                  SELECT
                    *,
                    ${venue_latest}
                  FROM (
                    SELECT
                      *,
                      REPLACE(`exchange`, '${simulated_suffix}', '') AS `venue`,
                      (`bid` + `ask`) / 2 AS `mid`,
                      PROCTIME() AS `seen`
                    FROM quotes
                    WHERE `in_force`
                  )
                  WINDOW `so_far` AS (
                    PARTITION BY `pair`, `simulated` ORDER BY `seen`
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                  )
                )
              )
            )
            WHERE `others` >= 2
          )
        )
      )
      WHERE `score` > `allowed`
    )
  )
  WHERE `exchange_time_us` - `since_us` >= 100000
)
WHERE `second_before` IS NULL OR `second_before` <> `second`
