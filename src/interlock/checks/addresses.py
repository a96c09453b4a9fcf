"""Addresses of people and of machines."""

import ipaddress
import re
from collections.abc import Iterator

from interlock.checks.finding import Detector, Find

_LOCAL = frozenset("!#$%&'*+-/=?^_`{|}~.")
_QUOTES = frozenset("'`")
_LONGEST_LOCAL = 64
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}")
_AT = re.compile(
    r"([\w!#$%&*+/=?^{|}~.'-]{1,64})\s?(?:\[|\(|\{|<)\s?at\s?(?:\]|\)|\}|>)\s?"
    r"((?:[^\W_][\w-]{0,61}(?:\s?(?:\[|\(|\{|<)\s?dot\s?(?:\]|\)|\}|>)\s?|\.)){1,8}[^\W\d_]{2,24})",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w)(?!\.\w)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])", re.ASCII)
_FEWEST = 3
"""Hexadecimal digits of an address that is taken for one: `::1` is nobody's, `a::b` is a word of a programming language."""


def _emails(text: str) -> Iterator[Find]:
    at = text.find("@")
    while at >= 0:
        start = at
        while start > 0 and at - start < _LONGEST_LOCAL and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
            start -= 1
        while start < at and text[start] in _QUOTES:
            start += 1
        domain = _DOMAIN.match(text, at + 1) if start < at else None
        if domain is not None:
            yield Find(start, domain.end(), "email")
        at = text.find("@", at + 1)


def _spelled(text: str) -> Iterator[Find]:
    return (Find(match.start(), match.end(), "email") for match in _AT.finditer(text))


def _machines(text: str) -> Iterator[Find]:
    for match in _IPV4.finditer(text):
        if _somewhere(match.group()):
            yield Find(match.start(), match.end(), "ip")
    for match in _IPV6.finditer(text):
        said = match.group()
        if len(said.replace(":", "")) >= _FEWEST and _somewhere(said):
            yield Find(match.start(), match.end(), "ip")


def _somewhere(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


ADDRESSES = (
    Detector(
        (
            r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]@[A-Za-z0-9._\-]*\.[A-Za-z]",
            r"[^\x00-\x7f]@",
            r"@[A-Za-z0-9._\-]*[^\x00-\x7f]",
        ),
        _emails,
    ),
    Detector((r"(?i)[\[({<]\s?at\s?[\])}>]",), _spelled),
    Detector(
        (
            r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d",
            r"[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:",
            r"[0-9A-Fa-f]{2}::",
            r"::[0-9A-Fa-f]{2}",
            r"[0-9A-Fa-f]::[0-9A-Fa-f]",
        ),
        _machines,
    ),
)
