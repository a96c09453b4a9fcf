"""Typed functions become tools, and what becomes of a call is said precisely."""

import asyncio
import dataclasses
import enum
import threading
import time
from types import ModuleType
from typing import Annotated, Any, Literal

import pydantic
import pytest
from typing_extensions import TypedDict

from interlock.adapters.python.decorator import PythonTool, tool
from interlock.adapters.python.invoker import PythonInvoker, ToolError
from interlock.adapters.python.signatures import Credential, IdempotencyKey
from interlock.adapters.python.source import PythonSource, load_module, tools_of
from interlock.domain.contracts import AmountField, Idempotency, Kind, Tier, ToolContract
from interlock.domain.errors import ConfigurationError
from interlock.gateway.ports import Delivery, Invocation, RawAnswer
from interlock.tools.catalogue import assemble
from interlock.tools.pins import PinPolicy
from interlock.tools.schemas import compile_schemas

CANARY = "sk_live_canary"


class Reason(enum.Enum):
    LATE = "late"
    BROKEN = "broken"


@dataclasses.dataclass
class Item:
    sku: str
    count: int = 1


class Note(TypedDict):
    text: str


class Customer(pydantic.BaseModel):
    name: str
    email: str | None = None


@tool(kind="write", tier=3, roles={"/to": "recipient"}, amount=("/amount", "USD"))
def order(  # noqa: D417 - what the docstring leaves out is part of the test
    to: str,
    item: Item,
    reason: Reason,
    note: Note,
    customer: Customer,
    mode: Literal["fast", "slow"] = "fast",
    amount: Annotated[float, "in dollars"] = 1.0,
    tags: list[str] | None = None,
    extra: dict[str, int] | None = None,
) -> Customer:
    """Place an order.

    It is sent at once.

    Args:
        to: Who gets it.
        mode (str): How.

    Returns:
        The customer.
    """
    assert isinstance(item, Item)
    assert isinstance(reason, Reason)
    return Customer(name=f"{customer.name}/{item.sku}/{reason.value}/{mode}/{note['text']}", email=to)


def contract_of(known: PythonTool[Any, Any]) -> ToolContract:
    assembly = assemble([known.offer("mine")], (), (), PinPolicy.FIRST_USE, 1)
    assert assembly.problems == ()
    return assembly.catalogue.find(known.name)


async def run(
    known: PythonTool[Any, Any], arguments: dict[str, Any], *, secret: str | None = None, timeout_ms: int = 2_000
) -> RawAnswer:
    invoker = PythonInvoker([known])
    try:
        return await invoker.invoke(Invocation(contract_of(known), arguments, "key-1", secret, timeout_ms))
    finally:
        await invoker.close()


ARGUMENTS = {
    "to": "a@b.c",
    "item": {"sku": "s1"},
    "reason": "late",
    "note": {"text": "n"},
    "customer": {"name": "Ada"},
}


def test_type_hints_become_the_schema_and_the_docstring_the_description() -> None:
    contract = contract_of(order)
    assert contract.description == "Place an order.\n\nIt is sent at once."
    assert (contract.kind, contract.tier) == (Kind.WRITE, Tier.HIGH_IMPACT)
    assert contract.amount == AmountField("/amount", "USD")
    properties = contract.input_schema["properties"]
    assert properties["to"] == {"type": "string", "description": "Who gets it."}
    assert properties["amount"]["description"] == "in dollars"
    assert properties["mode"]["description"] == "How."
    assert properties["mode"]["enum"] == ["fast", "slow"]
    assert contract.input_schema["required"] == ["to", "item", "reason", "note", "customer"]
    schemas = compile_schemas(contract)
    assert schemas.arguments.fits(ARGUMENTS)
    assert not schemas.arguments.fits({**ARGUMENTS, "reason": "other"})
    assert not schemas.arguments.fits({**ARGUMENTS, "more": 1})


async def test_arguments_arrive_as_their_types_and_the_result_fits_its_schema() -> None:
    answer = await run(order, ARGUMENTS)
    assert answer == RawAnswer(Delivery.ANSWERED, content={"name": "Ada/s1/late/fast/n", "email": "a@b.c"})
    schemas = compile_schemas(contract_of(order))
    assert schemas.result is not None
    assert schemas.result.fits(answer.content)


def test_a_tool_called_directly_is_the_plain_function() -> None:
    @tool
    def add(a: int, b: int) -> int:
        return a + b

    assert add(1, b=2) == 3
    assert contract_of(add).kind is Kind.WRITE


async def test_a_parameter_may_have_any_name() -> None:
    @tool(kind="read")
    def odd(schema: str, copy: int, model_config: str, _private: str = "p") -> list[Any]:
        return [schema, copy, model_config, _private]

    answer = await run(odd, {"schema": "s", "copy": 1, "model_config": "m"})
    assert answer.content == ["s", 1, "m", "p"]


