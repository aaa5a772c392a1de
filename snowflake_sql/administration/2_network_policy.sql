-- Grain: none; the addresses from which the services may sign in.
-- Input: the users of 1_users.sql; run by SECURITYADMIN, by hand, with your own addresses in the place of the example,
--        which is a network for documentation that nobody has (RFC 5737).
-- Output: CRYPTO_POLICY on the three users. Needs an account; never run on the emulator.
-- Source: a policy of a user goes before the account's ("Network policies", docs.snowflake.com), so a mistake here locks
--         out the services and not you.

CREATE NETWORK RULE IF NOT EXISTS OPS.CRYPTO_ADDRESSES
  MODE = INGRESS
  TYPE = IPV4
  VALUE_LIST = ('192.0.2.0/24')
  COMMENT = 'Where the platform runs';

CREATE NETWORK POLICY IF NOT EXISTS CRYPTO_POLICY
  ALLOWED_NETWORK_RULE_LIST = ('OPS.CRYPTO_ADDRESSES')
  COMMENT = 'Services sign in from where they run and from nowhere else';

ALTER USER CRYPTO_LOADER_SVC SET NETWORK_POLICY = CRYPTO_POLICY;

ALTER USER CRYPTO_DAGSTER_SVC SET NETWORK_POLICY = CRYPTO_POLICY;

ALTER USER CRYPTO_DASHBOARD_SVC SET NETWORK_POLICY = CRYPTO_POLICY;
