"""A conversation with a model, free of any wire format: what codecs read from one format and write in another."""

from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.models import Usage


class Role(StrEnum):
    """Who speaks. Results of tools are parts of a USER message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class CacheFor(StrEnum):
    """How long the provider is asked to keep everything up to this part."""

    NO = ""
    SHORT = "5m"
    LONG = "1h"


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str
    cache: CacheFor = CacheFor.NO
    citations: tuple[JsonObject, ...] = ()
    """As the vendor in `vendor` wrote them."""
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: base64 `data` with its `media_type`, or a `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    detail: str = ""
    cache: CacheFor = CacheFor.NO


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the model proposes."""

    id: str
    name: str
    arguments: str
    """JSON text exactly as the model wrote it; it need not be valid."""
    cache: CacheFor = CacheFor.NO
    signature: str = ""
    """The vendor's opaque seal over it, which must go back with it (Gemini's thought signature)."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool answered, told to the model."""

    call: str
    """The `ToolUse.id` that it answers."""
    parts: tuple["Text | Image", ...]
    is_error: bool = False
    cache: CacheFor = CacheFor.NO
    name: str = ""
    """The tool, where the format names it again (Gemini)."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model's reasoning, with the vendor's signature that must go back unchanged."""

    text: str
    signature: str = ""
    vendor: str = ""
    """`anthropic`, `openai`, `gemini`, `bedrock`: only its own vendor accepts it back."""
    redacted: bool = False
    """Whether `signature` is all there is (encrypted by the vendor)."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file such as a PDF: base64 `data` with its `media_type`, plain `data` for text, or a `url`."""

    media_type: str
    data: str = ""
    url: str = ""
    name: str = ""
    cited: bool = False
    """Whether citations into it are asked for."""
    cache: CacheFor = CacheFor.NO


@dataclass(frozen=True, slots=True)
class Opaque:
    """A part that only its vendor understands; carried back to that vendor, refused for others."""

    vendor: str
    value: Json


Part = Text | Image | ToolUse | ToolOutcome | Thinking | Document | Opaque


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says in one turn."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may propose to call."""

    name: str
    schema: JsonObject
    description: str = ""
    strict: bool | None = None
    cache: CacheFor = CacheFor.NO


class Choice(StrEnum):
    """Whether the model must call a tool."""

    AUTO = "auto"
    NONE = "none"
    ANY = "any"
    ONE = "one"
    """The tool named in `Request.chosen`."""


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The shape that the reply must have."""

    schema: JsonObject | None
    """None asks for any JSON object."""
    name: str = ""
    strict: bool | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What the model is asked."""

    model: str
    messages: tuple[Message, ...]
    """In order, system messages where they stood; formats with a system field of their own put it first."""
    tools: tuple[ToolSpec, ...] = ()
    choice: Choice | None = None
    chosen: str = ""
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    """Cap on the reply, reasoning included."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    output: OutputSchema | None = None
    effort: str = ""
    """How hard to think: minimal, low, medium, high (OpenAI)."""
    thinking_budget: int | None = None
    """Tokens for thinking (Anthropic, Gemini); 0 switches it off."""
    stream: bool = False
    stream_usage: bool = False
    """Whether the caller wants the usage at the end of its stream (OpenAI chat only; others always send it)."""
    user: str = ""
    """The caller's opaque id of its end user."""
    extras: JsonObject = field(default_factory=dict)
    """Fields of the vendor in `vendor` that mean nothing to others: it gets them back, for others each is lost or refused."""
    vendor: str = ""


class Stop(StrEnum):
    """Why a reply ended."""

    END = "end"
    LENGTH = "length"
    TOOLS = "tools"
    SEQUENCE = "sequence"
    FILTERED = "filtered"
    REFUSAL = "refusal"
    PAUSE = "pause"
    """The vendor's server-side tools want another turn (Anthropic pause_turn)."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answered."""

    parts: tuple[Part, ...]
    stop: Stop
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    created: int = 0
    """Seconds since the epoch; 0 when the format does not say."""
    stop_sequence: str = ""

    @property
    def text(self) -> str:
        """All words of the reply."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def proposals(self) -> tuple[ToolUse, ...]:
        """The tool calls that it proposes."""
        return tuple(part for part in self.parts if isinstance(part, ToolUse))


@dataclass(frozen=True, slots=True)
class Begin:
    """A streamed reply begins."""

    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None
    """What is known of the input, where the format says it first (Anthropic)."""


@dataclass(frozen=True, slots=True)
class PartBegin:
    """Part `index` begins; `part` holds what is known of it, its words empty."""

    index: int
    part: Part


@dataclass(frozen=True, slots=True)
class Delta:
    """More of part `index`: words of a Text or Thinking, JSON of a ToolUse's arguments."""

    index: int
    text: str = ""
    signature: str = ""
    citation: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class PartEnd:
    """Part `index` is complete."""

    index: int


@dataclass(frozen=True, slots=True)
class End:
    """The reply is complete."""

    stop: Stop
    usage: Usage | None = None
    stop_sequence: str = ""


StreamEvent = Begin | PartBegin | Delta | PartEnd | End
