"""RFC 6455 frames out of a stream that is cut anywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.producer.transport import (
    MESSAGE_MAX,
    ConnectError,
    ConnectionClosedError,
    FrameParser,
    Transport,
)


def frame(payload: bytes, opcode: int = 0x1, *, final: bool = True) -> bytes:
    head = bytes([(0x80 if final else 0) | opcode])
    size = len(payload)
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), max_size=4), st.data())
def test_messages_of_every_size_survive_every_cut(sizes, data):
    payloads = [bytes([number]) * size for number, size in enumerate(sizes)]
    stream = b"".join(map(frame, payloads))
    parser = FrameParser()
    found = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert found == payloads


def test_fragments_are_joined_and_control_frames_between_them_are_served():
    stream = frame(b"ab", final=False) + frame(b"hey", 0x9) + frame(b"cd", 0x0) + frame(b"next")
    parser = FrameParser()
    assert parser.feed(stream) == [b"abcd", b"next"]
    assert parser.pongs == [b"hey"]


def test_what_came_before_a_close_is_delivered_and_what_comes_after_is_not():
    parser = FrameParser()
    close = frame((4004).to_bytes(2, "big") + b"no data", 0x8)
    assert parser.feed(frame(b"last") + close + frame(b"late")) == [b"last"]
    assert parser.closed == (4004, "no data")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (b"\x81\x81mask!", 1002),
        (b"\xc1\x01x", 1002),
        (frame(b"x", 0x3), 1002),
        (frame(b"x", 0x0), 1002),
        (frame(b"x", 0xB), 1002),
        (frame(b"a", final=False) + frame(b"b"), 1002),
        (frame(b"x" * 126, 0x9), 1002),
        (b"\x81\x7f" + (MESSAGE_MAX + 1).to_bytes(8, "big"), 1009),
    ],
)
def test_a_server_that_breaks_the_protocol_is_left(stream, code):
    with pytest.raises(ConnectionClosedError) as caught:
        FrameParser().feed(stream)
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/x", "ws://", "ws://no-such-host.invalid/"])
def test_an_address_that_cannot_be_reached_is_one_error(url):
    with pytest.raises(ConnectError):
        Transport(url, 2.0, 0.1)
