-- Grain: LOAD_OFFSETS one row a topic partition; GAPS one row a gap, its latest state.
-- Input: the loader, in the transaction that writes the rows the offsets stand for.
-- Output: where loading goes on after any failure, and the ledger of missing trade ids.
-- Source: streaming/records.py, Gap; offsets beside the rows make a replay harmless.

CREATE TABLE IF NOT EXISTS OPS.LOAD_OFFSETS (
  TOPIC VARCHAR NOT NULL COMMENT 'Kafka topic',
  PARTITION_ID NUMBER(38, 0) NOT NULL COMMENT 'Partition of that topic',
  NEXT_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'First offset that is not loaded yet',
  UPDATED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it last moved, UTC',
  CONSTRAINT LOAD_OFFSETS_IDENTITY PRIMARY KEY (TOPIC, PARTITION_ID)
)
COMMENT = 'How far each partition is loaded; moved in the same transaction as its rows';

CREATE TABLE IF NOT EXISTS OPS.GAPS (
  EXCHANGE VARCHAR NOT NULL COMMENT 'Exchange; ends in _SIM when simulated',
  PAIR VARCHAR NOT NULL COMMENT 'Pair as BASE-QUOTE',
  FROM_ID NUMBER(38, 0) NOT NULL COMMENT 'First missing trade id',
  TO_ID NUMBER(38, 0) NOT NULL COMMENT 'Last missing trade id, inclusive',
  CAUSE VARCHAR NOT NULL COMMENT 'What opened the gap',
  DETECTED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When it was noticed, UTC',
  FILLED_AT TIMESTAMP_NTZ(6) COMMENT 'When it was filled, UTC',
  STATUS VARCHAR NOT NULL COMMENT 'open, filled or unrecoverable',
  IS_SIMULATED BOOLEAN NOT NULL COMMENT 'A gap in simulated trades',
  SCHEMA_VERSION NUMBER(38, 0) NOT NULL COMMENT 'Version of the record contract',
  KAFKA_PARTITION NUMBER(38, 0) NOT NULL COMMENT 'Partition of the gap ledger',
  KAFKA_OFFSET NUMBER(38, 0) NOT NULL COMMENT 'Offset of the latest state in that partition',
  LOADED_AT TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the latest state was loaded, UTC',
  CONSTRAINT GAPS_IDENTITY PRIMARY KEY (EXCHANGE, PAIR, FROM_ID)
)
COMMENT = 'Gap ledger: runs of trade ids that were not received, and what became of them';
