-- Grain: one row an audit and pair (AUDITED_AT, EXCHANGE, PAIR) of OPS.AUDITS.
-- Input: binds only. Output: a new row.
-- Source: streaming/audit/verdict.py, which has the verdict.

INSERT INTO OPS.AUDITS (
  AUDITED_AT, EXCHANGE, PAIR, SINCE, FIRST_ID, LAST_ID, EXPECTED, LOST, PENDING, DUPLICATED, LATE, MISMATCHED_BARS,
  IS_CLEAN
)
VALUES (
  :audited_at, :exchange, :pair, :since, :first_id, :last_id, :expected, :lost, :pending, :duplicated, :late,
  :mismatched_bars, :is_clean
);
