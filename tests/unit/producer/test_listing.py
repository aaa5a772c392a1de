"""The exchange's list of pairs, read again while the producer runs."""

import threading

import pytest

from streaming import settings
from streaming.exchanges.venue import Instrument, RestError
from streaming.producer.listing import Changes, ListingWatch, compare


def listed(**states):
    """BTC="live" → the instrument BTC-USDT with that state."""
    return [Instrument(f"{base}-USDT", state == "live", state) for base, state in states.items()]


@pytest.mark.parametrize(
    ("asked", "reading", "listing", "begun", "ended"),
    [
        ("all-usdt", ["BTC-USDT"], listed(BTC="live"), (), ()),
        ("all-usdt", ["BTC-USDT"], listed(BTC="live", ADA="live"), ("ADA-USDT",), ()),
        ("all-usdt", ["BTC-USDT"], listed(BTC="live", ADA="preopen"), (), ()),
        ("all-usdt", ["ADA-USDT", "BTC-USDT"], listed(BTC="live", ADA="suspend"), (), ("ADA-USDT",)),
        ("all-usdt", ["ADA-USDT", "BTC-USDT"], listed(BTC="live"), (), ("ADA-USDT",)),
        ("BTC-USDT", ["BTC-USDT"], listed(BTC="live", ADA="live"), (), ()),
        ("BTC-USDT,XRP-USDT", ["BTC-USDT"], listed(BTC="live", XRP="live"), ("XRP-USDT",), ()),
        ("all-usdt", ["BTC-USDT"], [], (), ()),
        ("all-usdt", ["BTC-USDT"], listed(BTC="suspend"), (), ()),
    ],
)
def test_what_a_list_changes(asked, reading, listing, begun, ended):
    choice = settings.load({"CRYPTO_PAIRS": asked}).pair_choice
    assert compare(choice, reading, listing) == Changes(begun, ended)


class Exchange:
    """A venue whose list is given, or that does not answer."""

    def __init__(self, listing):
        self.listing = listing

    def instruments_request(self):
        return "request"

    def instruments(self, reply):
        return self.listing

    def get(self, request):
        if self.listing is None:
            raise RestError("OKX does not answer.", retryable=True)
        return "reply"


def watch(exchange, on_change, *, every_s=0.01, stop=None, on_fatal=print):
    choice = settings.load({"CRYPTO_PAIRS": "all-usdt"}).pair_choice
    return ListingWatch(
        exchange,
        exchange,
        choice,
        every_s,
        stop or threading.Event(),
        reading=lambda: ["BTC-USDT"],
        on_change=on_change,
        on_fatal=on_fatal,
    )


def test_an_exchange_that_does_not_answer_changes_nothing_and_is_counted():
    seen = []
    listing = watch(Exchange(None), seen.append)
    listing.refresh()
    assert (seen, listing.errors, listing.refreshes) == ([], 1, 0)


def test_an_unchanged_list_is_not_reported():
    seen = []
    listing = watch(Exchange(listed(BTC="live")), seen.append)
    listing.refresh()
    assert (seen, listing.refreshes) == ([], 1)


def test_the_thread_asks_again_and_again_until_it_is_stopped():
    stop, twice = threading.Event(), threading.Event()
    seen = []

    def on_change(changes):
        seen.append(changes)
        if len(seen) == 2:
            twice.set()

    listing = watch(Exchange(listed(BTC="live", ADA="live")), on_change, stop=stop)
    listing.start()
    assert twice.wait(5)
    stop.set()
    assert listing.join(5)
    assert seen[0] == Changes(("ADA-USDT",), ())


def test_a_change_that_cannot_be_made_ends_the_process():
    failed = threading.Event()
    errors = []

    def on_change(changes):
        raise ValueError("broken")

    def on_fatal(error):
        errors.append(str(error))
        failed.set()

    watch(Exchange(listed(BTC="live", ADA="live")), on_change, on_fatal=on_fatal).start()
    assert failed.wait(5)
    assert "broken" in errors[0]
