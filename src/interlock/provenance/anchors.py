"""Whether the user's words lead to a record, so that its other fields may be used for the user.

Level 2: the user names this record and no other, or asked for exactly it. Level 1: it is one of a few that the user's
words lead to. Level 0: it merely exists; what it holds proves nothing about what the user wants.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from interlock.provenance import values
from interlock.provenance.index import Field, Group, Index, Record, Words
from interlock.provenance.numbers import same_day, to_units
from interlock.provenance.vocabulary import COMMON, EARLY, HIGH, LATE, LOW, SPANS, STATES

NAMED: Final = 2
AMONG: Final = 1
MAX_GROUP = 5_000
"""Records side by side beyond which only a look-up for the record itself leads to it."""
_EXTENSION = re.compile(r"\.[a-z0-9]{1,5}$")
_NAME_LIKE = re.compile(r"[A-Z0-9@._-]")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


def level(record: Record, index: Index) -> int:
    """Return how well the user's words lead to `record`."""
    if record.level_at != index.version:
        record.level_at = index.version
        record.level = 0  # a parent that asks its children must not run in circles
        record.level = _level(record, index)
    return record.level


def _level(record: Record, index: Index) -> int:
    best = record.reached
    if record.parent is not None:
        above = level(record.parent, index)
        best = max(best, above if len(record.group.records) == 1 else min(above, AMONG))
    if best < NAMED:
        best = max(best, _named(record, index))
    if best == 0 and any(_named(child, index) for child in record.children[:MAX_GROUP]):
        best = AMONG
    return best


def singled_out(record: Record, index: Index) -> bool:
    """Whether the user's words name this record and no other beside it, by what stands in it."""
    return _named(record, index) == NAMED


def _named(record: Record, index: Index) -> int:
    if record.named_at != index.version:
        record.named_at = index.version
        record.named = _named_now(record, index)
    return record.named


def _named_now(record: Record, index: Index) -> int:
    if len(record.group.records) > MAX_GROUP:
        return 0
    best = 0
    for field in record.fields[:64]:
        named = _names(field, index)
        # Whoever made the record chose the name it bears: only the whole name, in the user's own words, leads to it.
        best = max(best, named if named == NAMED or not field.author else 0)
        if best == NAMED:
            return best
    return max(best, _extreme(record, index))


def _names(field: Field, index: Index) -> int:
    """How well the user's text names the record by this field."""
    user = index.user
    if isinstance(field.value, int | float):
        units = to_units(field.value)
        said = user.amounts.get(units) if units is not None else None
        return _distinct(field) if said is not None and "." in said[0] else 0
    if field.name.lower() in STATES:
        return 0
    if _DATED.match(field.value):
        return AMONG if same_day(field.value, user.days) and _rare(field) else 0
    if _named_whole(field.value, user) or _named_by_core(field.value, user):
        return _distinct(field)
    return AMONG if _named_in_part(field.value, user) and _rare(field) else 0


def _named_whole(value: str, user: Words) -> bool:
    if len(value) > values.MAX_KEY:
        return False
    key = values.key_of(value)
    if len(key) < 3 or not _NAME_LIKE.search(value):
        return False
    if any(map(str.isdigit, key)) or "@" in key:
        return len(key) >= 5 and user.atom(key) is not None
    named = values.words(values.plain(value))
    if not any(len(word) >= 4 for word in named) or all(word in COMMON for word in named):
        return False
    return user.says(f" {' '.join(named)} ") is not None


def _named_by_core(value: str, user: Words) -> bool:
    """Whether the user says all the words of a longer name: `budget plan` for budget-plan-2.xlsx."""
    core = _core(value)
    return len(core) > 1 and not all(word in COMMON for word in core) and user.says(f" {' '.join(core)} ") is not None


def _named_in_part(value: str, user: Words) -> bool:
    core = _core(value)
    if len(core) == 1 and len(core[0]) >= 4 and core[0] not in COMMON and _NAME_LIKE.search(value):
        return user.says(f" {core[0]} ") is not None
    return any(_proper(word, core, user) for word in core)


