"""The live dashboard: one process, one Kafka consumer for all viewers, a REST API, a stream and pages.

Live values come from Kafka and never from the warehouse; history comes from the warehouse, through a cache.
Modules, from the data to the eye: `feed` (the consumer's thread) -> `state` (pure, in memory) -> `frames`
(what has changed, encoded once for all viewers) -> `api` and `pages`. `history` reads the warehouse,
`candles` joins both, `pipeline` asks the platform's parts how they are.
"""
