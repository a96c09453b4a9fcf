"""Label every value of a proposed call with where it was seen, and conclude whether the call stands on trusted ground."""

import re
from typing import Final

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.provenance import LeafOrigin, Place, Provenance, Role, Seen, Verdict
from interlock.provenance import values
from interlock.provenance.evidence import Evidence
from interlock.provenance.index import Index
from interlock.provenance.numbers import derives, to_units
from interlock.provenance.roles import MAX_LEAVES, leaves_of, roles_of
from interlock.provenance.support import AMOUNTS, Found, find, leaf_origin, mentioned_amounts

Leaf = tuple[str, Role, Json, Found]
_WHERE = frozenset({Role.RECIPIENT, Role.ACCOUNT, Role.URL, Role.ID, Role.FILE, Role.ADDRESS})
_TO_WHOM = frozenset({Role.RECIPIENT, Role.ACCOUNT})
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"')\]]{1,2000}|(?<![\w@.])(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,12}/[^\s<>\"')\]]{1,2000}",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"(?<![\w@/.-])(?=[A-Za-z]*\d)[A-Za-z0-9]{12,40}(?![\w@])")
_SENTENCE = re.compile(r"[.!?;]\s|\n")
MAX_OUT = 1 << 18
"""Characters of outgoing text that are searched for what must not leave; longer texts count as carrying it."""
_LEFT_OUT: Final = Found(Seen.COMPOSED, note="the call has more values than are looked at")


def trace(
    arguments: JsonObject,
    roles: tuple[tuple[str, Role], ...],
    evidence: Evidence,
    *,
    asked_by: tuple[str, ...] = (),
) -> Provenance:
    """Return where each value of `arguments` was seen in `evidence`, and the verdict on the call.

    `roles` maps JSON-pointer patterns to roles, as the contract declares them; the rest is guessed. `asked_by` holds
    the beginnings of words by which a user asks for this act ("delet", "remov"); when it is given and no trusted text
    has one of them, the act itself has no support. Never raises for what the arguments contain.
    """
    index = evidence.index
    leaves: list[Leaf] = []
    origins: list[LeafOrigin] = []
    if asked_by:
        origins.append(leaf_origin("", Role.ACTION, None, _asked(asked_by, index), guessed=False))
    table = roles_of(roles)
    guesses: list[bool] = []
    for count, (pointer, value) in enumerate(leaves_of(arguments)):
        role, guessed = table[pointer]
        if count >= MAX_LEAVES:
            leaves.append((pointer, Role.ID, value, _LEFT_OUT))
            guesses.append(guessed)
            break
        leaves.append((pointer, role, value, find(value, role, pointer, index)))
        guesses.append(guessed)
    for (pointer, role, value, found), guessed in zip(_judged(leaves, index, aimed=table.aims), guesses, strict=True):
        origins.append(leaf_origin(pointer, role, value, found, guessed=guessed))
    return Provenance(_verdict(origins, index), tuple(origins))


def _verdict(origins: list[LeafOrigin], index: Index) -> Verdict:
    if all(origin.supported for origin in origins):
        return Verdict.SUPPORTED
    return Verdict.UNTRUSTED_DERIVED if index.tainted else Verdict.UNSUPPORTED


def _judged(leaves: list[Leaf], index: Index, *, aimed: bool) -> list[Leaf]:
    """Apply what only the call as a whole can tell: amounts bound to a recipient, and what a text carries out."""
    judged: list[Leaf] = []
    for leaf in leaves:
        pointer, role, value, found = leaf
        if role in AMOUNTS and found.strength:
            units = to_units(value, minor=role is Role.AMOUNT_MINOR)
            found = _bound(units, found, leaves, index)
        elif role is Role.TEXT_OUT and isinstance(value, str):
            found = _outgoing(value, found, leaves, index, aimed=aimed)
        judged.append((pointer, role, value, found))
    return judged


