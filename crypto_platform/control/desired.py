"""What should run: the wish of whoever ran the last start or stop job, kept in Dagster's own storage.

What belongs here: the record, its history, and how it is stored. What does not: acting on it
(`control/reconcile.py`).

A component nobody has spoken about should run. The history is the audit trail: who asked for what, when and
why; each entry names its run.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

import msgspec

KEPT_CHANGES: Final = 100
_KEY: Final = "crypto_platform/desired/{}"

Wish = Literal["running", "stopped"]


class Change(msgspec.Struct, frozen=True):
    """One entry of the audit trail; `at_s` is Unix time, `incarnation` the life it brought about."""

    action: str
    at_s: float
    run_id: str
    reason: str = ""
    incarnation: str = ""


class Desired(msgspec.Struct, frozen=True):
    """What a component should do, and how that came about, the latest change last."""

    wish: Wish = "running"
    history: tuple[Change, ...] = ()

    def changed(self, wish: Wish, change: Change) -> Desired:
        """The same component after another change."""
        return Desired(wish, (*self.history, change)[-KEPT_CHANGES:])

    @property
    def lives(self) -> frozenset[str]:
        """The incarnations that Dagster itself brought about, so that they are no news to it."""
        return frozenset(change.incarnation for change in self.history if change.incarnation)


class Storage(Protocol):
    """Dagster's key-value storage (`instance.daemon_cursor_storage`)."""

    def get_cursor_values(self, keys: set[str]) -> Any: ...
    def set_cursor_values(self, pairs: Any) -> None: ...


def read(storage: Storage, component: str) -> Desired:
    """The wish for a component."""
    key = _KEY.format(component)
    found = storage.get_cursor_values({key}).get(key)
    return Desired() if found is None else msgspec.json.decode(found, type=Desired)


def write(storage: Storage, component: str, desired: Desired) -> None:
    """Keep the wish; it outlives every process of Dagster."""
    storage.set_cursor_values({_KEY.format(component): msgspec.json.encode(desired).decode()})
