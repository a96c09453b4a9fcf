"""Turn a typed function into a tool: `@tool(kind="write", tier=3)`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, overload

from interlock.adapters.python.signatures import Signature, read_signature
from interlock.domain.contracts import AmountField, Constraint, Environment, Idempotency, Kind, Tier, Upstream
from interlock.domain.errors import ConfigurationError
from interlock.domain.overlays import Overlay
from interlock.domain.provenance import OutputFields, Role
from interlock.tools.offers import Offer

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class PythonTool(Generic[P, R]):
    """A function that can be offered to agents. Called directly, it is the plain function, without any gate."""

    function: Callable[P, R]
    name: str
    description: str
    signature: Signature
    declared: Overlay

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    def offer(self, connection: str) -> Offer:
        """Return what `connection` offers with this tool."""
        return Offer(
            name=self.name,
            description=self.description,
            input_schema=self.signature.input_schema,
            output_schema=self.signature.output_schema,
            upstream=Upstream("python", connection, self.name),
            declared=self.declared,
        )


@overload
def tool(function: Callable[P, R], /) -> PythonTool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    kind: str | None = None,
    tier: int | None = None,
    category: str | None = None,
    environment: str | None = None,
    scopes: tuple[str, ...] | None = None,
    idempotent: bool = False,
    reversible: bool | None = None,
    amount: AmountField | tuple[str, str] | None = None,
    recipients: str | None = None,
    roles: Mapping[str, str] | None = None,
    output: OutputFields | None = None,
    constraints: tuple[Constraint, ...] = (),
    owner: str | None = None,
    timeout_ms: int | None = None,
    max_retries: int | None = None,
    credential: str | None = None,
) -> Callable[[Callable[P, R]], PythonTool[P, R]]: ...
def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    kind: str | None = None,
    tier: int | None = None,
    category: str | None = None,
    environment: str | None = None,
    scopes: tuple[str, ...] | None = None,
    idempotent: bool = False,
    reversible: bool | None = None,
    amount: AmountField | tuple[str, str] | None = None,
    recipients: str | None = None,
    roles: Mapping[str, str] | None = None,
    output: OutputFields | None = None,
    constraints: tuple[Constraint, ...] = (),
    owner: str | None = None,
    timeout_ms: int | None = None,
    max_retries: int | None = None,
    credential: str | None = None,
) -> PythonTool[P, R] | Callable[[Callable[P, R]], PythonTool[P, R]]:
    """Return the decorated function as a tool; type hints become its schema, the docstring its description.

    What is not said is guessed on the safe side: a write of tier 3 that is never repeated. `idempotent` says that
    doing it twice changes nothing more; a parameter of type `IdempotencyKey` says that the function sees to that
    itself. `amount` is where the money stands and its currency, such as `("/amount_usd", "USD")`. Times in
    milliseconds. Raises ConfigurationError for types without a JSON form and for unknown words.
    """

    def decorate(plain: Callable[P, R]) -> PythonTool[P, R]:
        signature = read_signature(plain)
        called = name or plain.__name__
        declared = Overlay(
            tool=called,
            source=f"{plain.__module__}.{plain.__qualname__}",
            kind=None if kind is None else _word(Kind, kind, "kind"),
            tier=None if tier is None else _word(Tier, tier, "tier"),
            category=category,
            environment=None if environment is None else _word(Environment, environment, "environment"),
            scopes=scopes,
            idempotency=_idempotency(signature, idempotent=idempotent),
            idempotency_name=signature.key or "",
            reversible=reversible,
            amount=AmountField(*amount) if isinstance(amount, tuple) else amount,
            recipients=recipients,
            roles=None if roles is None else tuple((at, _word(Role, role, "role")) for at, role in roles.items()),
            output=output,
            constraints=constraints,
            owner=owner,
            timeout_ms=timeout_ms,
            max_retries=max_retries,
            credential=credential,
        )
        return PythonTool(plain, called, description or signature.description, signature, declared)

    return decorate if function is None else decorate(function)


def _idempotency(signature: Signature, *, idempotent: bool) -> Idempotency | None:
    if signature.key is not None:
        # The key travels beside the arguments, as a header does.
        return Idempotency.HEADER
    return Idempotency.NATURAL if idempotent else None


def _word(kind: Any, value: object, what: str) -> Any:  # noqa: ANN401 - one of the enums, and its member
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise ConfigurationError(f"'{value}' is no {what} of a tool", do=f"Use one of {known}") from None
