"""One model call on its way: what was asked, what was planned, and what has happened so far."""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from interlock.budgets.sheet import Sheet
from interlock.checks.redactor import Words, words_by_form
from interlock.domain.agents import AgentPolicy
from interlock.domain.calls import Failure
from interlock.domain.canonical import Json, JsonObject, digest
from interlock.domain.errors import InterlockError, MalformedJson, ModelUnavailable, SchemaUnmet
from interlock.domain.ids import random_bytes
from interlock.domain.models import Attempt, ModelCall, ModelCallRecord, ModelCallStatus, ProposedCall
from interlock.domain.trace_context import span_of_call
from interlock.gateway.models.requests import ModelAsk
from interlock.gateway.models.standing import Standing
from interlock.models.cache import Lookup
from interlock.models.dialogue import Request, ToolUse
from interlock.models.routing import Plan
from interlock.models.wire import Seen, Wire

_REPLY = b"reply\x00"
_LONGEST = 500
"""Characters of an id or a name that a record keeps: a call that names more is not the one that was proposed."""


@dataclass(slots=True, eq=False)
class Walk:
    """The state of one call. Belongs to the task that serves it."""

    ask: ModelAsk
    call: ModelCall
    agent: AgentPolicy
    caller: Wire
    """The caller's wire format."""
    started_at: int
    """Milliseconds since the epoch."""
    standing: Standing | None = None
    plan: Plan | None = None
    sheet: Sheet | None = None
    input_tokens: int = 0
    """Estimate from above, for routing and reservations."""
    output_cap: int | None = None
    """As the caller set it."""
    service_tier: str = ""
    """Of the provider (`flex`, `priority`), as the caller asks for; it has its own price."""
    attempts: list[Attempt] = field(default_factory=list)
    events: list[JsonObject] = field(default_factory=list)
    proposals: tuple[ProposedCall, ...] = ()
    first_byte_ms: int | None = None
    cache: str = ""
    similarity: int | None = None
    """Of the question whose kept reply serves this one, in 1/10,000."""
    lookup: Lookup | None = None
    """How the cache looks for the reply and keeps it; made before anything changes the request."""
    stop: str = ""
    salt: bytes = field(default_factory=lambda: random_bytes(32))
    began: float = field(default_factory=time.perf_counter)
    asked: str = ""
    """Commitment to the request."""
    replied: str = ""
    """Commitment to the reply as it was delivered."""
    redact: Words = words_by_form
    """What the record keeps of an error goes through it: providers repeat what they were sent."""
    has_images: bool = False
    has_media: bool = False
    """Images, or words that are spoken: their tokens have prices of their own."""
    _replying: Any = None
    _request: Request | None = None

    @property
    def planned(self) -> Plan:
        """The plan. Raises ModelUnavailable while there is none."""
        if self.plan is None:
            raise ModelUnavailable("No model of the route can be asked at the moment", do="Try again later")
        return self.plan

    def request(self) -> Request:
        """Return the request in neutral words. Raises BadInput."""
        if self._request is None:
            self._request = self.caller.read_request(self.ask.body)
        return self._request

    def rewrite(self, request: Request) -> None:
        """Put another request in the place of the caller's."""
        self._request = request
        written = self.caller.write_request(request)
        self.ask = replace(self.ask, body=written.body)

    def seal_request(self) -> None:
        """Commit to the request as it came."""
        body = self.ask.raw or orjson.dumps(self.ask.body)
        self.has_images = b'"image' in body or b'"input_image' in body
        self.has_media = self.has_images or b'"audio"' in body or b'"input_audio"' in body
        self.asked = hmac.digest(self.salt, b"request\x00" + body, "sha256").hex()

    def seal_reply(self, body: bytes) -> None:
        """Commit to a whole reply."""
        self.replied = hmac.digest(self.salt, _REPLY + body, "sha256").hex()

    def replying(self) -> Callable[[bytes], None]:
        """Return what takes in a reply that is delivered in pieces; `seal_stream` commits to all of them."""
        self._replying = hmac.new(self.salt, _REPLY, hashlib.sha256)
        taking: Callable[[bytes], None] = self._replying.update
        return taking

    def seal_stream(self, last: bytes = b"") -> None:
        """Commit to the pieces that were delivered, and `last`."""
        if self._replying is None:
            self.replying()
        self._replying.update(last)
        self.replied = self._replying.hexdigest()

    def note(self, kind: str, **facts: Json) -> None:
        """Remember something that was done to the request or the reply."""
        self.events.append({"kind": kind, **facts})

    def headers_for(self, *, outside: bool) -> Mapping[str, str]:
        """Return the headers that go to a provider beside the request: the vendor's, and where the call stands in a trace."""
        ask, trace = self.ask, self.ask.trace
        if trace is None:
            return ask.headers
        found = {**ask.headers, "traceparent": trace.below(span_of_call(self.call.id))}
        if trace.state and not outside:
            # What others noted in it may say who and where the caller is.
            found["tracestate"] = trace.state
        return found

    def cache_told(self) -> str:
        """Return what the caller is told of the cache; empty when a model replied."""
        return self.cache if self.similarity is None else f"{self.cache}; similarity={self.similarity / 10_000:.4f}"

    def elapsed_ms(self) -> int:
        """Return how long the call has taken so far."""
        return int((time.perf_counter() - self.began) * 1000)

    def saw(self, seen: Seen) -> None:
        """Take in what the reply said."""
        self.stop = seen.stop.value if seen.stop is not None else ""
        self.proposals = tuple(proposed(tool) for tool in seen.proposals) if seen.proposals else ()

    def _failure(self, error: InterlockError) -> Failure:
        return Failure(error.code, self.redact(_kept(error.what)), self.redact(_kept(_why(error))), error.do)

    def record(self, status: ModelCallStatus, error: InterlockError | None = None, *, prices: str) -> ModelCallRecord:
        """Return the record of the call as it stands."""
        plan = self.plan
        failure = self._failure(error) if error is not None else None
        return ModelCallRecord(
            call=self.call,
            status=status,
            started_at=self.started_at,
            duration_ms=self.elapsed_ms(),
            first_byte_ms=self.first_byte_ms,
            attempts=tuple(self.attempts),
            tier=plan.tier if plan is not None else "",
            stop=self.stop,
            cache=self.cache,
            prices=prices,
            route=plan.explanation if plan is not None else {},
            events=tuple(self.events),
            proposals=self.proposals,
            failure=failure,
            salt=self.salt,
        )


def _why(error: InterlockError) -> str:
    """Return why, in words that a record may keep: the reply's own are not among them."""
    return error.places if isinstance(error, SchemaUnmet) else error.why


def _kept(words: str) -> str:
    return words.replace("\x00", "\ufffd")


def proposed(tool: ToolUse) -> ProposedCall:
    """Return what is kept of a proposed call: its arguments only as a hash."""
    try:
        arguments = orjson.loads(tool.arguments or "{}")
        sealed = digest(arguments) if isinstance(arguments, dict) else ""
    except (orjson.JSONDecodeError, MalformedJson):
        sealed = ""
    # A model may write anything; what a database cannot keep must not keep the call from being recorded.
    return ProposedCall(_kept(tool.id)[:_LONGEST], _kept(tool.name)[:_LONGEST], sealed)
