"""Back-off and the rate limiter, on a clock of the test's own."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streaming.exchanges.venue import RateLimit
from streaming.producer.backoff import Backoff, RateLimiter


def test_the_first_retry_is_immediate_and_later_ones_stay_below_a_doubling_ceiling():
    backoff = Backoff(rng=random.Random(1))
    assert backoff.next_delay_s() == 0.0
    ceilings = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert all(0 <= backoff.next_delay_s() <= ceiling for ceiling in ceilings)


def test_the_jitter_is_full():
    delays = []
    for seed in range(200):
        backoff = Backoff(rng=random.Random(seed))
        delays.append([backoff.next_delay_s() for _ in range(9)][-1])
    assert min(delays) < 3
    assert max(delays) > 27


def test_after_a_reset_the_next_retry_is_immediate_again():
    backoff = Backoff()
    for _ in range(5):
        backoff.next_delay_s()
    backoff.reset()
    assert backoff.next_delay_s() == 0.0


def test_an_endless_outage_does_not_overflow():
    backoff = Backoff(rng=random.Random(1))
    assert max(backoff.next_delay_s() for _ in range(3000)) <= 30


@given(st.lists(st.floats(0, 0.7), min_size=1, max_size=60))
def test_no_window_of_the_limit_lets_more_pass(pauses):
    now = [100.0]
    limit = RateLimit("x", 3, 1.0)
    limiter = RateLimiter(limit, clock=lambda: now[0])
    passed = []
    for pause in pauses:
        now[0] += pause
        passed.append(now[0] + limiter.reserve_s())
    for start in passed:
        inside = [t for t in passed if start <= t < start + limit.seconds - 1e-9]
        assert len(inside) <= limit.requests


def test_a_first_pass_is_there_at_once():
    assert RateLimiter(RateLimit("x", 3, 1.0)).reserve_s() == 0.0
