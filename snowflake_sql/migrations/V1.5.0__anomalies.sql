-- Grain: ANOMALIES one row a finding: (EXCHANGE, PAIR, RULE_NAME, SUBJECT_ID).
-- Input: the loader, from the anomalies topic. Output: what was flagged, by which rule, how clearly.
-- Source: streaming/records.py, Anomaly; the rules are in streaming/flink/sql. A finding repeated after a failure
--         is the same row.

CREATE TABLE IF NOT EXISTS MARKET.ANOMALIES (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  RULE_NAME VARCHAR NOT NULL COMMENT 'Rule that found it',
  RULE_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the definition of the rule',
  SUBJECT VARCHAR NOT NULL COMMENT 'What it is about: trade, quote, or pair as a whole',
  SUBJECT_ID VARCHAR NOT NULL COMMENT 'Trade id, producer epoch and sequence of a quote, or a time of the records',
  SCORE FLOAT NOT NULL COMMENT 'How far it goes, in the unit of the rule; above THRESHOLD',
  THRESHOLD FLOAT NOT NULL COMMENT 'Where the rule began to flag',
  PRICE NUMBER(38, 18) COMMENT 'Price of a judged trade in quote currency',
  BID_PRICE NUMBER(38, 18) COMMENT 'Bid of a judged quote',
  ASK_PRICE NUMBER(38, 18) COMMENT 'Ask of a judged quote',
  EXCHANGE_TIME TIMESTAMP_NTZ(6) NOT NULL COMMENT 'Exchange time of what was judged, UTC',
  RECEIVE_TIME TIMESTAMP_NTZ(9) NOT NULL COMMENT 'When the producer received it, UTC',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'Found in simulated data',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the anomalies topic',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the loader wrote the batch, UTC',
  CONSTRAINT ANOMALIES_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, RULE_NAME, SUBJECT_ID)
)
DATA_RETENTION_TIME_IN_DAYS = 7
COMMENT = 'Findings of the anomaly rules; what they are about is flagged, never deleted';