def _bound(units: int | None, found: Found, leaves: list[Leaf], index: Index) -> Found:
    """An amount that the user did not give for this recipient, although the user gave this recipient an amount."""
    if units is None:
        return found
    for _, role, receiver, seen in leaves:
        if role not in _TO_WHOM or seen.seen is not Seen.USER:
            continue
        own = _amounts_beside(values.key_of(str(receiver)[: values.MAX_KEY]), index)
        if own and not derives(units, own, index.user.rates, tuple(index.user.amounts)):
            place = index.user.phrases[0][1]
            note = "the user named another amount for this recipient"
            return Found(Seen.MISMATCH, 0, (), (place,), note)
    return found


def _amounts_beside(key: str, index: Index) -> tuple[int, ...]:
    """The amounts in the sentences of the user that name `key`."""
    if key not in index.user.atoms:
        return ()
    found: dict[int, None] = {}
    for text, _ in index.user.raw:
        for sentence in _SENTENCE.split(text):
            if key in values.chunks(values.plain(sentence)):
                found.update(dict.fromkeys(mentioned_amounts(sentence)))
    return tuple(found)


def _outgoing(text: str, found: Found, leaves: list[Leaf], index: Index, *, aimed: bool) -> Found:
    """Free text is the model's to write, if somebody trusted named who gets it and it carries nothing out.

    `aimed`: the contract declares who gets it. When such a call names nobody, the text stays inside.
    """
    if found.seen in {Seen.USER, Seen.SYSTEM}:
        return found
    if len(text) > MAX_OUT:
        return Found(Seen.LEAK, 0, (), (), "the text is too long to be searched")
    leak = _link_out(text, index) or _account_out(text, index) or _private_out(text, index)
    if leak is not None:
        return leak
    places = [one[3] for one in leaves if one[1] in _WHERE and one[3].seen is not Seen.CONSTANT]
    if not index.tainted or any(one.strength for one in places) or (aimed and not places):
        return Found(found.seen, 1, found.support, found.suspect, found.note)
    return Found(found.seen, 0, (), found.suspect, "nobody trusted named who may read it")


def _link_out(text: str, index: Index) -> Found | None:
    if "/" not in text and "www." not in text and "WWW." not in text:
        return None
    for link in _LINK.findall(text):
        key = values.key_of(link)
        if not find(key, Role.URL, "", index).strength:
            return _leak(f"the link {link[:80]} is none that the user gave", key, index)
    return None


def _account_out(text: str, index: Index) -> Found | None:
    for account in _ACCOUNT.findall(text):
        if sum(map(str.isdigit, account)) >= 8 and not find(account, Role.ACCOUNT, "", index).strength:
            return _leak("an account or card number is none that the user gave", values.key_of(account), index)
    return None


def _private_out(text: str, index: Index) -> Found | None:
    if not index.private:
        return None
    low = values.plain(text)
    for atom in (*values.chunks(low), *values.spaced_numbers(low)):
        place = index.private.get(atom) or (index.private.get(values.compact(atom)) if len(atom) > 5 else None)
        if place is not None and not _asked_for(atom, place, index):
            return Found(Seen.LEAK, 0, (), (place,), "the field is private and the user did not ask to send it")
    return None


def _asked_for(atom: str, place: Place, index: Index) -> bool:
    label = values.phrase(values.plain(place.pointer.rsplit("/", 1)[-1]).replace("_", " "))
    return index.user.atom(atom) is not None or (len(label) > 2 and index.user.says(label) is not None)


def _leak(note: str, key: str, index: Index) -> Found:
    place = index.named_by_untrusted(key)
    return Found(Seen.LEAK, 0, (), (place,) if place else (), note)


def _asked(words: tuple[str, ...], index: Index) -> Found:
    for said in (index.user, index.system):
        for word in words:
            if (place := said.says(f" {values.plain(word)}")) is not None:
                return Found(Seen.USER if said is index.user else Seen.SYSTEM, 2, (place,))
    return Found(Seen.COMPOSED, 0, (), (), f"the user asks nowhere to {words[0]}...")
