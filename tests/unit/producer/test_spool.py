"""The queue on disk: order, bound, and what survives a crash."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from streaming.producer import spool as module
from streaming.producer.spool import Spool, SpooledRecord, SpoolError, SpoolInUseError

MIB = 1 << 20

records = st.builds(
    SpooledRecord,
    topic=st.text(min_size=1, max_size=30),
    partition=st.integers(0, 2**31 - 1),
    key=st.binary(max_size=30),
    value=st.binary(max_size=400),
    barrier=st.booleans(),
)


def record(number: int, *, barrier: bool = False, size: int = 0) -> SpooledRecord:
    return SpooledRecord("trades", 3, b"OKX|BTC-USDT", b"%d" % number + b" " * size, barrier)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES_MIN", 200)
    monkeypatch.setattr(module, "SEGMENTS", 10**9)


@given(
    steps=st.lists(
        st.one_of(
            records,
            st.sampled_from(["read", "done", "seal"]),
            st.tuples(st.just("crash"), st.integers(0, 500)),
        ),
        max_size=60,
    )
)
def test_whatever_is_appended_comes_back_in_order_and_only_a_cut_off_end_is_lost(steps) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SEGMENT_BYTES_MIN", 300)
        patch.setattr(module, "SEGMENTS", 10**9)
        folder = Path(name)
        spool = Spool(folder, MIB)
        unread: deque[SpooledRecord] = deque()
        read: deque[tuple[module.Segment, SpooledRecord]] = deque()
        on_disk: list[SpooledRecord] = []
        """Every record that is not done, in order."""
        for step in steps:
            if isinstance(step, SpooledRecord):
                assert spool.append(step)
                unread.append(step)
                on_disk.append(step)
            elif step == "read":
                batch = spool.read()
                assert [r for _, r in batch] == [unread.popleft() for _ in batch]
                assert batch or not unread
                assert not any(r.barrier for _, r in batch[:-1])
                read.extend(batch)
            elif step == "done" and read:
                segment, _ = read.popleft()
                spool.done(segment)
                del on_disk[0]
            elif step == "seal":
                spool.seal()
            elif step[0] == "crash":
                spool.close()
                last = files(folder)[-1:]
                cut = min(step[1], last[0].stat().st_size) if last else 0
                if cut:
                    with last[0].open("r+b") as file:
                        file.truncate(last[0].stat().st_size - cut)
                spool = Spool(folder, MIB)
                # Records that are done may come again before those that are not.
                kept = _common(list(spool.leftovers()), on_disk)
                lost_bytes = [len(module._encoded(r)) for r in on_disk[kept:]]
                assert sum(lost_bytes[1:]) < cut or not lost_bytes
                assert bool(lost_bytes) <= bool(cut)
                spool.forget_leftovers()
                unread.clear()
                read.clear()
                on_disk.clear()
                assert spool.bytes == 0
                assert files(folder) == []
            assert spool.unread == len(unread)
            assert spool.bytes == sum(path.stat().st_size for path in files(folder))
        spool.close()


def _common(left: list[SpooledRecord], expected: list[SpooledRecord]) -> int:
    """How many of `expected`, from its first, are the end of `left`."""
    return next(n for n in range(len(expected), -1, -1) if left[len(left) - n :] == expected[:n])


def test_what_is_done_is_deleted_segment_by_segment(tmp_path, small_segments):
    spool = Spool(tmp_path, MIB)
    for number in range(20):
        assert spool.append(record(number))
    segments = len(files(tmp_path))
    assert segments > 3
    read = []
    while batch := spool.read():
        read += batch
    for segment, _ in read[:-1]:
        spool.done(segment)
    assert len(files(tmp_path)) == 1
    spool.done(read[-1][0])
    assert len(files(tmp_path)) == 1, "the last one is still written to"
    spool.seal()
    assert files(tmp_path) == []
    assert spool.bytes == 0


def test_the_bound_counts_what_an_earlier_process_left(tmp_path):
    first = Spool(tmp_path, MIB)
    while first.append(record(1, size=10_000)):
        pass
    assert MIB - 11_000 < first.bytes <= MIB
    first.close()
    second = Spool(tmp_path, MIB)
    assert not second.append(record(2, size=10_000))
    second.forget_leftovers()
    assert second.append(record(2, size=10_000))
    second.close()


def test_a_record_larger_than_a_read_comes_back_whole(tmp_path):
    spool = Spool(tmp_path, 4 * MIB)
    large = record(1, size=module.READ_BYTES * 2)
    spool.append(large)
    spool.append(record(2))
    assert [r for _, r in spool.read()] == [large]
    assert [r for _, r in spool.read()] == [record(2)]


def test_two_producers_of_one_exchange_and_home_cannot_share_it(tmp_path):
    spool = Spool(tmp_path, MIB)
    with pytest.raises(SpoolInUseError, match="CRYPTO_HOME") as caught:
        Spool(tmp_path, MIB)
    assert caught.value.exit_code == 2
    spool.close()
    Spool(tmp_path, MIB).close()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(SpoolError, match="CRYPTO_PRODUCER_SPOOL_MIB=0"):
        Spool(tmp_path / "spool" / "OKX", MIB)


def test_damage_hides_at_most_the_rest_of_its_own_segment_and_is_reported(
    tmp_path, small_segments, monkeypatch
):
    # A logger of the test's own: the module's may have been bound to another test's output.
    monkeypatch.setattr(module, "log", structlog.get_logger(module.__name__))
    spool = Spool(tmp_path, MIB)
    for number in range(15):
        spool.append(record(number))
    spool.close()
    second = files(tmp_path)[1]
    data = bytearray(second.read_bytes())
    data[12] ^= 1
    second.write_bytes(data)
    with structlog.testing.capture_logs() as lines:
        again = Spool(tmp_path, MIB)
        numbers = [int(r.value) for r in again.leftovers()]
    assert numbers == sorted(numbers)
    missing = set(range(15)) - set(numbers)
    segment_records = 6
    assert missing == set(range(segment_records, 2 * segment_records))
    assert [line["file"] for line in lines if line["log_level"] == "warning"] == [str(second)]


def test_damage_under_the_hands_of_the_process_is_an_error_and_no_silent_loss(tmp_path):
    spool = Spool(tmp_path, MIB)
    spool.append(record(1))
    [file] = files(tmp_path)
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(SpoolError, match="byte 0"):
        spool.read()


def test_a_disk_without_room_is_a_full_spool_and_not_an_error(tmp_path):
    # A limit on the size of files stands for a full disk; only a process of its own can have one.
    program = f"""
import errno, os, resource, signal
from pathlib import Path
from streaming.producer import spool as module
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
module._NO_SPACE = frozenset({{errno.EFBIG}})
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
spool = module.Spool(Path({str(tmp_path)!r}), 1 << 30)
record = module.SpooledRecord("t", 0, b"k", b"v" * 300)
taken = 0
while spool.append(record):
    taken += 1
print(taken, len([r for _, r in spool.read()]))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    taken, came_back = map(int, result.stdout.split())
    assert taken == came_back == 10_000 // 317
    spool = Spool(tmp_path, MIB)
    assert len(list(spool.leftovers())) == taken


def test_nothing_is_written_or_deleted_after_the_end(tmp_path):
    spool = Spool(tmp_path, MIB)
    spool.append(record(1))
    [(segment, _)] = spool.read()
    spool.close()
    assert not spool.append(record(2))
    spool.seal()
    spool.done(segment)
    assert list(Spool(tmp_path, MIB).leftovers()) == [record(1)]
