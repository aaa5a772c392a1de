-- Grain: one row a status of gaps.
-- Input: OPS.GAPS. Output: how many there are, and for how many seconds the oldest of them has been known.
-- Source: the ledger's states in streaming/records.py, Gap.

SELECT STATUS, COUNT(*) AS GAPS, DATEDIFF('SECOND', MIN(DETECTED_AT), SYSDATE()) AS OLDEST_S
FROM OPS.GAPS
GROUP BY STATUS
ORDER BY STATUS;
