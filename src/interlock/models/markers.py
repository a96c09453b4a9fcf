"""What a vector of meaning does not tell apart, and an answer must: numbers, names, not, opposites, when, from what."""

import re
from hashlib import sha256
from itertools import pairwise

from interlock.domain.canonical import Json

# INVARIANT: a marker too many costs a hit; one too few costs a wrong answer. On doubt a word is a marker.

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SPACED = re.compile(r"\S+")
_WRAPPING = ".,;:!?()[]{}<>\"'`“”‘’«»*"
_QUOTED = re.compile(r"\"([^\"]{1,200})\"|“([^”]{1,200})”|`([^`]{1,200})`")
_SIGNS = frozenset("@/\\_#=&+|~^$€£¥%")
_ENDS = frozenset(".!?:\n")
_ALL_CAPITALS = 2

_FROM_ZERO = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBERS = {word: str(number) for number, word in enumerate(_FROM_ZERO.split())} | {
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "hundred": "100",
    "thousand": "1000",
}
_NUMBERS |= {"once": "1x", "twice": "2x", "half": "1/2", "double": "2x", "both": "2", "single": "1", "second": "2nd"}
_NUMBERS |= {"third": "3rd", "million": "1000000", "dozen": "12"}

_NOT = (
    # English; then German, French, Spanish, Italian, Portuguese, Dutch, Scandinavian.
    "not no never none nothing nobody nor neither without cannot cant dont doesnt didnt isnt arent wasnt werent wont "
    "wouldnt shouldnt couldnt hasnt havent hadnt except unless hardly barely fail fails failed failing unable "
    "nicht kein keine keinen keiner keinem nie niemals ohne nichts ne pas jamais sans aucun aucune rien nunca sin ningún "
    "ninguna nada non mai senza nessun nessuna nulla não nem sem nenhum nenhuma niet geen nooit zonder ikke aldri uten "
    "inte aldrig utan ej ingen inget"
)
_NEGATIONS = frozenset(_NOT.split())
_FAMILIES = """
enable activate reactivate | disable deactivate off suspend
increase raise higher | decrease lower reduce down | upgrade | downgrade
add insert create | remove delete erase removal deletion | cancel cancellation | resume renew renewal | pause
start begin | stop end finish quit | restart | open reopen | close
before earlier prior | after later following | first initial | last latest final | next upcoming | previous past
more most extra | less least fewer | minimum min lowest | maximum max highest | above | below under | inside | outside
incoming inbound | outgoing outbound | send sent sender | receive received recipient | import | export
upload | download | lock | unlock | block ban | unblock unban | public | private | internal | external
allow permit | deny forbid prohibit | accept | reject decline refuse | approve | encrypt | decrypt
install | uninstall | subscribe subscription | unsubscribe | connect | disconnect | show visible | hide hidden
out logout signout
buy purchase buyer | sell sold seller | pay payment | refund reimburse | deposit | withdraw withdrawal | credit | debit
free | paid | old former | new | left | right | true | false | cheap cheapest | expensive
domestic national | international abroad foreign | personal | business company corporate | read | write | input | output
join | leave | invite | merge combine | split separate | backup | restore recover | archive | unarchive
daily day | weekly week | monthly month | quarterly quarter | yearly year annual annually | hourly hour | minute
monday | tuesday | wednesday | thursday | friday | saturday | sunday | weekend | weekday | today | tomorrow | yesterday
morning | afternoon | evening | night | spring | summer | autumn fall | winter | north | south | east | west
january | february | march | april | may | june | july | august | september | october | november | december
when | where | who whom whose | why | which
all every everyone everything always | only just | some any
""".replace("\n", "|")
_MEASURED = frozenset({"long", "much", "many", "often", "far", "old", "big", "large", "fast", "soon"})
"""After `how`: another question altogether."""
_SOURCES = frozenset({"from", "than", "before", "after", "instead", "versus", "vs", "into", "onto", "by", "via"})
"""The word behind these is what a swap would swap."""
_ARTICLES = "a an the my your our their his her its this that these those of to i we you"
_LIGHT = frozenset(_ARTICLES.split())
_SUFFIXES = ("ations", "ation", "ions", "ion", "ing", "ied", "ies", "ed", "es", "e", "s", "d", "y")
_SHORTEST_STEM = 3


def markers(text: str) -> list[Json]:
    """Return what of `text` must be the same, in order where order matters, for a reply to serve another text."""
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(text)]
    return [
        _figures(text),
        _names(text),
        ["".join(groups).casefold() for groups in _QUOTED.findall(text)],
        [negation for word in words if (negation := _negation(word))],
        sorted({family for word in words if (family := _FAMILY.get(_stem(word))) is not None}),
        [word for before, word in pairwise(words) if before == "how" and word in _MEASURED],
        _sources(words),
    ]


def order_of(text: str) -> str:
    """Return two short hashes: of the words of `text` whatever their order, and of their order."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return f"{_short(sorted(words))}-{_short(words)}"


def is_reordered(one: str, other: str) -> bool:
    """Return whether two results of `order_of` tell of the same words in another order."""
    words, _, order = one.partition("-")
    other_words, _, other_order = other.partition("-")
    return words == other_words and order != other_order


def _negation(word: str) -> str:
    """Return the negation that `word` is; all spellings of `not` are one."""
    bare = word.replace("'", "")
    if word.endswith("n't") or (bare in _NEGATIONS and bare.endswith(("nt", "not"))):
        return "not"
    return bare if bare in _NEGATIONS else ""


def _figures(text: str) -> list[Json]:
    """Numbers, amounts, codes, addresses: whatever holds a digit or a sign that words do not have."""
    found: list[Json] = []
    for spaced in _SPACED.findall(text):
        bare = spaced.strip(_WRAPPING).casefold()
        if any(char.isnumeric() or char in _SIGNS for char in bare):
            found.append(bare)
        elif bare in _NUMBERS:
            found.append(_NUMBERS[bare])
        elif "-" in bare:
            found += [_NUMBERS[part] for part in bare.split("-") if part in _NUMBERS]
    return found


def _names(text: str) -> list[Json]:
    """Words with a capital where a sentence does not begin, and words of capitals anywhere."""
    found: list[Json] = []
    for match in _WORD.finditer(text):
        word = match.group()
        before = text[: match.start()].rstrip(" \t\"'“‘(")
        begins = not before or before[-1] in _ENDS
        shouted = len(word) >= _ALL_CAPITALS and word.isupper()
        if shouted or any(char.isupper() for char in word[1:]) or (word[0].isupper() and not begins and word != "I"):
            found.append(word.casefold().removesuffix("'s").removesuffix("’s"))
    return [name for name in found if name not in {"i'm", "i’m", "i've", "i’ve", "i'd", "i’d", "i'll", "i’ll"}]


def _sources(words: list[str]) -> list[Json]:
    found: list[Json] = []
    for at, word in enumerate(words):
        if word in _SOURCES:
            behind = next((each for each in words[at + 1 :] if each not in _LIGHT), "")
            found.append(f"{word} {behind}")
    return sorted(found, key=str)


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            return word.removesuffix(suffix)
    return word


def _short(words: list[str]) -> str:
    return sha256("\0".join(words).encode()).hexdigest()[:16]


_FAMILY = {_stem(word): family.split()[0] for family in _FAMILIES.split("|") for word in family.split()}
