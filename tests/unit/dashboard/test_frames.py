"""What viewers are sent, and who needs a snapshot."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from crypto_platform.dashboard import stream as stream_module
from crypto_platform.dashboard.frames import KEPT, Frames
from crypto_platform.dashboard.state import MarketState
from crypto_platform.dashboard.stream import Stream
from tests.unit.dashboard.market_records import NOON_MS, anomaly, ticker
from tests.unit.dashboard.test_market_state import told


def events(text: bytes) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, event, data) of each server-sent event."""
    found = []
    for block in text.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


def test_a_frame_holds_the_latest_value_of_what_changed() -> None:
    state = told(MarketState(), ticker("1"))
    frames = Frames(state, lambda: None)
    assert not frames.advance(0)
    told(state, ticker("2", NOON_MS + 1), ticker("3", NOON_MS + 2))
    assert frames.advance(5.0)
    ((name, event, body),) = events(frames.after(0) or b"")
    assert (name, event, body["seq"], body["sent_ms"]) == (f"{frames.epoch}-1", "frame", 1, 5.0)
    assert [market["last_price"] for market in body["markets"]] == ["3"]
    assert not frames.advance(6.0)


def test_a_snapshot_holds_everything() -> None:
    state = told(MarketState(), ticker("1"), anomaly())
    ((_, event, body),) = events(Frames(state, lambda: None).snapshot(0, {"pipeline": {"source": "sim"}}))
    assert event == "snapshot"
    assert len(body["markets"]) == len(body["anomalies"]) == 1
    assert body["pipeline"] == {"source": "sim"}


def test_who_missed_a_few_frames_gets_them_and_who_missed_many_a_snapshot() -> None:
    state = MarketState()
    frames = Frames(state, lambda: None)
    for number in range(KEPT + 3):
        told(state, ticker(str(number + 1), NOON_MS + number))
        frames.advance(number)
    assert len(events(frames.after(frames.number - 2) or b"")) == 2
    assert frames.after(frames.number) == b""
    assert frames.after(1) is None
    assert frames.after(frames.number + 7) is None


@pytest.mark.parametrize("name", [None, "", "x", "-1", "zz-3", "{epoch}-", "{epoch}-x", "{epoch}-٣"])
def test_a_name_of_another_life_or_none_means_a_snapshot(name: str | None) -> None:
    frames = Frames(MarketState(), lambda: None)
    assert frames.position(name and name.format(epoch=frames.epoch)) is None


def test_a_name_of_this_life_is_a_place() -> None:
    frames = Frames(MarketState(), lambda: None)
    assert frames.position(f"{frames.epoch}-12") == 12


def test_a_viewer_gets_a_snapshot_then_frames_then_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HEARTBEAT_S", 0.2)
    state = told(MarketState(), ticker("1"))
    stream = Stream(Frames(state, lambda: None), dict)

    async def watch() -> list[str]:
        task = asyncio.create_task(stream.run())
        seen: list[str] = []
        viewer = stream.events(None)
        async for text in viewer:
            seen += [event for _, event, _ in events(text)]
            if len(seen) == 1:
                told(state, ticker("2", NOON_MS + 1))
            if len(seen) == 3:
                break
        await viewer.aclose()  # type: ignore[attr-defined]
        await stream.stop()
        await task
        return seen

    assert asyncio.run(watch()) == ["snapshot", "frame", "heartbeat"]
    assert stream.viewers == 0


def test_a_viewer_that_does_not_read_skips_to_a_snapshot() -> None:
    state = told(MarketState(), ticker("1"))
    frames = Frames(state, lambda: None)
    stream = Stream(frames, dict)

    async def watch() -> str:
        viewer = stream.events(None)
        await anext(viewer)
        for number in range(KEPT + 5):
            told(state, ticker(str(number + 2), NOON_MS + number + 1))
            frames.advance(number)
        ((_, event, _),) = events(await anext(viewer))
        await viewer.aclose()  # type: ignore[attr-defined]
        return event

    assert asyncio.run(watch()) == "snapshot"
    assert frames.skipped == 1
