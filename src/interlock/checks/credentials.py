"""Words that open doors by where they stand: in a URL, a header, an assignment."""

import re
from collections.abc import Iterator

from interlock.checks.finding import Detector, Find

_IN_URL = re.compile(r"://[^\s/:@'\"<>\\]{0,200}:((?!\d{1,5}(?:[/?#]|$))[^\s@'\"<>\\]{1,300})@", re.ASCII)
_HEADER = re.compile(
    r"(?<![A-Za-z])(?:(?:proxy-)?authorization|x-(?:[a-z]+-){0,3}(?:key|token|secret|auth)|api-key|private-token|[a-z]+-api-key)"
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:basic|bearer|token|apikey|digest|negotiate|bot)\s{1,3})?"
    r"([^\s\"',;\\]{6,4096})",
    re.ASCII | re.IGNORECASE,
)
_BEARER = re.compile(r"(?<![A-Za-z])(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/=-]{16,4096})", re.ASCII | re.IGNORECASE)
_COOKIE = re.compile(
    r"(?<![A-Za-z-])(?:set-)?cookie[\"']?\s{0,3}:\s{0,3}[\"']?([^\r\n\"'\\]{4,4096})", re.ASCII | re.IGNORECASE
)
_CURL = re.compile(
    r"\bcurl\b[^\r\n]{0,300}?\s(?:-u|--user|--proxy-user)[ =]\s{0,3}[\"']?((?=[^\s\"']{4})[^\s\"':]{0,100}:[^\s\"']{0,200})",
    re.ASCII,
)
_WORD = (
    r"(?:pass[_-]?(?:word|wd|phrase|code)|passwort|pwd|secret(?:[_-]?(?:access[_-]?)?key)?|api[_-]?key|access[_-]?key|account[_-]?key"
    r"|shared[_-]?access[_-]?(?:key|signature)|private[_-]?key|encryption[_-]?key|signing[_-]?key|auth[_-]?key|client[_-]?secret"
    r"|(?:access|auth|refresh|id|api|bearer|session|bot|secret|private)[_-]?token|(?<!page[_-])(?<!page)(?<!next_)(?<!continuation_)token)"
)
_QUOTED = re.compile(
    _WORD + r"\\{0,3}([\"'])\s{0,3}(?::|=>|=)\s{0,3}\\{0,3}([\"'])([^\"'\\\r\n]{4,4096})", re.ASCII | re.IGNORECASE
)
_ASSIGNED = re.compile(
    _WORD
    + r"\\{0,3}[\"'\])]{0,2}(?:\s{0,3}(?::=|=>|=|:)\s{0,3}|\s{1,3}(?:is|ist|es|est|was|lautet)(?::?\s{1,3}))\\{0,3}[\"'`«]?"
    r"([^\s\"'`,;&<>\\«»]{6,4096})",
    re.ASCII | re.IGNORECASE,
)
_NO_VALUE = re.compile(
    r"\$\{|\$\(|\$[A-Z_]+$|\{\{|\{[a-z_]+\}|%\(|%s|\*+$|\[|\(|<|(?:env|file|keyring|vault|https?|ssm|sops):"
    r"|(?:os|process|self|this|config|settings|var|local|data|secrets|request|args|module)\.|[A-Za-z_][\w.]*[(\[]"
    r"|[xX]{3,}|\.{3}|(?:null|none|true|false|string|required|optional|redacted|undefined|changeme|text)\b",
    re.IGNORECASE,
)
_ENDS = ".,;:!?)]}»”。；，）'\""
_LETTER, _OTHER = re.compile(r"[^\W\d_]"), re.compile(r"[\d!$%^*_~#+/=@-]")
_FEWEST = 6
_SECRET_NAME = re.compile(
    rf"(?:^|[_.\s-]|(?<=[a-z]))(?:{_WORD}|authorization|cookie|set-cookie)$", re.ASCII | re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds something that opens doors."""
    return _SECRET_NAME.search(name) is not None and not name.lower().endswith(("page_token", "pagetoken"))


def is_value(text: str) -> bool:
    """Return whether `text` is a value, and not a reference to one or its placeholder."""
    return bool(text.strip()) and _NO_VALUE.match(text) is None


def _credentials(text: str) -> Iterator[Find]:
    for pattern in (_IN_URL, _HEADER, _BEARER, _COOKIE, _CURL):
        for match in pattern.finditer(text):
            if is_value(match.group(1)):
                yield Find(match.start(1), match.end(1), "credential")
    for match in _QUOTED.finditer(text):
        if is_value(match.group(3)):
            yield Find(match.start(3), match.end(3), "credential")
    for match in _ASSIGNED.finditer(text):
        value = match.group(1).rstrip(_ENDS)
        if len(value) >= _FEWEST and _LETTER.search(value) and _OTHER.search(value) and is_value(value):
            yield Find(match.start(1), match.start(1) + len(value), "credential")


_SPACE = r"[\s\x{a0}\x{2000}-\x{200a}\x{202f}\x{3000}]"
_HINTED = r"(?:pass[_\-]?(?:word|wd|phrase|code)|passwort|pwd|secret|[a-z][_\-]?key|signature|token)"
CREDENTIALS = (
    Detector(
        (
            r"://[^\s/:@'\"<>\\]*:[^\s@'\"<>\\]+@",
            rf"(?i)(?:authorization|cookie|-key|-token|-secret|-auth)[\"']?{_SPACE}*[:=]",
            rf"(?i)(?:bearer|basic){_SPACE}+[a-z0-9._~+/=\-]{{16}}",
            rf"curl{_SPACE}[^\r\n]*-(?:u|-user|-proxy-user)[ =]",
            rf"(?i){_HINTED}[\"'\])\\]*{_SPACE}*(?:=|:)[>=]?{_SPACE}*[\"'`«\\]*[^\s\"'`,;&<>\\]{{4}}",
            rf"(?i){_HINTED}{_SPACE}+(?:is|ist|es|est|was|lautet)\b",
        ),
        _credentials,
    ),
)
