"""Rates per kind of token, and the exact sum that a usage makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import lcm

from interlock.domain.models import Usage

PICO_PER_NANO = 1000

RateSaid = int | str | Sequence["int | str | Sequence[int | str]"]
"""As the data file has it: pico-USD per token, as text where finer than one; in a list, followed by steps of
[tokens, rate]: the rate of all tokens once the prompt is longer than that."""

INPUT_KINDS = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input")
OUTPUT_KINDS = ("output", "reasoning", "audio_output", "image_output")
KINDS = frozenset({*INPUT_KINDS, *OUTPUT_KINDS})
_MEDIA = frozenset({"audio_input", "image_input", "audio_output", "image_output"})
_INSTEAD = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "image_input": "input",
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
}
"""What a kind of token is charged as when it has no rate of its own. In an order that resolves chains."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one token of each kind costs, in parts of a pico-dollar that the ladder knows."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    reasoning: int
    audio_input: int
    audio_output: int
    image_input: int
    image_output: int
    _dearest: dict[tuple[bool, bool], tuple[int, int]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def total(self, usage: Usage) -> int:
        """Return what `usage` costs. Tokens that were counted twice are charged twice rather than not at all."""
        hour, read, write, audio = usage.cache_write_1h, usage.cache_read, usage.cache_write, usage.audio_input
        plain = usage.input - read - write - hour - audio
        said = usage.output - usage.reasoning - usage.audio_output
        cost = self.input * plain if plain > 0 else 0
        if said > 0:
            cost += self.output * said
        if read:
            cost += self.cache_read * read
        if write:
            cost += self.cache_write * write
        if hour:
            cost += self.cache_write_1h * hour
        if usage.reasoning:
            cost += self.reasoning * usage.reasoning
        if audio:
            cost += self.audio_input * audio
        if usage.audio_output:
            cost += self.audio_output * usage.audio_output
        return cost

    def dearest(self, *, hour_cache: bool, media: bool) -> tuple[int, int]:
        """Return the highest rate of a token of the prompt and of the reply, among the kinds that the call may use."""
        found = self._dearest.get((hour_cache, media))
        if found is None:
            found = (self._most(INPUT_KINDS, hour_cache, media), self._most(OUTPUT_KINDS, hour_cache, media))
            self._dearest[hour_cache, media] = found
        return found

    def _most(self, kinds: Sequence[str], hour_cache: bool, media: bool) -> int:
        rates: list[int] = [
            getattr(self, kind)
            for kind in kinds
            if (hour_cache or kind != "cache_write_1h") and (media or kind not in _MEDIA)
        ]
        return max(rates)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rates by length of the prompt: the rates of the last step that the prompt has passed hold for all its tokens."""

    unit: int
    """Parts that make a nano-dollar: rates are whole numbers of them."""
    first: Rates
    steps: tuple[tuple[int, Rates], ...] = ()
    """In ascending order of tokens; a step holds for prompts that are longer."""

    def nano(self, usage: Usage) -> int:
        """Return what `usage` costs in nano-USD: an exact sum, rounded half up once."""
        rates = self.first
        for start, higher in self.steps:
            if usage.input > start:
                rates = higher
        return (2 * rates.total(usage) + self.unit) // (2 * self.unit)

    def per_million(self, kind: str) -> Decimal:
        """Return USD for a million tokens of `kind`, one of KINDS, in a short prompt."""
        rate: int = getattr(self.first, kind)
        return Decimal(rate) / self.unit / 1000

    def most(self, input_tokens: int, output_tokens: int, *, hour_cache: bool, media: bool) -> int:
        """Return a bound in nano-USD for any usage of at most so many tokens, rounded up."""
        dear, dearer = self.first.dearest(hour_cache=hour_cache, media=media)
        most = dear * input_tokens + dearer * output_tokens
        for start, rates in self.steps:
            if input_tokens > start:
                dear, dearer = rates.dearest(hour_cache=hour_cache, media=media)
                most = max(most, dear * input_tokens + dearer * output_tokens)
        return -(-most // self.unit)


def ladder(said: Mapping[str, RateSaid]) -> Ladder:
    """Return the ladder that a price of the data file describes. Kinds without a rate cost what `_INSTEAD` says."""
    by_kind = {kind: _steps(value) for kind, value in said.items()}
    scale = lcm(*(rate.denominator for steps in by_kind.values() for _, rate in steps), 1)
    starts = sorted({start for steps in by_kind.values() for start, _ in steps} | {0})
    found = [(start, _rates({kind: _at(steps, start) for kind, steps in by_kind.items()}, scale)) for start in starts]
    return Ladder(PICO_PER_NANO * scale, found[0][1], tuple(found[1:]))


def _steps(value: RateSaid) -> tuple[tuple[int, Fraction], ...]:
    if isinstance(value, int | str):
        return ((0, Fraction(value)),)
    base, *steps = value
    found = [(0, Fraction(str(base)))]
    for step in steps:
        if isinstance(step, int | str):
            raise TypeError("A step of a rate is a pair of tokens and rate")
        found.append((int(step[0]), Fraction(step[1])))
    return tuple(found)


def _at(steps: tuple[tuple[int, Fraction], ...], start: int) -> Fraction:
    return next(rate for since, rate in reversed(steps) if since <= start)


def _rates(by_kind: dict[str, Fraction], scale: int) -> Rates:
    whole = {kind: int(rate * scale) for kind, rate in by_kind.items()}
    whole.setdefault("input", 0)
    whole.setdefault("output", 0)
    for kind, instead in _INSTEAD.items():
        whole.setdefault(kind, whole[instead])
    return Rates(**whole)
