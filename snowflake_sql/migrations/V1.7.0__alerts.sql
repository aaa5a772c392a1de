-- Grain: ALERTS one row a firing (FINGERPRINT, FIRED_AT).
-- Input: the alert sensor of Dagster. Output: what was wrong, when, and whether it is over; the dashboard shows it.
-- Source: crypto_platform/alerting. A condition that comes back later is another firing.

CREATE TABLE IF NOT EXISTS OPS.ALERTS (
  FINGERPRINT VARCHAR NOT NULL COMMENT 'Names the condition, the same at each firing',
  FIRED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it was first seen in this firing, UTC',
  CLEARED_AT TIMESTAMP_NTZ(6) COMMENT 'When it was over, UTC; empty while it lasts',
  KIND VARCHAR NOT NULL COMMENT 'run, check or freshness',
  SEVERITY VARCHAR NOT NULL COMMENT 'error or warning',
  SUBJECT VARCHAR NOT NULL COMMENT 'Asset, check or job it is about',
  SUMMARY VARCHAR NOT NULL COMMENT 'What is wrong, in one sentence, as it was when it fired',
  WAS_SENT BOOLEAN NOT NULL COMMENT 'False when it was kept back because it had fired shortly before',
  CONSTRAINT ALERTS_IDENTITY PRIMARY KEY (FINGERPRINT, FIRED_AT)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'History of alerts';
