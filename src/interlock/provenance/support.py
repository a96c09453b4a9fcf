"""Find what stands behind one value: the user's words, identity, a record they lead to, arithmetic, or nothing."""

from typing import Final, NamedTuple

from interlock.domain.canonical import Json
from interlock.domain.provenance import LeafOrigin, Place, Role, Seen
from interlock.provenance import values
from interlock.provenance.anchors import AMONG, NAMED, level, singled_out
from interlock.provenance.index import Field, Index, Words
from interlock.provenance.numbers import UNIT, amounts, derives, same_day, to_units

MAX_CANDIDATES = 64
"""Records with the same value that are looked at; the first that the user's words lead to is enough."""
MAX_SHOWN = 80
_NUMBERED = frozenset(["id", "ids", "no", "nr", "number", "num", "item", "ref", "reference", "#"])
_SPLITTERS = str.maketrans(";\n", ",,")
_ATOMIC = frozenset("@0123456789/:\\")
AMOUNTS = frozenset({Role.AMOUNT, Role.AMOUNT_MINOR})
_TRUSTED: Final = ((Seen.USER, "user"), (Seen.SYSTEM, "system"), (Seen.IDENTITY, "identity"))


class Found(NamedTuple):
    """What stands behind a value. `strength` is 2 when the user's words name it, 1 when it is one of several."""

    seen: Seen
    strength: int = 0
    support: tuple[Place, ...] = ()
    suspect: tuple[Place, ...] = ()
    note: str = ""


def is_constant(value: Json) -> bool:
    """Whether a leaf points at nothing: null, a flag, an empty text or collection."""
    return value is None or isinstance(value, bool) or value in ("", [], {}, ())


def find(value: Json, role: Role, pointer: str, index: Index) -> Found:
    """Return what stands behind one leaf of the arguments."""
    if is_constant(value):
        return Found(Seen.CONSTANT, NAMED)
    if role in AMOUNTS:
        return _find_amount(value, index, to_units(value, minor=role is Role.AMOUNT_MINOR))
    text = value if isinstance(value, str) else str(value)
    if role in {Role.SECRET, Role.COMMAND}:
        return _find_verbatim(text, index)
    if role in {Role.TEXT_OUT, Role.PLAIN, Role.DATE}:
        return _find_text(text, index)
    if role is Role.RECIPIENT and ("," in text or ";" in text or "\n" in text):
        parts = [part.strip() for part in text.translate(_SPLITTERS).split(",") if part.strip()]
        found = [_find_atom(part, role, pointer, index) for part in parts[:MAX_CANDIDATES]]
        if len(parts) > 1 and len(parts) <= MAX_CANDIDATES:
            return min(found, key=lambda one: one.strength)
    return _find_atom(text, role, pointer, index)


def _find_atom(text: str, role: Role, pointer: str, index: Index) -> Found:
    key = values.key_of(text[: values.MAX_KEY + 1])
    if not key or len(key) > values.MAX_KEY:
        return _nowhere(key, text, index)
    short = len(key) <= 3 or (key.isdigit() and len(key) <= 4)
    for seen, name in _TRUSTED:
        words: Words = getattr(index, name)
        place = (
            _in_context(key, f"{role.value} {pointer}", words)
            if short and role in {Role.ID, Role.FILE}
            else _stands(key, role, words)
        )
        if place is not None:
            return Found(seen, NAMED, (place,))
    found = _in_records(key, index)
    if found is not None and found.strength:
        return found
    # The user names a document and speaks of an address: then the document may say which. Never a receiver.
    if role is Role.ADDRESS and index.delegated.phrases and index.user.says(" address"):
        place = index.delegated.says(values.phrase(key))
        if place is not None:
            return Found(Seen.DELEGATED, AMONG, (place,))
    return found or _nowhere(key, text, index)


def _stands(key: str, role: Role, words: Words) -> Place | None:
    place = words.atom(key)
    if place is not None or role in {Role.URL, Role.ACCOUNT} or not _ATOMIC.isdisjoint(key):
        if place is None and role is Role.ADDRESS:
            return words.says(values.phrase(key))
        return place
    spoken = values.phrase(key)
    return words.says(spoken) if len(spoken) > 2 else None


def _in_context(key: str, nouns: str, words: Words) -> Place | None:
    """Where a short number or code stands as an id: after a word for it, after `#`, or in quotes."""
    if key not in words.atoms:
        return None
    known = _NUMBERED | frozenset(values.words(nouns.lower().replace("_", " ")))
    for (text, place), (raw, _) in zip(words.phrases, words.raw, strict=True):
        at = text.find(f" {key} ")
        while at >= 0:
            before = text[max(0, at - 40) : at].rsplit(" ", 1)[-1]
            if before in known:
                return place
            at = text.find(f" {key} ", at + 1)
        low = raw.lower()
        if any(f"{left}{key}{right}" in low for left, right in (("'", "'"), ('"', '"'), ("`", "`"))):
            return place
        if f"#{key}" in low and not low.split(f"#{key}", 1)[1][:1].isalnum():
            return place
    return None


def _in_records(key: str, index: Index) -> Found | None:
    fields = index.fields.get(key)
    if fields is None and (number := values.compact(key)):
        fields = index.fields.get(number)
    if not fields:
        return None
    best, strongest = fields[0], 0
    for field in fields[:MAX_CANDIDATES]:
        reached = level(field.record, index) if not field.author or singled_out(field.record, index) else 0
        if reached > strongest:
            best, strongest = field, reached
            if reached == NAMED:
                break
    return _judge_record(best, strongest, key, index)


