-- Grain: one row a gap that is not filled (EXCHANGE, PAIR, FROM_ID).
-- Input: OPS.GAPS. Output: the missing ids, why, since when, and whether the exchange still has them.
-- Source: gap ledger in streaming/records.py.

SELECT EXCHANGE, PAIR, FROM_ID, TO_ID, CAUSE, DETECTED_AT, STATUS, IS_SIMULATED
FROM OPS.GAPS
WHERE STATUS <> 'filled'
ORDER BY EXCHANGE, PAIR, FROM_ID;
