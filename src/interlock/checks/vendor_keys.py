"""Keys as their vendors shape them, tokens in JSON Web form, and private keys."""

import re
from collections.abc import Iterator

from interlock.checks.finding import Detector, Find

_SHAPES = (
    # prefix, what follows at least, and of what; from the documentation that scripts/redaction_shapes.py names
    (r"sk-", 20, r"[\w-]"),
    (r"sk-lf-", 8, r"[\w-]"),
    (r"[sprw]k_(?:live|test|prod)_", 16, r"[A-Za-z0-9]"),
    (r"whsec_", 20, r"[A-Za-z0-9+/=]"),
    (r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)", 16, r"[A-Z0-9]"),
    (r"ABSK", 60, r"[A-Za-z0-9+/=]"),
    (r"bedrock-api-key-", 40, r"[A-Za-z0-9+/=]"),
    (r"gh[pousr]_", 30, r"[A-Za-z0-9]"),
    (r"github_pat_", 40, r"\w"),
    (r"gl(?:pat|rt|dt|cbt|ptt|ft|soat|agent|oas|imt|ffct)-", 20, r"[\w.-]"),
    (r"xox[abeoprs]-", 10, r"[A-Za-z0-9-]"),
    (r"xapp-", 20, r"[A-Za-z0-9-]"),
    (r"xoxe\.xox[bp]-", 20, r"[A-Za-z0-9-]"),
    (r"AIza", 35, r"[\w-]"),
    (r"ya29\.", 30, r"[\w-]"),
    (r"GOCSPX-", 20, r"[\w-]"),
    (r"SG\.[\w-]{16,64}\.", 16, r"[\w-]"),
    (r"SK", 32, r"[0-9a-f]"),
    (r"AC", 32, r"[0-9a-f]"),
    (r"npm_", 36, r"[A-Za-z0-9]"),
    (r"pypi-", 40, r"[\w-]"),
    (r"hf_", 30, r"[A-Za-z0-9]"),
    (r"api_org_", 30, r"[A-Za-z0-9]"),
    (r"gsk_", 40, r"[A-Za-z0-9]"),
    (r"r8_", 30, r"[A-Za-z0-9]"),
    (r"pplx-", 32, r"[A-Za-z0-9]"),
    (r"xai-", 40, r"[\w-]"),
    (r"do[opr]_v1_", 40, r"[0-9a-f]"),
    (r"shp(?:at|ca|pa|ss)_", 32, r"[0-9a-fA-F]"),
    (r"dapi", 32, r"[0-9a-f-]"),
    (r"hv[sbr]\.", 24, r"[\w-]"),
    (r"gl(?:sa|c)_", 32, r"[\w+/=]"),
    (r"lin_(?:api|oauth)_", 32, r"[A-Za-z0-9]"),
    (r"(?:ntn|secret)_", 40, r"[A-Za-z0-9]"),
    (r"PMAK-", 40, r"[A-Za-z0-9-]"),
    (r"(?:pub)?key-", 32, r"[0-9a-f]"),
    (r"NR(?:AK|II|JS|RA)-", 19, r"[A-Za-z0-9-]"),
    (r"AT(?:ATT|CTT|BBT)3", 60, r"[\w=-]"),
    (r"dckr_(?:pat|oat)_", 24, r"[\w-]"),
    (r"dp\.(?:pt|st|sa|ct|scim|audit)\.", 40, r"[\w.-]"),
    (r"sntry[su]_", 40, r"[A-Za-z0-9+/=_-]"),
    (r"(?:EAAA|sq0(?:atp|csp|idp)-)", 22, r"[\w-]"),
    (r"\d{8,10}:AA", 30, r"[\w-]"),
    (r"https?://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/", 30, r"[\w-]"),
    (r"https?://hooks\.slack\.com/(?:services|workflows)/", 20, r"[A-Za-z0-9/]"),
    (r"https://[a-z0-9-]+\.webhook\.office\.com/webhookb2/", 60, r"[A-Za-z0-9/@-]"),
    (r"AGE-SECRET-KEY-1", 50, r"[A-Z0-9]"),
    (r"sbp_", 40, r"[0-9a-f]"),
    (r"sb_secret_", 20, r"[\w-]"),
    (r"lsv2_(?:pt|sk)_", 32, r"[0-9a-f_]"),
    (r"[\w~.]{3}\dQ~", 31, r"[\w~.-]"),
    (r"tfp_|rnd_|fly_|nfp_|figd_|pul-|rubygems_|CLOJARS_", 30, r"[\w-]"),
    (r"fm[12][ar]?_", 60, r"[A-Za-z0-9+/=]"),
    (r"co_|cohere_", 40, r"[A-Za-z0-9]"),
    (r"tvly-", 20, r"[\w-]"),
    (r"pcsk_", 40, r"\w"),
    (r"il[kt]_", 40, r"[\w-]"),
)
_LONGEST = 1_200
_KEY = re.compile(
    "(?<![A-Za-z0-9])(?:" + "|".join(f"(?:{p}){c}{{{n},{_LONGEST}}}" for p, n, c in _SHAPES) + ")", re.ASCII
)
_JWT = re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){1,3}", re.ASCII)
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END, _PEM_FRAME = "-----END", "-----"
_SPLIT = re.compile(r"(?<=[\w./+=-])(?:\r?\n|\\r|\\n)[ \t>]*(?=[\w/+=-])", re.ASCII)


