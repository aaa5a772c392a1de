"""What holds for all tests.

What belongs here: settings of the test tools. What does not: fixtures of one part, which stand beside its
tests.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes to make says something about the machine's load, nothing about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