def _core(value: str) -> list[str]:
    """The words of a name without its extension, its numbers and its shortest words."""
    spoken = values.words(_EXTENSION.sub("", values.plain(value[: values.MAX_KEY])))
    return [word for word in spoken if len(word) > 2 and word.isalpha()]


def _proper(word: str, among: list[str], user: Words) -> bool:
    """Whether the user writes `word` as a name: with a capital, or in quotes.

    A name that stands beside another one which the value lacks is somebody else's: Olivia Smith is not david.smith.
    """
    if len(word) < 4 or word in COMMON or user.says(f" {word} ") is None:
        return False
    spelled = re.compile(rf"(?:(\w+) )?(?<!\w)({'|'.join(_spellings(word))})(?!\w)(?: (\w+))?")
    for text, _ in user.raw:
        for match in spelled.finditer(text):
            beside = [name for name in (match[1], match[3]) if name and name[0].isupper()]
            if all(name.lower() in among or name.lower() in COMMON for name in beside):
                return True
    return False


def _spellings(word: str) -> tuple[str, ...]:
    name = word.capitalize()
    return tuple(
        re.escape(one)
        for one in (name, word.upper(), f"'{word}'", f'"{word}"', f"{word[0]}{name[1:2].upper()}{word[2:]}")
    )


def _distinct(field: Field) -> int:
    count = _count(field)
    return NAMED if count <= 1 else (AMONG if _rare(field) else 0)


def _rare(field: Field) -> bool:
    """Whether the value tells its record from most of those beside it."""
    count = _count(field)
    return count <= 1 or count * 2 <= len(field.record.group.records)


def _count(field: Field) -> int:
    group = field.record.group
    if group.counted != len(group.records):
        group.counted = len(group.records)
        group.counts = _counts(group)
    return group.counts.get((field.name, values.plain(str(field.value))), 1)


def _counts(group: Group) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for record in group.records:
        for name, value in {(field.name, values.plain(str(field.value))) for field in record.fields}:
            counts[name, value] = counts.get((name, value), 0) + 1
    return counts


def _extreme(record: Record, index: Index) -> int:
    """NAMED when the user asks for the largest, cheapest, newest ... and this record is the only such one."""
    if len(record.group.records) < 2 or record.group.again:
        return 0
    asked = _superlatives(index.user)
    for field in record.fields if asked else ():
        if isinstance(field.value, str):
            dated = _DATED.match(field.value) is not None
            up, down = (bool(asked & LATE), bool(asked & EARLY)) if dated else (False, False)
        else:
            up, down = bool(asked & HIGH), bool(asked & LOW)
        least, most = _ends(field.record.group).get((field.name, isinstance(field.value, str)), (None, None))
        if (up and most is record) or (down and least is record):
            return NAMED
    return 0


def _superlatives(user: Words) -> set[str]:
    """The superlatives of the user's text; `last month` and `recent events` compare nothing."""
    found: set[str] = set()
    for text, _ in user.phrases:
        spoken = text.split()
        for at, word in enumerate(spoken):
            after = spoken[at + 1] if at + 1 < len(spoken) else ""
            if word == "recent" and (at == 0 or spoken[at - 1] != "most"):
                continue
            if word in _SUPERLATIVES and after not in SPANS:
                found.add(word)
    return found


_SUPERLATIVES = HIGH | LOW | LATE | EARLY


def _ends(group: Group) -> dict[tuple[str, bool], tuple[Record | None, Record | None]]:
    """For every field the record that has least of it and the one that has most, None where several do."""
    if group.ended != len(group.records):
        group.ended = len(group.records)
        columns: dict[tuple[str, bool], list[Field]] = {}
        for record in group.records:
            for field in record.fields:
                columns.setdefault((field.name, isinstance(field.value, str)), []).append(field)
        group.ends = {column: (_only(fields, min), _only(fields, max)) for column, fields in columns.items()}
    return group.ends


def _only(fields: list[Field], pick: Callable[..., Any]) -> Record | None:
    end = pick(field.value for field in fields)
    holders = [field.record for field in fields if field.value == end]
    return holders[0] if len(holders) == 1 else None
