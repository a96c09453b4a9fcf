"""What redaction finds and what it takes without need, per kind; how fast it is; and that nothing makes it slow.

`python -m benchmarks.redaction`, from the repository's root. The texts are tests/unit/checks/labelled, made by
scripts/redaction_set.py.
"""

import hashlib
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from interlock.checks.detectors import DETECTORS
from interlock.checks.finding import Detector, Find
from interlock.checks.redactor import Redactor
from scripts.redaction_set import leaks, read

_SEED = 20_261_120
_MIB = 1 << 20
_SPAN = 2_048
_GOALS = (
    "goals: recall >= 99 %, negatives touched <= 5 %, clean text >= 4 MB/s, twice the hostile text in twice the time"
)
_WORDS = (
    "the agent asked which customer order should be refunded because delivery was late and support said that they would",
    "check again tomorrow before they decide what happens next with this ticket while others wait for an answer",
)
HOSTILE = {
    "letters": "a", "ats": "@", "mail starts": "a@", "domains": "x@a.", "hyphens": "x@" + "a-" * 30, "spelled": "a [at] ",
    "digits": "1", "spaced digits": "1 ", "card groups": "4444 ", "iban starts": "DE12 ", "phones": "+1((((((((",
    "numbers of states": "1990-01-", "named numbers": "NHS ", "names and digits": "SSN 1234 ", "italian": "ABCDEF12",
    "jwt starts": "eyJ", "jwt parts": "eyJaaaaaaaa.", "keys": "sk-", "keys cut": "ghp_abcdefgh ", "many keys": "AKIA sk-a SG.b ",
    "pem starts": "-----BEGIN RSA PRIVATE KEY-----", "dashes": "-----BEGIN ", "split keys": "sk-a\n", "line breaks": "a\n",
    "addresses": "1.1.1.1.", "colons": ":", "hex colons": "a:", "urls": "://a:", "url ats": "x://a:b@",
    "headers": "authorization: ",
    "cookies": "cookie: a", "passwords": "password=", "quoted": 'password":"', "tokens is": "token is ", "base64": "QUJD",
    "base64 words": "dGhlIHF1aWNrIGJyb3duIGZveCBq", "percents": "%41", "broken percents": "%4", "entities": "&#65;",
    "escapes": "\\u0041", "marks": "\u0315\u0300", "ligatures": "\ufdfa", "hidden": "1\u200b", "wide": "\uff11",
    "brackets": "[at]", "finds": "a@b.co ", "secrets": "known-secret-number-7 ",
}  # fmt: skip


def prose(rng: random.Random, size: int) -> str:
    """Return sentences."""
    words = " ".join(_WORDS).split()
    pieces: list[str] = []
    while sum(map(len, pieces)) < size:
        pieces.append(" ".join(rng.choices(words, k=rng.randrange(6, 18))).capitalize() + rng.choice(".?!") + " ")
    return "".join(pieces)[:size]


