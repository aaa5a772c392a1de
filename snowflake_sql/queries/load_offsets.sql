-- Grain: one row a topic partition (TOPIC, PARTITION_ID).
-- Input: OPS.LOAD_OFFSETS. Output: the first offset that is not loaded and when it last moved.
-- Source: written by the loader in the transaction of the rows.

SELECT TOPIC, PARTITION_ID, NEXT_OFFSET, UPDATED_AT
FROM OPS.LOAD_OFFSETS
ORDER BY TOPIC, PARTITION_ID;
