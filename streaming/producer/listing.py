"""The exchange's list of pairs, read again every hour: what began to trade, what has stopped.

What belongs here: when to ask, and what the answer changes. What does not: the first choice, at start
(`preflight`), and acting on a change (`engine`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from streaming.errors import PlatformError
from streaming.exchanges.venue import Instrument, RestError, Venue
from streaming.pairs import PairChoice
from streaming.producer.rest_client import RestClient
from streaming.producer.sink import StoppingError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an answer means for what is read: pairs to begin with, and pairs to end."""

    begun: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.ended)


def compare(choice: PairChoice, reading: Collection[str], instruments: Sequence[Instrument]) -> Changes:
    """Compare the pairs that are read with those that trade now.

    A list without any pair that trades is not believed: an exchange in trouble must not end every feed.
    """
    live = {instrument.pair for instrument in instruments if instrument.live}
    if not live:
        return Changes()
    wanted = [pair for pair in choice.of(live) if pair in live]
    return Changes(
        begun=tuple(pair for pair in wanted if pair not in reading),
        ended=tuple(pair for pair in reading if pair not in live),
    )


class ListingWatch:
    """One thread that asks every `every_s` seconds.

    Args:
        venue: whose list.
        client: asks it.
        choice: which pairs are wanted.
        reading: the pairs that are read now.
        on_change: called with what changed; raises PlatformError when it cannot be done.
        on_fatal: called with what ends the process.
        stop: ends the thread.
    """

    def __init__(
        self,
        venue: Venue,
        client: RestClient,
        choice: PairChoice,
        every_s: float,
        stop: threading.Event,
        *,
        reading: Callable[[], Collection[str]],
        on_change: Callable[[Changes], None],
        on_fatal: Callable[[PlatformError], None],
    ) -> None:
        self._venue = venue
        self._client = client
        self._choice = choice
        self._every_s = every_s
        self._stop = stop
        self._reading = reading
        self._on_change = on_change
        self._on_fatal = on_fatal
        self._refreshing = threading.Lock()
        self.refreshes = 0
        self.errors = 0
        self._thread = threading.Thread(target=self._run, name="listing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every_s):
                self.refresh()
        except StoppingError:
            return
        except PlatformError as error:
            self._on_fatal(error)
        except Exception as error:
            log.exception("the listing watch failed")
            self._on_fatal(PlatformError(f"Reading the exchange's list of pairs failed: {error!r}."))

    def refresh(self) -> None:
        """Ask once, and return when what changed has been done; from any thread.

        An exchange that does not answer changes nothing: the next hour is soon enough.
        """
        with self._refreshing:
            try:
                instruments = self._venue.instruments(self._client.get(self._venue.instruments_request()))
            except RestError as error:
                self.errors += 1
                log.warning("the list of pairs could not be read", error=str(error))
                return
            self.refreshes += 1
            changes = compare(self._choice, self._reading(), instruments)
            if changes:
                log.info("the list of pairs changed", begun=changes.begun, ended=changes.ended)
                self._on_change(changes)
