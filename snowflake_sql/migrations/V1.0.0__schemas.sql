-- Grain: none; creates the schemas that every other script names.
-- Input: the database of the session. Output: RAW (as loaded), MARKET (bars), OPS (offsets, gaps).
-- Source: layout of the platform; transient schemas have no Fail-safe (docs.snowflake.com, "Transient Tables").

CREATE TRANSIENT SCHEMA IF NOT EXISTS RAW COMMENT = 'Records as they left the stream, one row a record; can be rebuilt from Kafka and the exchange';

CREATE SCHEMA IF NOT EXISTS MARKET COMMENT = 'Bars computed from trades';

CREATE SCHEMA IF NOT EXISTS OPS COMMENT = 'What the platform knows about itself: load offsets and the gap ledger';
