-- Grain: one row a part that refused messages.
-- Input: RAW.DEAD_LETTERS loaded from :from_time on, UTC. Output: how many it refused.
-- Source: the stages in streaming/records.py, DeadLetter; load is the loader's quarantine.

SELECT STAGE, COUNT(*) AS LETTERS
FROM RAW.DEAD_LETTERS
WHERE LOADED_AT >= CAST(:from_time AS TIMESTAMP_NTZ(6))
GROUP BY STAGE
ORDER BY STAGE;
