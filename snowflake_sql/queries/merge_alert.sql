-- Grain: one row a firing (FINGERPRINT, FIRED_AT) of OPS.ALERTS.
-- Input: one firing as parameters. Output: it is added, or its end is noted. Running it again changes nothing.
-- Source: crypto_platform/alerting/rule.py.

MERGE INTO OPS.ALERTS t
USING (
  SELECT
    :fingerprint AS FINGERPRINT,
    CAST(:fired_at AS TIMESTAMP_NTZ(6)) AS FIRED_AT,
    CAST(:cleared_at AS TIMESTAMP_NTZ(6)) AS CLEARED_AT,
    :kind AS KIND,
    :severity AS SEVERITY,
    :subject AS SUBJECT,
    :summary AS SUMMARY,
    CAST(:was_sent AS BOOLEAN) AS WAS_SENT
) s
ON t.FINGERPRINT = s.FINGERPRINT AND t.FIRED_AT = s.FIRED_AT
WHEN MATCHED AND s.CLEARED_AT IS NOT NULL THEN UPDATE SET CLEARED_AT = s.CLEARED_AT
WHEN NOT MATCHED THEN INSERT (
  FINGERPRINT, FIRED_AT, CLEARED_AT, KIND, SEVERITY, SUBJECT, SUMMARY, WAS_SENT
) VALUES (
  s.FINGERPRINT, s.FIRED_AT, s.CLEARED_AT, s.KIND, s.SEVERITY, s.SUBJECT, s.SUMMARY, s.WAS_SENT
);
