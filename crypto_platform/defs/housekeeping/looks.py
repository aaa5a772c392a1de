"""What Dagster is asked about itself.

What belongs here: the question. What does not: the verdict (`watch/daemons.py`).
"""

from time import time
from typing import Final

from crypto_platform import catalog
from crypto_platform.looks import Context, Look, check_of, sensor_of
from crypto_platform.watch import daemons
from crypto_platform.watch.findings import Finding


def _daemons(context: Context) -> list[Finding]:
    ages: dict[str, float | None] = {}
    errors: dict[str, str] = {}
    for name, status in context.instance.get_daemon_statuses().items():
        beat = status.last_heartbeat
        ages[name] = None if beat is None else time() - beat.timestamp
        if beat is not None and beat.errors:
            errors[name] = beat.errors[0].message.strip().splitlines()[0]
    return [daemons.judge(catalog.CONTROL_PLANE.to_user_string(), ages, errors)]


DAEMONS: Final = Look(
    name="dagster_daemon_silent",
    check="every_daemon_beats",
    meaning=f"Each of Dagster's daemons beat within {daemons.AGE_LIMIT_S:.0f} s and reported no error.",
    assets=[catalog.CONTROL_PLANE],
    resources=frozenset(),
    ask=_daemons,
    interval_s=120,
)

dagster_daemon_silent_sensor, daemons_check = sensor_of(DAEMONS), check_of(DAEMONS)
