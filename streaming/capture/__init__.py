"""An exchange examined, recorded and replayed: what its wire says, without Kafka.

What belongs here: the check of a venue for a person (`probe`), raw frames to files (`recorder`, `writer`),
and the files through the venue's protocol machine again (`reader`, `replay`, `export`). What does not: the
producer (`streaming.producer`), any venue's protocol (`streaming.exchanges`) and how results look
(`crypto_platform`).

`lines` defines a recording's file format.
"""
