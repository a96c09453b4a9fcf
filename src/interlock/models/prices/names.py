"""From the name that somebody uses for a model to the entry of the list that means it."""

import re
from collections.abc import Callable, Iterator, Sequence

from interlock.domain.canonical import JsonObject

LONGEST_NAME = 256
"""No model has a longer name; patterns are not tried on one."""

_PROVIDERS = {
    "amazon": "aws",
    "amazon-bedrock": "aws",
    "azure-openai": "azure",
    "bedrock": "aws",
    "fireworks-ai": "fireworks",
    "gemini": "google",
    "google-vertex": "google",
    "grok": "x-ai",
    "together-ai": "together",
    "vertex": "google",
    "vertex-ai": "google",
    "xai": "x-ai",
}
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_DATED = re.compile(r"-20\d{2}(-?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])$")
_REGION = re.compile(r"^(us|eu|apac|au|jp|ca|sa|global|us-gov)\.")
_VERSION = re.compile(r"(-v\d+)?(:\d+)+$")


def provider_id(name: str) -> str:
    """Return the list's own name for a provider."""
    plain = name.strip().lower().replace("_", "-")
    return _PROVIDERS.get(plain, plain)


def same(model: str) -> Iterator[str]:
    """Yield spellings of the same name: as it is, without the path before it or the owner behind it, with the date
    written out.
    """
    yield model
    plain = model.rsplit("/", 1)[-1]
    if plain != model and (model.startswith(("arn:", "models/", "publishers/", "projects/"))):
        yield plain
    if model.startswith("ft:") and model.count(":") > 1:
        yield ":".join(model.split(":", 2)[:2])
    dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", plain)
    if dashed != plain:
        yield dashed


def related(model: str) -> Iterator[str]:
    """Yield names that mean the same model at another date, revision or region, nearest first."""
    plain = model.rsplit("/", 1)[-1] if model.startswith(("arn:", "models/", "publishers/", "projects/")) else model
    if "@" in plain:
        yield plain.split("@", 1)[0]
    undated = _DATED.sub("", plain)
    if undated != plain:
        yield undated
    local = _REGION.sub("", plain)
    if local != plain:
        yield local
    bare = _DATED.sub("", _VERSION.sub("", local))
    if bare not in (plain, undated, local):
        yield bare


class Names:
    """All names of one provider's list. The first entry of the list that a name fits is the one it means."""

    def __init__(self, entries: Sequence[JsonObject]) -> None:
        self._exact: dict[str, int] = {}
        self._rules: list[tuple[int, Callable[[str], bool]]] = []
        for position, entry in enumerate(entries):
            for name in entry.get("names", (entry["id"],)):
                self._exact.setdefault(name.lower(), position)
            if "rule" in entry:
                self._rules.append((position, _test(entry["rule"])))

    def find(self, model: str) -> tuple[int, bool] | None:
        """Return the position of the entry that `model` (in lower case) means, and whether a pattern was needed."""
        exact = self._exact.get(model)
        for position, fits in self._rules:
            if exact is not None and exact <= position:
                break
            if fits(model):
                return position, True
        return None if exact is None else (exact, False)


def _test(rule: JsonObject) -> Callable[[str], bool]:
    """Return the test that a rule of the data file describes: one key, `any` and `all` of other rules."""
    ((kind, value),) = rule.items()
    if kind in ("any", "all"):
        tests = [_test(each) for each in value]
        return (lambda name: any(test(name) for test in tests)) if kind == "any" else _every(tests)
    if kind == "regex":
        pattern = re.compile(value)
        return lambda name: pattern.search(name) is not None
    text = value.lower()
    simple: dict[str, Callable[[str], bool]] = {
        "starts": lambda name: name.startswith(text),
        "ends": lambda name: name.endswith(text),
        "contains": lambda name: text in name,
        "equals": lambda name: name == text,
    }
    return simple[kind]


def _every(tests: Sequence[Callable[[str], bool]]) -> Callable[[str], bool]:
    return lambda name: all(test(name) for test in tests)
