"""What the producers are asked every minute.

What belongs here: the question. What does not: the verdict (`watch/feeds.py`).
"""

from typing import Final

from crypto_platform import catalog
from crypto_platform.looks import Context, Look, check_of, sensor_of
from crypto_platform.watch import feeds
from crypto_platform.watch.findings import Finding
from streaming import topics


def _feeds(context: Context) -> list[Finding]:
    asset = catalog.topic_key(topics.TICKERS).to_user_string()
    answers = context.resources.producer.answers()
    return [feeds.judge(asset, [feeds.feed_of(name, details) for name, details in answers.items()])]


DATA_AGE: Final = Look(
    name="producer_data_stale",
    check="every_pair_ticks",
    meaning="Every producer answers, and every pair it reads had a tick or trade within "
    f"{feeds.AGE_LIMIT_S:.0f} s.",
    assets=[catalog.topic_key(topics.TICKERS)],
    resources=frozenset({"producer"}),
    ask=_feeds,
)

producer_data_stale_sensor, data_age_check = sensor_of(DATA_AGE), check_of(DATA_AGE)
