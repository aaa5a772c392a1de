-- Grain: none; one user a service, who signs in with a key pair and has one role.
-- Input: the roles of account/A__2_grants.sql; run once by SECURITYADMIN, by hand, because deploying must not make users.
-- Output: CRYPTO_LOADER_SVC, CRYPTO_DAGSTER_SVC, CRYPTO_DASHBOARD_SVC. Needs an account; never run on the emulator.
-- Source: users of TYPE SERVICE have no password ("User types", docs.snowflake.com). Give each its public key:
--         openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -out loader.p8 (with a passphrase), then
--         openssl rsa -in loader.p8 -pubout, then ALTER USER CRYPTO_LOADER_SVC SET RSA_PUBLIC_KEY = '…';
--         rotate with RSA_PUBLIC_KEY_2 ("Key-pair authentication and key-pair rotation", docs.snowflake.com).

CREATE USER IF NOT EXISTS CRYPTO_LOADER_SVC
  TYPE = SERVICE
  DEFAULT_ROLE = CRYPTO_LOADER
  DEFAULT_WAREHOUSE = CRYPTO_LOAD_WH
  COMMENT = 'The loader';

CREATE USER IF NOT EXISTS CRYPTO_DAGSTER_SVC
  TYPE = SERVICE
  DEFAULT_ROLE = CRYPTO_TRANSFORMER
  DEFAULT_WAREHOUSE = CRYPTO_TRANSFORM_WH
  COMMENT = 'Dagster: rollups, checks, retention';

CREATE USER IF NOT EXISTS CRYPTO_DASHBOARD_SVC
  TYPE = SERVICE
  DEFAULT_ROLE = CRYPTO_READER
  DEFAULT_WAREHOUSE = CRYPTO_BI_WH
  COMMENT = 'The dashboard, which only reads';

GRANT ROLE CRYPTO_LOADER TO USER CRYPTO_LOADER_SVC;

GRANT ROLE CRYPTO_TRANSFORMER TO USER CRYPTO_DAGSTER_SVC;

GRANT ROLE CRYPTO_READER TO USER CRYPTO_DASHBOARD_SVC;
