"""Parts that chat completions and responses write alike: images, files, marks for the cache, fields of their own."""

import base64
import re
from collections.abc import Collection, Iterable

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import Uncarriable
from interlock.models.codecs.carriage import extras_lost
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import CacheFor, Document, Image, Request

VENDOR = "openai"
"""Of parts and fields of chat completions; of citations and reasoning in both formats."""
RESPONSES = "openai_responses"
"""Of parts and fields that only responses know."""
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?:;[^;,=]+=[^;,]*)*;base64,(?P<data>.*)", re.DOTALL | re.IGNORECASE)
# Fields that mean the same in both formats.
_SHARED = frozenset(
    {"metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"}
    | {"service_tier", "store"}
)
ODD = "fields of messages"
"""Stands in `Request.extras` for fields inside messages that have no neutral meaning."""


def refuse(field: Field, why: str, do: str = "") -> Uncarriable:
    """Return the refusal of what stands in `field`, for a model that is asked in another format."""
    return Uncarriable(
        f"`{field.at}` cannot be carried to this model", why=why, do=do or "Leave it out, or name a model that takes it"
    )


def note_odd(field: Field, known: Collection[str], odd: set[str]) -> None:
    """Add to `odd` the fields of an object that are not `known`."""
    odd.update(key for key, value in field.object().items() if value is not None and key not in known)


def read_image(url: Field, detail: str, cache: CacheFor) -> Image:
    """Return the picture at `url`, which may hold it."""
    text = url.name()
    if text[:5].lower() != "data:":
        return Image(url=text, detail=detail, cache=cache)
    match = _DATA_URL.fullmatch(text)
    if match is None or not match["type"].lower().startswith("image/"):
        raise url.error("a web address, or a data URL with a picture in base64")
    return Image(match["type"], match["data"], "", detail, cache)


def image_url(image: Image) -> str:
    """Return the address of `image`, which holds the picture where there is no other."""
    return image.url or f"data:{image.media_type or 'image/png'};base64,{image.data}"


def read_file(data: Field, name: str, cache: CacheFor) -> Document:
    """Return the file that the text of `data` holds: a data URL, or plain base64 of a PDF."""
    text = data.name()
    match = _DATA_URL.fullmatch(text)
    if match is None:
        if text[:5].lower() == "data:":
            raise data.error("a data URL in base64")
        return Document("application/pdf", text, "", name, cache=cache)
    kind, content = match["type"], match["data"]
    if kind.startswith("text/"):
        try:
            content = base64.b64decode(content, validate=True).decode()
        except ValueError:
            raise data.error("a data URL whose text is base64 of UTF-8") from None
    return Document(kind, content, "", name, cache=cache)


def file_data(document: Document) -> str:
    """Return `document` as a data URL."""
    data = document.data
    if document.media_type.startswith("text/"):
        data = base64.b64encode(data.encode()).decode()
    return f"data:{document.media_type};base64,{data}"


def read_cache(part: Field) -> CacheFor:
    """Return how long the provider is asked to keep everything up to `part`; twelve hours count as long."""
    mark = part["prompt_cache_breakpoint"]
    if not mark.given:
        return CacheFor.NO
    return CacheFor.LONG if mark["ttl"].text("") == "12h" else CacheFor.SHORT


def lose_marks(marks: Iterable[CacheFor], lost: list[str]) -> None:
    """Say that marks for the cache are left out: only the newest models take them, and all cache prefixes unasked."""
    if any(mark is not CacheFor.NO for mark in marks):
        lost.append("marks of what to cache: this format caches prefixes unasked")


def own_fields(request: Request, vendor: str) -> tuple[dict[str, Json], list[str]]:
    """Return the fields in `request.extras` that the format of `vendor` has, and what is lost. Raises Uncarriable."""
    extras: JsonObject = request.extras
    if ODD in extras:
        extras = {key: value for key, value in extras.items() if key != ODD}
    lost = [f"`{name}` in messages" for name in request.extras.get(ODD, ())]
    if request.vendor == vendor:
        return dict(extras), lost
    if request.vendor in {VENDOR, RESPONSES}:
        lost += [f"`{name}` has no counterpart in the {vendor} format" for name in extras if name not in _SHARED]
        return {name: value for name, value in extras.items() if name in _SHARED}, lost
    return {}, lost + extras_lost(request, vendor)


def effort_of(request: Request, lost: list[str]) -> str:
    """Return how hard to think, which may be said as a number of tokens."""
    budget = request.thinking_budget
    if request.effort or budget is None:
        return request.effort
    if budget == 0:
        lost.append("that thinking is off: these models choose that themselves")
        return ""
    effort = "low" if budget <= 4_096 else "medium" if budget <= 16_384 else "high"
    lost.append(f"the thinking budget of {budget} tokens: said as effort {effort}")
    return effort