def functions_without_schema() -> list[Any]:
    def untyped(a):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return a

    def starred(*args: int) -> None: ...
    def keywords(**kwargs: int) -> None: ...
    def positional(a: int, /) -> None: ...
    def opaque(a: threading.Thread) -> None: ...
    def opaque_result(a: int) -> threading.Thread:
        return threading.Thread()

    def unknown(a: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    return [untyped, starred, keywords, positional, opaque, opaque_result, unknown]


@pytest.mark.parametrize("function", functions_without_schema(), ids=lambda function: function.__name__)
def test_a_function_that_cannot_be_described_is_refused_when_it_is_decorated(function: Any) -> None:
    with pytest.raises(ConfigurationError, match=function.__name__):
        tool(function)


@pytest.mark.parametrize("words", [{"kind": "reed"}, {"tier": 5}, {"roles": {"/a": "boss"}}, {"environment": "prod"}])
def test_a_misspelt_word_in_the_decorator_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):

        @tool(**words)
        def plain(a: int) -> int:
            return a


async def test_secret_and_key_are_given_to_the_function_and_unknown_to_the_model() -> None:
    @tool(kind="write", tier=2)
    async def pay(amount: int, token: Credential, key: IdempotencyKey) -> str:
        return f"{amount}/{token == CANARY}/{key}"

    contract = contract_of(pay)
    assert list(contract.input_schema["properties"]) == ["amount"]
    assert contract.idempotency is Idempotency.HEADER
    answer = await run(pay, {"amount": 3}, secret=CANARY)
    assert answer.content == "3/True/key-1"
    without = await run(pay, {"amount": 3})
    assert without.delivery is Delivery.NOT_SENT


@pytest.mark.parametrize(
    ("raised", "write", "read"),
    [
        (ToolError("out of stock"), (Delivery.ANSWERED, True), (Delivery.ANSWERED, True)),
        (ValueError(CANARY), (Delivery.ANSWERED, True), (Delivery.ANSWERED, True)),
        (PermissionError(CANARY), (Delivery.ANSWERED, True), (Delivery.ANSWERED, True)),
        (ConnectionResetError(CANARY), (Delivery.UNCERTAIN, False), (Delivery.ANSWERED, True)),
        (TimeoutError(CANARY), (Delivery.UNCERTAIN, False), (Delivery.ANSWERED, True)),
        (pydantic.errors.PydanticUserError(CANARY, code=None), (Delivery.UNCERTAIN, False), (Delivery.ANSWERED, True)),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_exception_is_an_answer_or_leaves_a_write_open_and_never_shows_its_text(
    raised: Exception, write: tuple[Delivery, bool], read: tuple[Delivery, bool]
) -> None:
    def fails(a: int) -> int:
        raise raised

    answer = RawAnswer(Delivery.NOT_SENT)
    for kind, expected in (("write", write), ("read", read)):
        answer = await run(tool(kind=kind)(fails), {"a": 1})
        assert (answer.delivery, answer.is_error) == expected
        assert CANARY not in f"{answer.content}{answer.detail}"
        assert "Traceback" not in f"{answer.content}"
    if isinstance(raised, ToolError):
        assert answer.content == "out of stock"


async def test_a_function_that_takes_too_long_leaves_the_outcome_open() -> None:
    going_on = threading.Event()

    @tool(kind="write")
    def blocks(a: int) -> int:
        going_on.wait(5)
        return a

    @tool(kind="write")
    async def sleeps(a: int) -> int:
        await asyncio.sleep(5)
        return a

    started = time.monotonic()
    for slow in (blocks, sleeps):
        answer = await run(slow, {"a": 1}, timeout_ms=50)
        assert answer.delivery is Delivery.UNCERTAIN
    going_on.set()
    assert time.monotonic() - started < 2


async def test_work_that_no_thread_took_in_time_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()
    ran: list[int] = []

    @tool(kind="write")
    def blocks(a: int) -> int:
        going_on.wait(5)
        ran.append(a)
        return a

    monkeypatch.setattr("interlock.adapters.python.invoker._THREADS", 1)
    invoker = PythonInvoker([blocks])
    contract = contract_of(blocks)
    first = asyncio.create_task(invoker.invoke(Invocation(contract, {"a": 1}, "k", None, 3_000)))
    await asyncio.sleep(0.05)
    second = await invoker.invoke(Invocation(contract, {"a": 2}, "k", None, 100))
    assert second.delivery is Delivery.NOT_SENT
    going_on.set()
    assert (await first).delivery is Delivery.ANSWERED
    await invoker.close()
    assert ran == [1]


async def test_a_result_of_another_type_is_not_passed_on() -> None:
    def lies(a: int) -> Customer:
        return {"nonsense": object()}  # type: ignore[return-value]

    write = await run(tool(kind="write")(lies), {"a": 1})
    assert write.delivery is Delivery.UNCERTAIN


async def test_a_module_offers_its_decorated_functions() -> None:
    module = ModuleType("mine")
    module.order = order  # type: ignore[attr-defined]
    module.again = order  # type: ignore[attr-defined]
    module.other = 5  # type: ignore[attr-defined]
    assert tools_of(module) == (order,)
    source = PythonSource("mine", tools_of(module))
    assert [offer.address for offer in await source.offers()] == ["mine/order"]


def test_a_module_without_tools_or_that_cannot_be_imported_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        PythonSource("mine", ())
    with pytest.raises(ConfigurationError):
        PythonSource("mine", (order, dataclasses.replace(order)))
    with pytest.raises(ConfigurationError, match="no_such_module_here"):
        load_module("no_such_module_here", "mine")
