"""A tool call is held to what a model of its run proposed, and a person may put another in its place."""

from dataclasses import replace

import orjson
import pytest

from interlock.domain.approvals import Verdict
from interlock.domain.calls import CallStatus
from interlock.domain.ids import ApprovalId
from interlock.gateway.requests import CallAnswer
from tests.kits.gate import ANNA, BEN, a_policy
from tests.kits.models import Road, a_road, scripted

MAIL = {"to": ["a@example.org"], "body": "hi"}
RULES = [{"id": "writes", "tool": "mail.send", "arguments": MAIL}]
BOUND = a_policy(proposed_only=True)


async def propose(road: Road) -> str:
    await road.kit.open("Write hi to a@example.org")
    reply = await road.gate.reply(road.ask("Write hi"))
    call: str = orjson.loads(reply.body)["choices"][0]["message"]["tool_calls"][0]["id"]
    return call


async def made(road: Road, proposal: str | None, **arguments: object) -> CallAnswer:
    request = road.kit.request("mail.send", None, **arguments)
    return await road.kit.gate.call(replace(request, proposal=proposal))


def code_of(answer: CallAnswer) -> str:
    return answer.failure.code if answer.failure is not None else ""


async def test_a_call_that_a_model_proposed_goes_on_to_the_other_rules() -> None:
    async with a_road(scripted("up", RULES), agent=BOUND) as road:
        proposal = await propose(road)
        assert (await made(road, proposal, **MAIL)).status is CallStatus.PENDING
        assert (await made(road, None, **MAIL)).status is CallStatus.PENDING


@pytest.mark.parametrize("changed", [{"body": "bye"}, {"to": ["b@example.org"]}])
async def test_a_call_that_is_not_as_it_was_proposed_is_denied(changed: dict[str, object]) -> None:
    async with a_road(scripted("up", RULES), agent=BOUND) as road:
        proposal = await propose(road)
        for named in (proposal, None, "call_of_nobody"):
            answer = await made(road, named, **{**MAIL, **changed})
            assert (answer.status, code_of(answer)) == (CallStatus.DENIED, "unproposed")


async def test_a_call_that_names_a_proposal_must_be_that_one_whatever_its_agent_demands() -> None:
    async with a_road(scripted("up", RULES)) as road:
        proposal = await propose(road)
        assert code_of(await made(road, proposal, **{**MAIL, "body": "bye"})) == "unproposed"
        assert code_of(await made(road, None, **{**MAIL, "body": "bye"})) == ""


async def test_what_another_run_was_proposed_does_not_count() -> None:
    async with a_road(scripted("up", RULES), agent=BOUND) as road:
        proposal = await propose(road)
        await road.kit.open("Write hi to a@example.org")
        assert code_of(await made(road, proposal, **MAIL)) == "unproposed"


async def test_what_a_person_writes_in_place_of_a_proposal_needs_none() -> None:
    async with a_road(scripted("up", RULES), agent=BOUND) as road:
        proposal = await propose(road)
        waiting = await made(road, proposal, **MAIL)
        better = {**MAIL, "body": "hello"}
        edited = await road.kit.approvals.edit(ANNA, ApprovalId(str(waiting.approval)), better, "kinder")
        answer = await road.kit.gate.repeat(ANNA, edited)
        assert answer.status is CallStatus.PENDING
        await road.kit.approvals.answer(BEN, ApprovalId(str(answer.approval)), Verdict.APPROVE, "")
        # The agent may fetch the outcome under the new call's name, and nothing else under it.
        request = road.kit.request("mail.send", str(edited.key.call), **better)
        assert (await road.kit.gate.call(request)).status is CallStatus.SUCCEEDED
        assert code_of(await made(road, proposal, **better)) == "unproposed"
