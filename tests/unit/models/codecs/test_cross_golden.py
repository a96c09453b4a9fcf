"""Recorded requests, replies and streams of Anthropic, Gemini and Bedrock mean what stands beside them, and come back equal."""

from typing import Any

import pytest

from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.dialogue import End
from interlock.models.streams import whole
from interlock.models.wire import Wire
from tests.kits.dialogues import ASK, golden, plain, read_all, sse_events, through

WIRES: dict[str, Wire] = {"anthropic": Anthropic(), "gemini": Gemini(), "bedrock": Bedrock()}


def _cases(kind: str) -> list[Any]:
    return [
        pytest.param(WIRES[vendor], case, id=f"{vendor}-{case['name'].replace(' ', '-')}")
        for vendor in WIRES
        for case in golden(f"{vendor}_{kind}")
    ]


@pytest.mark.parametrize(("wire", "case"), _cases("requests"))
def test_a_request_is_understood_and_written_back_without_loss(wire: Wire, case: dict[str, Any]) -> None:
    wire.check(case["wire"])
    request = wire.read_request(case["wire"])

    assert plain(request) == case["neutral"]
    written = wire.write_request(request)
    assert written.body == case["wire"]
    assert written.lost == ()


@pytest.mark.parametrize(("wire", "case"), _cases("replies"))
def test_a_reply_is_understood_and_written_back_without_loss(wire: Wire, case: dict[str, Any]) -> None:
    reply = wire.read_reply(case["wire"])

    assert plain(reply) == case["neutral"]
    written = wire.write_reply(reply)
    assert written.body == case["wire"]
    assert written.lost == ()


@pytest.mark.parametrize(("wire", "case"), _cases("replies"))
def test_what_is_seen_of_a_reply_is_what_it_says(wire: Wire, case: dict[str, Any]) -> None:
    seen, reply = wire.see(case["wire"]), wire.read_reply(case["wire"])

    assert (seen.usage, seen.proposals, seen.stop) == (reply.usage, reply.proposals, reply.stop)
    assert seen.text == ""


@pytest.mark.parametrize(("wire", "case"), _cases("streams"))
def test_a_stream_is_understood_and_written_back_without_loss(wire: Wire, case: dict[str, Any]) -> None:
    reader = wire.reader()
    events = read_all(reader, sse_events(case["events"]))

    assert reader.finished
    assert isinstance(events[-1], End)
    assert plain(whole(events)) == case["neutral"]
    assert plain(whole(through(wire, ASK, events))) == case["neutral"]


@pytest.mark.parametrize(("wire", "case"), _cases("streams"))
def test_a_tap_sees_in_a_stream_what_a_reader_reads(wire: Wire, case: dict[str, Any]) -> None:
    tap, events = wire.tap(hide_usage=True), sse_events(case["events"])
    kept = [tap.feed(event) for event in events]
    reply = whole(read_all(wire.reader(), events))
    seen = tap.seen()

    assert all(kept)
    assert tap.finished
    assert (seen.usage, seen.stop, seen.text) == (reply.usage, reply.stop, "")
    assert [(call.id, call.name, call.arguments) for call in seen.proposals] == [
        (call.id, call.name, call.arguments) for call in reply.proposals
    ]


@pytest.mark.parametrize(("wire", "case"), _cases("streams"))
def test_a_stream_without_its_end_is_not_finished_and_its_words_are_known(wire: Wire, case: dict[str, Any]) -> None:
    events = sse_events(case["events"])
    reply = whole(read_all(wire.reader(), events))
    tap, reader = wire.tap(hide_usage=False), wire.reader()
    for event in events[:-1]:
        tap.feed(event)
        reader.read(event)

    assert not tap.finished
    assert not reader.finished
    if wire.dialect == "anthropic" and len(events) > 2:
        return  # the last but one says the usage of the whole reply
    assert tap.seen().usage is None
    assert reply.text.startswith(tap.seen().text) or tap.seen().proposals == reply.proposals
