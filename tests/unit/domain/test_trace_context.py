"""The caller's trace is read as W3C Trace Context says, and nothing that a caller may send makes a call fail."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.domain.ids import ModelCallId, RunId, TenantId, ordered_id
from interlock.domain.trace_context import (
    TraceContext,
    span_of_attempt,
    span_of_call,
    trace_context,
    trace_of_call,
    trace_of_run,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01".encode()


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


@given(hexadecimal(32), hexadecimal(16), st.integers(0, 255))
def test_what_a_caller_writes_by_the_standard_is_read_and_written_again(trace: str, span: str, flags: int) -> None:
    found = trace_context(f"00-{trace}-{span}-{flags:02x}".encode())
    assert found == TraceContext(trace, span, flags & 3)
    assert found is not None
    again = trace_context(found.below("1" * 16).encode())
    assert again == TraceContext(trace, "1" * 16, flags & 3)


@given(st.binary() | st.from_regex(rb"\A[0-9a-fA-F-]{50,60}\Z"), st.binary())
@example(VALID + b"\n", b"")
def test_any_bytes_are_a_trace_or_nothing(traceparent: bytes, tracestate: bytes) -> None:
    found = trace_context(traceparent, tracestate)
    if found is not None:
        assert re.fullmatch(r"[0-9a-f]{32}", found.trace)
        assert re.fullmatch(r"[0-9a-f]{16}", found.span)
        # What goes into a header of ours cannot end it.
        assert found.state.isprintable()
        assert traceparent[:2] != b"ff"


@given(st.integers(0, len(VALID) - 1), st.sampled_from(b"0gG-A \n\xff"))
def test_one_wrong_byte_is_no_trace_or_another_one(place: int, byte: int) -> None:
    changed = bytearray(VALID)
    changed[place] = byte
    found = trace_context(bytes(changed))
    if byte in b"gGA \n\xff" or (byte == ord("-")) != (VALID[place] == ord("-")):
        assert found is None


@pytest.mark.parametrize(
    "traceparent",
    [
        b"",
        VALID.upper(),
        VALID[:-1],
        VALID + b"-",
        VALID + b"-00",
        b"ff" + VALID[2:],
        b"00-" + b"0" * 32 + VALID[35:],
        VALID[:36] + b"0" * 16 + b"-01",
        VALID + b", " + VALID,
        b" " + VALID,
        b"cc" + VALID[2:] + b"0",
        b"cc" + VALID[2:] + b".what-the-future-will-be-like",
    ],
)
def test_what_is_no_traceparent_is_left_out(traceparent: bytes) -> None:
    assert trace_context(traceparent, b"congo=t61rcWkgMzE") is None


@pytest.mark.parametrize("more", [b"", b"-", b"-what-the-future-will-be-like"])
def test_a_later_version_is_read_as_far_as_it_is_known(more: bytes) -> None:
    assert trace_context(b"cc" + VALID[2:] + more) == TraceContext(TRACE, SPAN, 1)


@pytest.mark.parametrize(
    ("tracestate", "kept"),
    [
        (b"congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        (b"congo=1, \t,rojo=2,", "congo=1,rojo=2"),
        (b"tenant@system=a=b", ""),
        (b"tenant@system=a b", "tenant@system=a b"),
        (b"0key=1", "0key=1"),
        (b"Congo=1", ""),
        (b"congo=1,congo=2", ""),
        (b"congo", ""),
        (b"congo=", ""),
        (b"congo=\xff", ""),
        (b"congo=1\r\nx-evil: 1", ""),
        (b",".join(b"k%d=v" % number for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        (b",".join(b"k%d=v" % number for number in range(33)), ""),
        (b"k=" + b"v" * 256, "k=" + "v" * 256),
        (b"k=" + b"v" * 257, ""),
        (b"k=" + b"v" * 256 + b",l=" + b"v" * 256, ""),
    ],
)
def test_a_tracestate_is_kept_whole_or_not_at_all_and_never_spoils_the_trace(tracestate: bytes, kept: str) -> None:
    assert trace_context(VALID, tracestate) == TraceContext(TRACE, SPAN, 1, kept)


def test_the_id_of_a_call_ends_in_that_of_its_span() -> None:
    call = ModelCallId(ordered_id("mc", 1_800_000_000_000))
    assert span_of_call(call) == call[-16:]


@given(st.text(min_size=1, max_size=30))
@example("mc_" + "0" * 32)
def test_every_call_has_a_span_and_every_attempt_another(name: str) -> None:
    call = ModelCallId(name)
    ids = [span_of_call(call), *(span_of_attempt(call, number) for number in range(1, 5))]
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) and one != "0" * 16 for one in ids)
    assert len(set(ids)) == len(ids)


def test_runs_of_two_tenants_share_no_trace() -> None:
    run, acme, globex = RunId("r-1"), TenantId("acme"), TenantId("globex")
    assert trace_of_run(acme, run) == trace_of_run(acme, run) != trace_of_run(globex, run)
    assert trace_of_call(ModelCallId("r-1")) != trace_of_run(acme, run)
    assert re.fullmatch(r"[0-9a-f]{32}", trace_of_run(acme, run))
