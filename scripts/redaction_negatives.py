"""Texts that hold nothing to take out, and look as if they did."""

# ruff: noqa: E501, S311 - tables of forms; nothing here is meant to be hard to guess
import base64
import random
import re
import string
import uuid
from collections.abc import Callable

from scripts.redaction_shapes import ALNUM, BASE64, HEX, chars, luhn_digit

_EACH = 14


def _digits(rng: random.Random, count: int) -> str:
    return rng.choice("123456789") + chars(rng, string.digits, count - 1)


def _failing(rng: random.Random, length: int) -> str:
    body = "4" + chars(rng, string.digits, length - 2)
    return body + str((int(luhn_digit(body)) + rng.randrange(1, 10)) % 10)


def _when(rng: random.Random) -> str:
    return f"2026-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}.{rng.randrange(10**6):06d}"


def _isbn(rng: random.Random) -> str:
    body = "978" + chars(rng, string.digits, 9)
    check = -sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(body)) % 10
    return f"{body[:3]}-{body[3]}-{body[4:7]}-{body[7:12]}-{check}"


def _png(rng: random.Random) -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randrange(200, 1200))).decode()


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


FAMILIES: dict[str, Callable[[random.Random], str]] = {
    "uuid": lambda rng: f"run {_uuid(rng)} finished, parent {_uuid(rng)}",
    "git_commit": lambda rng: f"commit {chars(rng, HEX, 40)}\nMerge: {chars(rng, HEX, 7)} {chars(rng, HEX, 7)}",
    "sha256": lambda rng: f"sha256:{chars(rng, HEX, 64)}  dist/interlock-0.4.0-py3-none-any.whl",
    "integrity": lambda rng: f'"integrity": "sha512-{chars(rng, BASE64, 86)}=="',
    "card_like_failing": lambda rng: f"reference {_failing(rng, 16)} was not found",
    "card_like_spaced": lambda rng: "lot " + " ".join(re.findall("....", _failing(rng, 16))),
    "order_number": lambda rng: f"order #{_digits(rng, rng.randrange(5, 9))} shipped, {rng.randrange(1, 9)} parcels",
    "tracking": lambda rng: f"UPS 1Z{chars(rng, string.ascii_uppercase + string.digits, 6)}{_digits(rng, 10)} is on its way",
    "isbn": lambda rng: f"ISBN {_isbn(rng)}, 2nd edition",
    "ean": lambda rng: f"EAN 40{_digits(rng, 11)} out of stock",
    "timestamp": lambda rng: f"{_when(rng)}+00:00 level=info started at {_when(rng)}Z",
    "epoch": lambda rng: f'{{"ts": 17{_digits(rng, 8)}, "ts_ms": 17{_digits(rng, 11)}, "ts_ns": 17{_digits(rng, 17)}}}',
    "date_range": lambda rng: f"between 2026-{rng.randrange(1, 13):02d}-01 and 2027-{rng.randrange(1, 13):02d}-28, 09:00-17:30",
    "version": lambda rng: f"upgraded to v{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(99)}, python 3.{rng.randrange(8, 15)}.{rng.randrange(9)}",
    "version_four": lambda rng: f"Chrome/{rng.randrange(90, 150)}.0.{rng.randrange(1000, 9999)}.{rng.randrange(256, 999)} Safari/537.36",
    "section": lambda rng: f"see section {rng.randrange(9)}.{rng.randrange(20)}.{rng.randrange(9)} of the manual, page {rng.randrange(900)}",
    "css": lambda rng: f"a:hover {{ color: #{chars(rng, HEX, 6)}; margin: 0 auto 1.{rng.randrange(9)}rem; }} @media (min-width: 768px)",
    "decorator": lambda rng: f"@pytest.mark.parametrize\ndef test_{chars(rng, string.ascii_lowercase, 8)}(self) -> None: ...",
    "import_path": lambda rng: f"npm install @acme/{chars(rng, string.ascii_lowercase, 7)}@{rng.randrange(9)}.{rng.randrange(9)}.{rng.randrange(9)}",
    "mention": lambda rng: f"@{chars(rng, string.ascii_lowercase, 7)} please look, cc @team-{chars(rng, string.ascii_lowercase, 5)}",
    "png": lambda rng: f'<img src="data:image/png;base64,{_png(rng)}">',
    "certificate": lambda rng: "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(b"0\x82" + rng.randbytes(400)).decode() + "-----END CERTIFICATE-----",
    "public_key": lambda rng: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{chars(rng, BASE64, 43)} build host",
    "public_url": lambda rng: f"https://docs.example.com/{chars(rng, string.ascii_lowercase, 6)}/{rng.randrange(1000)}?page={rng.randrange(50)}#top",
    "url_port": lambda rng: f"postgresql://localhost:{rng.randrange(5000, 6000)}/crm and redis://cache:6379/{rng.randrange(9)}",
    "placeholder": lambda rng: rng.choice(("password: ${DB_PASSWORD}", "api_key=<your-api-key>", "Authorization: Bearer {{token}}", "password=********", "secret: env:STRIPE_KEY", "token = os.environ['TOKEN']", "password = getpass()")),
    "password_talk": lambda rng: rng.choice(("Your password must have twelve characters.", "Forgot your password? Reset it here.", "password_hash is not shown", "The API key has been rotated.", "secret: false", "authorization: required", "password: string", "token: null", "the secret is out there")) + f" #{rng.randrange(99)}",
    "tokens_count": lambda rng: f'"max_tokens": {rng.randrange(9999)}, "input_tokens": {rng.randrange(99999)}, "next_page_token": "{chars(rng, string.ascii_lowercase, 12)}"',
    "money": lambda rng: f"EUR {rng.randrange(1, 999)},{rng.randrange(100, 999)},{rng.randrange(100, 999)}.{rng.randrange(10, 99)} or {rng.randrange(100)}.{rng.randrange(100, 999)}.{rng.randrange(100, 999)},00",
    "coordinates": lambda rng: f"at {rng.uniform(-90, 90):.6f}, {rng.uniform(-180, 180):.6f} +/- {rng.randrange(9)} m",
    "floats": lambda rng: " ".join(f"{rng.random():.6f}" for _ in range(12)),
    "matrix": lambda rng: "\n".join(" ".join(str(rng.randrange(100)) for _ in range(8)) for _ in range(4)),
    "mac": lambda rng: "link " + ":".join(chars(rng, HEX, 2) for _ in range(6)) + " up",
    "time_ranges": lambda rng: f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d} - {rng.randrange(24):02d}:{rng.randrange(60):02d}, ratio {rng.randrange(9)}:{rng.randrange(9)}",
    "score": lambda rng: f"won {rng.randrange(9)}-{rng.randrange(9)} (HT {rng.randrange(9)}-{rng.randrange(9)}), attendance {rng.randrange(10, 90)},{rng.randrange(100, 999)}",
    "slug": lambda rng: f"/blog/task-{'-'.join(chars(rng, string.ascii_lowercase, 6) for _ in range(6))}/",
    "identifier": lambda rng: f"call_{chars(rng, ALNUM, 24)} -> chatcmpl-{chars(rng, ALNUM, 29)}",
    "trace_id": lambda rng: f"traceparent: 00-{chars(rng, HEX, 32)}-{chars(rng, HEX, 16)}-01",
    "base64_words": lambda rng: f"etag W/\"{chars(rng, ALNUM, 22)}\" nonce {base64.b64encode(rng.randbytes(24)).decode()}",
    "camel_case": lambda rng: "".join(word.title() for word in rng.sample(("abstract", "interlock", "factory", "bean", "proxy", "configuration", "exception"), 5)) + "Test.java:" + str(rng.randrange(999)),
    "phone_like_id": lambda rng: f"case {_digits(rng, 4)}-{_digits(rng, 2)}-{_digits(rng, 3)}, sku {_digits(rng, 3)}-{_digits(rng, 5)}-{_digits(rng, 2)}",
    "percent": lambda rng: f"https://example.com/search?q=blue%20shoes%2C%20size%20{rng.randrange(30, 50)}&sort=price%3Aasc",
    "other_languages": lambda rng: rng.choice(("Die Prüfung dauert 3–4 Tage – vielleicht länger…", "Проверка займёт 3 дня; номер заявки 4471.", "検査には３日かかります。番号は１２です。", "½ cup, 20 °C, № 7, ™ and ① are fine")) + f" ({rng.randrange(100)})",
    "arn": lambda rng: f"arn:aws:lambda:eu-west-1:function:{chars(rng, string.ascii_lowercase, 8)}:{rng.randrange(99)}",
}  # fmt: skip


def negatives(seed: int) -> list[dict[str, object]]:
    """Return every text in which nothing is."""
    rng = random.Random(seed + 1)
    return [{"family": name, "text": make(rng)} for name, make in FAMILIES.items() for _ in range(_EACH)]
