"""What speaks against a model for one call."""

from dataclasses import dataclass
from enum import IntEnum

from interlock.domain.errors import ContextTooLong, Forbidden, InterlockError, ModelUnavailable, Uncarriable
from interlock.domain.models import Dialect
from interlock.domain.routes import DeclaredModel
from interlock.models.ports import Operation
from interlock.models.routing.plan import Candidate, RouteAsk


class Ground(IntEnum):
    """Why not, from what no later call changes to what passes by itself."""

    FORBIDDEN = 0
    INCAPABLE = 1
    TOO_LONG = 2
    COOLING = 3


@dataclass(frozen=True, slots=True)
class Objection:
    """A model that cannot serve the call."""

    model: str
    tier: str
    ground: Ground
    words: str
    wait_ms: int = 0


def ability(model: DeclaredModel, ask: RouteAsk) -> str:
    """Return what `model` cannot do of what `ask` needs whatever its length, or nothing."""
    if ask.operation is Operation.EMBED:
        if not model.embeddings or Dialect.OPENAI_EMBEDDINGS not in model.dialects:
            return "it makes no embeddings"
        return ""
    if model.embeddings or not model.dialects - {Dialect.OPENAI_EMBEDDINGS}:
        return "it makes embeddings only"
    if ask.has_tools and not model.tools:
        return "it takes no tools"
    return "it takes no images" if ask.images and not model.images else ""


def length(candidate: Candidate, ask: RouteAsk) -> str:
    """Return why `ask` is too long for `candidate`, or nothing."""
    if ask.operation is Operation.EMBED:
        need = ask.input_tokens
    elif ask.output_cap is None:
        need = ask.input_tokens + candidate.output_cap
    elif candidate.max_output is not None and ask.output_cap > candidate.max_output:
        return f"its replies have at most {candidate.max_output} tokens, and {ask.output_cap} are asked for"
    else:
        need = ask.input_tokens + ask.output_cap
    if candidate.context_window is not None and need > candidate.context_window:
        return f"request and reply may have {need} tokens, and its window holds {candidate.context_window}"
    return ""


def refusal(asked: str, against: tuple[Objection, ...]) -> InterlockError:
    """Return the error for a call that nothing can serve; what may pass by itself is told before what will not."""
    why = "; ".join(f"{one.model}: {one.words}" for one in against[:5])
    match max((one.ground for one in against), default=Ground.FORBIDDEN):
        case Ground.COOLING:
            error = ModelUnavailable(
                f"No model for '{asked}' can be asked at the moment", why=why, do="Try again in a moment"
            )
            error.retry_after_s = min(one.wait_ms for one in against if one.ground is Ground.COOLING) / 1000
            return error
        case Ground.TOO_LONG:
            return ContextTooLong(
                f"The request is too long for '{asked}'",
                why=why,
                do="Send less, ask for a shorter reply, or name another",
            )
        case Ground.INCAPABLE:
            return Uncarriable(f"'{asked}' cannot do what the request needs", why=why, do="Name another model or tier")
        case _:
            return Forbidden(
                f"This agent may not use '{asked}'",
                why=why,
                do="Ask the operator to list it under 'allow' in the router file",
            )
