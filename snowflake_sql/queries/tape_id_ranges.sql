-- Grain:   one row per exchange, pair and run of consecutive trade ids in RAW.TRADES.
-- Inputs:  RAW.TRADES; bind :since_time (UTC timestamp): only trades at or after it.
-- Output:  EXCHANGE, PAIR, FIRST_ID, LAST_ID (inclusive), ROW_TOTAL (rows of the run), ID_TOTAL (ids those rows
--          claim: more than LAST_ID - FIRST_ID + 1 when some id stands twice).
-- Source:  gaps-and-islands: a run starts where an id is beyond everything before it plus one.
WITH tape AS (
    SELECT
        EXCHANGE,
        PAIR,
        FIRST_ID,
        TRADE_ID,
        MAX(TRADE_ID) OVER (
            PARTITION BY EXCHANGE, PAIR ORDER BY FIRST_ID, TRADE_ID
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS REACHED_ID
    FROM RAW.TRADES
    WHERE EXCHANGE_TIME >= :since_time
),

islands AS (
    SELECT
        EXCHANGE,
        PAIR,
        FIRST_ID,
        TRADE_ID,
        SUM(CASE WHEN REACHED_ID IS NULL OR FIRST_ID > REACHED_ID + 1 THEN 1 ELSE 0 END) OVER (
            PARTITION BY EXCHANGE, PAIR ORDER BY FIRST_ID, TRADE_ID
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS ISLAND
    FROM tape
)

SELECT
    EXCHANGE,
    PAIR,
    MIN(FIRST_ID) AS FIRST_ID,
    MAX(TRADE_ID) AS LAST_ID,
    COUNT(*) AS ROW_TOTAL,
    SUM(TRADE_ID - FIRST_ID + 1) AS ID_TOTAL
FROM islands
GROUP BY EXCHANGE, PAIR, ISLAND
ORDER BY EXCHANGE, PAIR, FIRST_ID
