"""A request fits its context budget, or is trimmed as declared, or is refused; never cut in silence."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import ContextTooLong
from interlock.domain.route_settings import Overflow
from interlock.models.context import REMOVED, fitted
from interlock.models.counting import request_tokens
from interlock.models.dialogue import Message, Request, Role, Text, ToolOutcome, ToolUse


def words(text: str) -> int:
    return len(text.split())


def user(text: str) -> Message:
    return Message(Role.USER, (Text(text),))


def system(text: str) -> Message:
    return Message(Role.SYSTEM, (Text(text),))


def said(text: str) -> Message:
    return Message(Role.ASSISTANT, (Text(text),))


def used(name: str) -> tuple[Message, Message]:
    call = Message(Role.ASSISTANT, (ToolUse(name, "look", "{}"),))
    return call, Message(Role.USER, (ToolOutcome(name, (Text("found " * 30),)),))


def test_a_request_that_fits_is_left_as_it_is() -> None:
    request = Request("m", (system("be kind"), user("hello")))
    assert fitted(request, 100, Overflow.REFUSE, words) == (request, None)


def test_a_request_that_is_too_long_is_refused_with_both_numbers() -> None:
    request = Request("m", (user("word " * 200),))
    with pytest.raises(ContextTooLong, match=r"204 input tokens.*may send 50"):
        fitted(request, 50, Overflow.REFUSE, words)


def test_the_oldest_exchanges_go_first_and_the_system_prompt_stays() -> None:
    turns = [message for n in range(10) for message in (user(f"question {n} " + "x " * 20), said(f"answer {n}"))]
    request = Request("m", (system("rules"), *turns, user("the last question")))
    shorter, trimmed = fitted(request, 100, Overflow.DROP_OLDEST, words)
    assert trimmed is not None
    assert (trimmed.before, trimmed.after) == (request_tokens(request, words), request_tokens(shorter, words))
    assert trimmed.after <= 100
    assert shorter.messages[0] == system("rules")
    assert shorter.messages[1].role is Role.USER
    assert shorter.messages[-1] == user("the last question")
    assert shorter.messages[1:] == request.messages[-(len(shorter.messages) - 1) :]


def test_old_results_of_tools_are_emptied_and_their_calls_stay() -> None:
    steps = [message for n in range(4) for message in used(f"c{n}")]
    request = Request("m", (user("do it"), *steps))
    shorter, trimmed = fitted(request, 120, Overflow.DROP_TOOL_RESULTS, words)
    results = [part for message in shorter.messages for part in message.parts if isinstance(part, ToolOutcome)]
    assert trimmed is not None
    assert trimmed.dropped == sum(part.parts == (Text(REMOVED),) for part in results)
    assert results[0].parts == (Text(REMOVED),)
    assert results[-1].parts != (Text(REMOVED),)
    assert [part.call for part in results] == ["c0", "c1", "c2", "c3"]


def test_keeping_the_ends_keeps_the_first_wish_and_the_newest_steps() -> None:
    steps = [message for n in range(6) for message in used(f"c{n}")]
    request = Request("m", (user("the first wish"), *steps))
    shorter, _ = fitted(request, 100, Overflow.KEEP_ENDS, words)
    assert shorter.messages[0] == user("the first wish")
    assert shorter.messages[-2:] == used("c5")


def test_what_cannot_be_made_to_fit_is_refused_whatever_the_strategy() -> None:
    request = Request("m", (user("x " * 500),))
    for over in Overflow:
        with pytest.raises(ContextTooLong):
            fitted(request, 100, over, words)


def conversations() -> st.SearchStrategy[tuple[Message, ...]]:
    turn = st.one_of(
        st.integers(1, 40).map(lambda n: (user("u " * n),)),
        st.integers(1, 40).map(lambda n: (said("a " * n),)),
        st.integers(0, 10_000).map(lambda n: used(f"c{n}")),
    )
    return st.lists(turn, min_size=1, max_size=12).map(lambda turns: tuple(one for turn in turns for one in turn))


@given(conversations(), st.integers(10, 300), st.sampled_from(sorted(set(Overflow) - {Overflow.REFUSE})))
def test_what_is_trimmed_fits_and_no_result_is_torn_from_its_call(
    messages: tuple[Message, ...], limit: int, over: Overflow
) -> None:
    request = Request("m", (system("s"), *messages))
    try:
        shorter, _ = fitted(request, limit, over, words)
    except ContextTooLong:
        return
    assert request_tokens(shorter, words) <= limit
    assert shorter.messages[-1] == request.messages[-1]
    assert sorted(_calls(shorter)) == sorted(_answers(shorter))


def _calls(request: Request) -> Iterator[str]:
    return (part.id for one in request.messages for part in one.parts if isinstance(part, ToolUse))


def _answers(request: Request) -> Iterator[str]:
    return (part.call for one in request.messages for part in one.parts if isinstance(part, ToolOutcome))
