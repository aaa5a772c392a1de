"""The control plane: what Dagster knows about the platform, and the commands a person uses.

Everything here is thin: it declares, watches and triggers. The data plane is `streaming`, its SQL is
`snowflake_sql`, and processes are run by `infra`; none of them imports this package.
"""