def _private_keys(text: str) -> Iterator[Find]:
    position = 0
    while (begin := _PEM_BEGIN.search(text, position)) is not None:
        end = text.find(_PEM_END, begin.end())
        frame = text.find(_PEM_FRAME, end + len(_PEM_END)) if end >= 0 else -1
        position = len(text) if frame < 0 else frame + len(_PEM_FRAME)
        yield Find(begin.start(), position, "private_key")


def _keys(text: str) -> Iterator[Find]:
    return (Find(match.start(), match.end(), "api_key") for match in _KEY.finditer(text))


def _jwts(text: str) -> Iterator[Find]:
    return (Find(match.start(), match.end(), "jwt") for match in _JWT.finditer(text))


def _split_keys(text: str) -> Iterator[Find]:
    """Yield keys that a line break divides: they are looked for in the text with its lines joined."""
    pieces: list[str] = []
    joints: list[tuple[int, int]] = []
    position, length = 0, 0
    for gap in _SPLIT.finditer(text):
        pieces.append(text[position : gap.start()])
        length += gap.start() - position
        joints.append((length, gap.end()))
        position = gap.end()
    if not joints:
        return
    pieces.append(text[position:])
    joined = "".join(pieces)
    for pattern, kind in ((_KEY, "api_key"), (_JWT, "jwt")):
        yield from _across(pattern, kind, joined, joints)


def _across(pattern: re.Pattern[str], kind: str, joined: str, joints: list[tuple[int, int]]) -> Iterator[Find]:
    """Yield what `pattern` finds over a joint, where it stands in the text itself. Joints and finds are both in order."""
    index = 0
    shift = 0
    for match in pattern.finditer(joined):
        while index < len(joints) and joints[index][0] <= match.start():
            shift = joints[index][1] - joints[index][0]
            index += 1
        start, last = match.start() + shift, index
        while last < len(joints) and joints[last][0] < match.end():
            last += 1
        if last > index and _random(match.group()):
            yield Find(start, match.end() + joints[last - 1][1] - joints[last - 1][0], kind)


def _random(said: str) -> bool:
    """Return whether `said` is no list of words that begins like a key."""
    return any(char.isdecimal() for char in said) or (not said.islower() and not said.isupper())


def _short(pattern: str) -> str:
    """Return `pattern` for a hint, which asks for less of what follows."""
    return pattern.replace("{16,64}", "{8,}").replace(r"\d{8,10}", r"\d+").replace(r"\d{17,20}", r"\d+")


_BREAK = r"(?:\r?\n|\\r|\\n)"
_PREFIXES = "|".join(_short(p) for p, _, _ in _SHAPES)
KEYS = (
    Detector((r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",), _private_keys),
    Detector((r"\dQ~[\w~.\-]{12}", *(rf"(?:\b|_)(?:{_short(p)}){c}{{{min(n, 12)}}}" for p, n, c in _SHAPES)), _keys),
    Detector((r"eyJ[\w\-]{8}",), _jwts),
    Detector(
        (rf"\b(?:{_PREFIXES}|eyJ)[\w./+=\-]*{_BREAK}[ \t>]*[\w/+=\-]", rf"/api/webhooks/\d*{_BREAK}"), _split_keys
    ),
)