def tool_result(rng: random.Random, size: int) -> str:
    """Return JSON as tools answer it: ids, amounts, notes."""
    rows, length = [], 0
    while length < size:
        row = json.dumps(
            {
                "order_id": rng.randrange(10**6),
                "status": rng.choice(("open", "shipped")),
                "amount": round(rng.random() * 100, 2),
                "note": prose(rng, 60),
                "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            }
        )
        rows.append(row)
        length += len(row)
    return f"[{','.join(rows)}]"[:size]


def log_lines(rng: random.Random, size: int) -> str:
    """Return lines with timestamps, ids and hashes."""
    lines, length = [], 0
    while length < size:
        when = f"2026-11-20T{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}.113Z"
        run = uuid.UUID(int=rng.getrandbits(128), version=4)
        sha = hashlib.sha256(rng.randbytes(4)).hexdigest()
        line = f"{when} INFO worker-{rng.randrange(9)} run={run} sha={sha} took {rng.randrange(999)} ms\n"
        lines.append(line)
        length += len(line)
    return "".join(lines)[:size]


def german(rng: random.Random, size: int) -> str:
    """Return sentences with letters outside of ASCII."""
    words = prose(rng, size).replace("ou", "ü").replace(" the ", " – ").replace("ha", "ä")
    return words[:size]


CLEAN: dict[str, Callable[[random.Random, int], str]] = {
    "prose": prose,
    "prose, not ASCII": german,
    "results of tools (JSON)": tool_result,
    "log lines": log_lines,
}


def found_and_missed() -> None:
    """Print recall by kind, and the negatives that are touched."""
    positives, negatives = read("positives"), read("negatives")
    redactor = Redactor.of({line["secret"] for line in positives} - {""})
    total, missed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for line in positives:
        key = (line["kind"], line["part"])
        total[key] += 1
        missed[key] += leaks(line, redactor.words(line["text"]))
    print(f"{'kind':<20}{'shapes':>8}{'texts':>8}{'recall':>9}{'held out':>10}")
    for kind in sorted({kind for kind, _ in total}):
        shapes = len({line["shape"] for line in positives if line["kind"] == kind})
        all_of_it, lost = (
            sum(n for (k, _), n in total.items() if k == kind),
            sum(n for (k, _), n in missed.items() if k == kind),
        )
        held, held_lost = total[kind, "held_out"], missed[kind, "held_out"]
        print(f"{kind:<20}{shapes:>8}{all_of_it:>8}{1 - lost / all_of_it:>9.2%}{1 - held_lost / held:>10.2%}")
    whole, lost = sum(total.values()), sum(missed.values())
    print(
        f"{'all':<20}{len({(line['kind'], line['shape']) for line in positives}):>8}{whole:>8}{1 - lost / whole:>9.2%}"
    )
    touched = Counter(line["family"] for line in negatives if redactor.text(line["text"])[1])
    families = ", ".join(f"{family} {count}" for family, count in touched.most_common()) or "none"
    print(f"\nnegatives touched: {sum(touched.values())} of {len(negatives)} ({families})")


def _rate(work: Callable[[Any], object], over: Sequence[Any], size: int, least_s: float = 0.3) -> float:
    started, times = time.process_time(), 0
    while (spent := time.process_time() - started) < least_s:
        for one in over:
            work(one)
        times += 1
    return size * times / spent / 1e6


def speed() -> None:
    """Print how many megabytes a second of CPU takes, by what the text is."""
    redactor = Redactor.of([f"known-secret-number-{number}" for number in range(20)])
    rng = random.Random(_SEED)
    print(
        f"\n{'clean text, MB/s':<28}{'gate, binary':>14}{'gate, text':>12}{'text()':>10}{'value()':>10}   2 KiB and 1 MiB each"
    )
    for name, make in CLEAN.items():
        for size, count in ((_SPAN, 64), (_MIB, 2)):
            texts = [make(rng, size) for _ in range(count)]
            raw = [text.encode() for text in texts]
            whole = sum(map(len, raw))
            works: tuple[tuple[Callable[[Any], object], Sequence[Any]], ...] = (
                (redactor.gate, raw),
                (partial(redactor.gate, binary=False), raw),
                (redactor.text, texts),
                (redactor.value, [{"text": text} for text in texts]),
            )
            figures = [_rate(work, over, whole) for work, over in works]
            suspected = sum(redactor.gate(one) for one in raw)
            shown = "".join(f"{figure:>{width}.0f}" for figure, width in zip(figures, (14, 12, 10, 10), strict=True))
            print(f"{name:<28}{shown}   binary gate speaks {suspected}/{count}")


def hostile() -> None:
    """Print how long 1 MiB of what is meant to be slow takes, against half of it: as a whole, and every detector without gate."""
    redactor = Redactor.of([f"known-secret-number-{number}" for number in range(20)])
    print(f"\n{'hostile, 1 MiB':<28}{'text() ms':>10}{'ratio':>7}{'slowest detector ms':>22}{'ratio':>7}")
    for name, unit in HOSTILE.items():
        halves = [unit * (size // len(unit.encode())) for size in (_MIB // 2, _MIB)]
        whole = [_once(redactor.text, text) for text in halves]
        alone = [[_once(partial(_all_of, one), text) for one in DETECTORS] for text in halves]
        worst = max(range(len(DETECTORS)), key=lambda index: alone[1][index])
        print(
            f"{name:<28}{whole[1] * 1000:>10.0f}{whole[1] / whole[0]:>7.1f}"
            f"{alone[1][worst] * 1000:>22.0f}{alone[1][worst] / alone[0][worst]:>7.1f}"
        )


def _all_of(detector: Detector, text: str) -> list[Find]:
    return list(detector.find(text))


def _once(work: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    work(text)
    return max(time.process_time() - started, 1e-4)


def main() -> None:
    """Print everything."""
    print(_GOALS, end="\n\n")
    found_and_missed()
    speed()
    hostile()


if __name__ == "__main__":
    main()