def _judge_record(field: Field, strength: int, key: str, index: Index) -> Found:
    if strength == NAMED:
        return Found(Seen.RECORD, NAMED, (field.place,))
    suspect = index.named_by_untrusted(key)
    if strength == AMONG and suspect is None:
        return Found(Seen.RECORD, AMONG, (field.place,))
    if strength == AMONG:
        note = "the user's words lead to several records, and untrusted text picks this one"
        return Found(Seen.UNTRUSTED, 0, (field.place,), (suspect,) if suspect else (), note)
    note = "the sender of a message chooses this name" if field.author else ""
    return Found(Seen.UNRELATED, 0, (), (suspect or field.place,), note)


def _nowhere(key: str, text: str, index: Index) -> Found:
    twin = index.user.looks.get(values.skeleton(key))
    if twin is not None and twin != key:
        return Found(Seen.LOOKALIKE, 0, (), (), f"the user wrote '{twin}'")
    suspect = index.named_by_untrusted(key) if key else None
    if suspect is None and key != text:
        suspect = index.named_by_untrusted(values.key_of(values.unmasked(text[: values.MAX_KEY])))
    if suspect is not None:
        return Found(Seen.UNTRUSTED, 0, (), (suspect,))
    return Found(Seen.COMPOSED)


def _find_verbatim(text: str, index: Index) -> Found:
    for seen, name in _TRUSTED[:2]:
        words: Words = getattr(index, name)
        for raw, place in words.raw:
            at = raw.find(text)
            while at >= 0:
                around = raw[at - 1 : at] if at else "", raw[at + len(text) : at + len(text) + 1]
                if not any(char.isalnum() for char in around):
                    return Found(seen, NAMED, (place,))
                at = raw.find(text, at + 1)
    return _nowhere(values.key_of(text[: values.MAX_KEY]), text, index)


def _find_text(text: str, index: Index) -> Found:
    if same_day(text, index.user.days):
        return Found(Seen.USER, NAMED, (index.user.phrases and (index.user.phrases[0][1],)) or ())
    if len(text) > values.MAX_KEY:
        return Found(Seen.COMPOSED)
    low = values.plain(text)
    spoken = values.phrase(low)
    if len(spoken) > 2:
        for seen, name in _TRUSTED:
            words: Words = getattr(index, name)
            if (place := words.says(spoken)) is not None:
                return Found(seen, NAMED, (place,))
    key = values.canonical(low)
    found = _in_records(key, index)
    if found is not None:
        return found
    suspect = index.named_by_untrusted(key)
    return Found(Seen.UNTRUSTED, 0, (), (suspect,)) if suspect is not None else Found(Seen.COMPOSED)


def _find_amount(value: Json, index: Index, units: int | None) -> Found:
    if units is None:
        return _find_atom(str(value), Role.ID, "", index)
    for seen, name in _TRUSTED[:2]:
        words: Words = getattr(index, name)
        if units in words.amounts:
            return Found(seen, NAMED, (words.amounts[units][1],))
    fields = [field for field in index.amounts.get(units, ())[:MAX_CANDIDATES] if level(field.record, index)]
    if fields:
        return Found(Seen.RECORD, AMONG, (fields[0].place,))
    given, places = _pool(index)
    said = tuple(index.user.amounts)
    if derives(units, given, index.user.rates, said):
        return Found(Seen.DERIVED, AMONG, places)
    if index.delegated.amounts:
        more = (*given, *index.delegated.amounts)
        if derives(units, more, (*index.user.rates, *index.delegated.rates), said):
            return Found(Seen.DELEGATED, AMONG, (index.delegated.phrases and (index.delegated.phrases[0][1],)) or ())
    spelled = f"{units / UNIT:g}"
    suspect = index.named_by_untrusted(spelled) or index.named_by_untrusted(str(value))
    if suspect is not None:
        return Found(Seen.UNTRUSTED, 0, (), (suspect,))
    if index.amounts.get(units):
        return Found(Seen.UNRELATED, 0, (), (index.amounts[units][0].place,))
    return Found(Seen.COMPOSED)


def _pool(index: Index) -> tuple[tuple[int, ...], tuple[Place, ...]]:
    """The numbers that arithmetic may start from: those the user said, and those of records they lead to."""
    given: dict[int, Place] = {units: place for units, (_, place) in index.user.amounts.items()}
    for units, fields in index.amounts.items():
        for field in fields[:MAX_CANDIDATES]:
            if isinstance(field.value, int | float) and level(field.record, index):
                given.setdefault(units, field.place)
                break
    return tuple(given), tuple(given.values())[:3]


def leaf_origin(pointer: str, role: Role, value: Json, found: Found, *, guessed: bool) -> LeafOrigin:
    """Return the label of one leaf; a secret's value is not repeated."""
    supported = found.strength > 0 or not role.consequential or found.seen is Seen.CONSTANT
    shown = "" if role is Role.SECRET or is_constant(value) else str(value)
    shown = shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 3] + "..."
    return LeafOrigin(pointer, role, guessed, found.seen, supported, shown, found.support, found.suspect, found.note)


def mentioned_amounts(text: str) -> frozenset[int]:
    """The amounts in a piece of text."""
    return frozenset(amounts(text))
