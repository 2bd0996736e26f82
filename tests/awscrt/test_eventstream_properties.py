"""Event-stream messages of any kind: what goes out comes back, and what comes in is read or refused, but breaks nothing."""

from __future__ import annotations

import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st
from peers import eventstream
from peers.eventstream_records import connected

from awscrt.eventstream import Header, HeaderType
from awscrt.eventstream.rpc import MessageType

NO_SURROGATES = st.characters(exclude_categories=["Cs"])


def text(smallest, largest):
    """Text of so many bytes of UTF-8."""
    return st.text(NO_SURROGATES, min_size=smallest, max_size=largest).filter(
        lambda text: smallest <= len(text.encode()) <= largest
    )


def integers(bits):
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


NAMES = text(1, 255)
HEADERS = st.one_of(
    st.builds(Header.from_bool, NAMES, st.booleans()),
    st.builds(Header.from_byte, NAMES, integers(8)),
    st.builds(Header.from_int16, NAMES, integers(16)),
    st.builds(Header.from_int32, NAMES, integers(32)),
    st.builds(Header.from_int64, NAMES, integers(64)),
    st.builds(Header.from_byte_buf, NAMES, st.binary(max_size=400)),
    st.builds(Header.from_string, NAMES, text(0, 400)),
    st.builds(Header.from_timestamp, NAMES, integers(64)),
    st.builds(Header.from_uuid, NAMES, st.uuids()),
).filter(lambda header: header.name.lower() not in eventstream.RESERVED)
PAYLOADS = st.binary(max_size=2000)

many = settings(max_examples=100, deadline=None, derandomize=True)


def facts(headers):
    return [(header.name, header.type, header.value) for header in headers]


def test_any_message_goes_there_and_back():
    with eventstream.RpcServer() as server, connected(server) as record:

        @many
        @given(st.lists(HEADERS, max_size=20), PAYLOADS, st.integers(0, 2**32 - 1))
        def check(headers, payload, flags):
            record.send(MessageType.PING, headers=headers, payload=payload, flags=flags)
            received = record.next_message()
            assert facts(received.headers[3:]) == facts(headers)
            assert (received.payload, received.flags) == (payload, flags)
            seen = server.messages[-1]
            assert (facts(seen.headers), seen.payload) == (facts(headers), payload)
            server.messages.clear()

        check()
    assert server.errors == []


@many
@given(NAMES, st.sampled_from(HeaderType), st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.binary()))
def test_a_header_keeps_what_it_was_given_or_refuses_it(name, header_type, value):
    with contextlib.suppress(TypeError, ValueError):
        header = Header(name, value, header_type)
        assert (header.name, header.type) == (name, header_type)
        assert header.value == value or header_type <= HeaderType.BOOL_FALSE


END = eventstream.Message(eventstream.PING_RESPONSE, payload=b"the end")


class Mischief:
    """A server that answers a ping by bytes of our choice, a good message, and the end of the connection."""

    def __init__(self):
        self.data = b""

    def __call__(self, message):
        if message.type == eventstream.PING:
            yield self.data
            yield END
            yield eventstream.CLOSE
        else:
            yield from eventstream.answer(message)


def outcome(server):
    """How a new connection takes it: the messages that it gets, and the error that ends it."""
    with connected(server) as record:
        record.connection.send_protocol_message(message_type=MessageType.PING)
        error = record.shutdown_error()
        return list(record.messages.queue), error


def expect_an_end(mischief, server, data):
    mischief.data = data
    messages, error = outcome(server)
    if error is None or not getattr(error, "name", "").startswith("AWS_"):
        assert isinstance(error, UnicodeDecodeError)
    for message in messages:
        assert MessageType.PING <= message.message_type <= MessageType.INTERNAL_ERROR


def mutations(good):
    """Bytes like the good ones: with some replaced, removed, or put in."""

    def mutate(changes):
        data = bytearray(good)
        for at, removed, put in changes:
            data[at : at + removed] = put
        return bytes(data)

    change = st.tuples(st.integers(0, len(good)), st.integers(0, 4), st.binary(max_size=4))
    return st.lists(change, min_size=1, max_size=4).map(mutate)


GOOD = eventstream.Message(
    eventstream.PING_RESPONSE,
    headers=(
        eventstream.Header("text", eventstream.STRING, "\u00e9" * 5),
        eventstream.Header("bytes", eventstream.BYTE_BUF, b"\0\1\2"),
        eventstream.Header("true", eventstream.BOOL_TRUE, True),
        eventstream.Header("number", eventstream.INT64, 2**40),
    ),
    payload=b"payload",
)

some = settings(max_examples=300, deadline=None, derandomize=True)


def test_headers_that_are_almost_good():
    mischief = Mischief()
    with eventstream.RpcServer(mischief) as server:

        @some
        @given(mutations(GOOD.encode_headers()), st.binary(max_size=20))
        @example(b"", b"")
        def check(headers, payload):
            expect_an_end(mischief, server, eventstream.frame(headers, payload))

        check()


def test_messages_that_are_almost_good():
    mischief = Mischief()
    with eventstream.RpcServer(mischief) as server:

        @some
        @given(mutations(GOOD.encode()))
        @example(bytes(100))
        @example(b"\xff" * 100)
        def check(data):
            expect_an_end(mischief, server, data + eventstream.frame(b"") * 3)

        check()


def test_lengths_that_are_wrong():
    mischief = Mischief()
    headers = GOOD.encode_headers()
    lengths = st.one_of(st.integers(0, 200), st.integers(0, 2**32 - 1))
    with eventstream.RpcServer(mischief) as server:

        @some
        @given(lengths, lengths)
        def check(total, headers_size):
            data = eventstream.frame(headers, total=total, headers_size=headers_size)
            expect_an_end(mischief, server, data + bytes(min(total, 4096)))

        check()
