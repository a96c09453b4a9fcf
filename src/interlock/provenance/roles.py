"""Which role an argument has: as declared, else guessed from its name and schema, erring on the safe side."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.provenance import Role
from interlock.provenance.values import words

MAX_LEAVES = 2_000
"""Arguments with more leaves than this are not looked at one by one; they count as unsupported."""
_BY_WORD: tuple[tuple[Role, str], ...] = (
    (
        Role.SECRET,
        """
        apikey credential credentials otp passphrase passwd password pin secret token
        """,
    ),
    (
        Role.URL,
        """
        callback domain endpoint host href link uri url webhook website
        """,
    ),
    (
        Role.ACCOUNT,
        """
        account beneficiary bic card iban payee payer routing swift wallet
        """,
    ),
    (
        Role.RECIPIENT,
        """
        assignee attendee attendees bcc cc channel email emails handle invitee invitees mail member
        members mobile owner participant participants phone receiver recipient recipients sender to
        user username
        """,
    ),
    (
        Role.AMOUNT,
        """
        amount balance cost discount fee limit price qty quantity rate sum total value
        """,
    ),
    (
        Role.COMMAND,
        """
        cmd code command exec expression program query_string script shell sql
        """,
    ),
    (
        Role.ADDRESS,
        """
        address address1 address2 city country postal postcode state street zip
        """,
    ),
    (
        Role.FILE,
        """
        attachment attachments directory document file filename folder path
        """,
    ),
    (
        Role.DATE,
        """
        date datetime day deadline end month start time timestamp until when year
        """,
    ),
    (
        Role.TEXT_OUT,
        """
        body comment content description html message note reply subject summary text title
        """,
    ),
    (
        Role.ID,
        """
        id identifier ids key name no number ref reference uuid
        """,
    ),
)
_WORD_ROLES = tuple((role, frozenset(text.split())) for role, text in _BY_WORD)
_BY_FORMAT = {
    "email": Role.RECIPIENT,
    "idn-email": Role.RECIPIENT,
    "uri": Role.URL,
    "uri-reference": Role.URL,
    "iri": Role.URL,
    "hostname": Role.URL,
    "uuid": Role.ID,
    "date": Role.DATE,
    "date-time": Role.DATE,
    "time": Role.DATE,
    "password": Role.SECRET,
}


def guess_role(pointer: str, schema: Mapping[str, Json] | None = None) -> Role:
    """Return the role that a field's name and schema suggest; ID, which needs support, when they suggest nothing."""
    if schema is not None:
        if schema.get("type") == "boolean" or "enum" in schema or "const" in schema:
            return Role.PLAIN
        if (known := _BY_FORMAT.get(str(schema.get("format", "")))) is not None:
            return known
    return _guess_name(pointer)


@lru_cache(maxsize=4096)
def _guess_name(pointer: str) -> Role:
    for segment in reversed(pointer.split("/")):
        if not segment or segment.isdigit():
            continue
        split = "".join(f" {char}" if char.isupper() else char for char in segment)
        named = words(split.lower())
        for word in reversed(named):
            for role, known in _WORD_ROLES:
                if word in known:
                    return role
        return Role.ID
    return Role.ID


class Roles:
    """The roles of one contract's arguments, found once per pointer."""

    def __init__(self, declared: tuple[tuple[str, Role], ...]) -> None:
        self.declared = declared
        self.aims = any(role in _TO_WHOM for _, role in declared)
        """Whether the contract says which argument names a receiver."""
        self._known: dict[str, tuple[Role, bool]] = {}

    def __getitem__(self, pointer: str) -> tuple[Role, bool]:
        found = self._known.get(pointer)
        if found is None:
            found = role_of(pointer, self.declared)
            if len(self._known) < MAX_LEAVES:
                self._known[pointer] = found
        return found


_TO_WHOM = frozenset({Role.RECIPIENT, Role.ACCOUNT})


@lru_cache(maxsize=1024)
def roles_of(declared: tuple[tuple[str, Role], ...]) -> Roles:
    """Return the roles that one contract declares, ready to be looked up."""
    return Roles(declared)


def role_of(pointer: str, declared: tuple[tuple[str, Role], ...]) -> tuple[Role, bool]:
    """Return the role of the argument at `pointer`, and whether it is guessed. The longest pattern wins."""
    best: tuple[int, Role] | None = None
    segments = pointer.split("/")
    for pattern, role in declared:
        if covers(pattern, segments) and (best is None or len(pattern) > best[0]):
            best = (len(pattern), role)
    return (best[1], False) if best else (_guess_name(pointer), True)


def covers(pattern: str, segments: list[str]) -> bool:
    """Whether a pointer pattern names these segments or something above them. `*` and `{}` stand for any one segment."""
    parts = pattern.split("/")
    return len(parts) <= len(segments) and all(
        part in ("*", "{}", segment) for part, segment in zip(parts, segments, strict=False)
    )


def leaves_of(arguments: JsonObject) -> Iterator[tuple[str, Json]]:
    """Yield every leaf with its JSON pointer, in order; a key that is data (no schema names it) stays in the pointer."""
    stack: list[tuple[str, Json]] = [("", arguments)]
    while stack:
        pointer, value = stack.pop()
        if isinstance(value, Mapping) and value:
            stack.extend((f"{pointer}/{escaped(str(key))}", value[key]) for key in reversed(list(value)))
        elif isinstance(value, list | tuple) and value:
            stack.extend((f"{pointer}/{at}", value[at]) for at in range(len(value) - 1, -1, -1))
        else:
            yield pointer, value


def escaped(segment: str) -> str:
    """Return a key as a JSON pointer segment."""
    return segment.replace("~", "~0").replace("/", "~1") if "~" in segment or "/" in segment else segment
