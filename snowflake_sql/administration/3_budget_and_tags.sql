-- Grain: none; a tag that says which service spends, and a budget for all of it.
-- Input: the warehouses of account/A__1_warehouses.sql, the schemas; run once by ACCOUNTADMIN, by hand.
-- Output: OPS.SERVICE on warehouses and schemas, the budget OPS.CRYPTO_BUDGET of 100 credits a month. Needs an account;
--         never run on the emulator.
-- Source: a resource monitor stops warehouses and does not see serverless work (Snowpipe Streaming, serverless tasks); a
--         budget sees both and stops nothing ("Monitor credit usage with budgets", docs.snowflake.com).

CREATE TAG IF NOT EXISTS OPS.SERVICE
  ALLOWED_VALUES 'loader', 'transform', 'bi'
  COMMENT = 'Which part of the platform a cost belongs to';

ALTER WAREHOUSE CRYPTO_LOAD_WH SET TAG OPS.SERVICE = 'loader';

ALTER WAREHOUSE CRYPTO_TRANSFORM_WH SET TAG OPS.SERVICE = 'transform';

ALTER WAREHOUSE CRYPTO_BI_WH SET TAG OPS.SERVICE = 'bi';

ALTER SCHEMA RAW SET TAG OPS.SERVICE = 'loader';

ALTER SCHEMA MARKET SET TAG OPS.SERVICE = 'transform';

CREATE SNOWFLAKE.CORE.BUDGET OPS.CRYPTO_BUDGET();

CALL OPS.CRYPTO_BUDGET!SET_SPENDING_LIMIT(100);

CALL OPS.CRYPTO_BUDGET!ADD_RESOURCE_TAG((SELECT SYSTEM$REFERENCE('TAG', 'OPS.SERVICE', 'SESSION', 'APPLYBUDGET')), 'loader');

CALL OPS.CRYPTO_BUDGET!ADD_RESOURCE_TAG((SELECT SYSTEM$REFERENCE('TAG', 'OPS.SERVICE', 'SESSION', 'APPLYBUDGET')), 'transform');

CALL OPS.CRYPTO_BUDGET!ADD_RESOURCE_TAG((SELECT SYSTEM$REFERENCE('TAG', 'OPS.SERVICE', 'SESSION', 'APPLYBUDGET')), 'bi');
