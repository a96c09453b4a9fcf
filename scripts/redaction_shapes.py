"""What personal data and secrets look like, by the documentation of those who issue them; values are made up from a seed."""

# ruff: noqa: E501 - tables of forms; nothing here is meant to be hard to guess
import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

ALNUM = string.ascii_letters + string.digits
URL64 = ALNUM + "-_"
BASE64 = ALNUM + "+/"
HEX = "0123456789abcdef"
UPPER32 = string.ascii_uppercase + "234567"

Make = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which something secret is written."""

    kind: str
    name: str
    make: Make
    source: str
    """Where the issuer says so."""
    around: str = "{}"
    """What always stands beside it; without it the value means nothing."""


def chars(rng: random.Random, alphabet: str, count: int) -> str:
    """Return `count` characters of `alphabet`."""
    return "".join(rng.choices(alphabet, k=count))


def token(pattern: str, alphabet: str = ALNUM) -> Make:
    """Return what makes `pattern` with every run `{n}` replaced by n characters of `alphabet`."""
    pieces = [piece.partition("}") for piece in pattern.split("{")]

    def make(rng: random.Random) -> str:
        return pieces[0][0] + "".join(chars(rng, alphabet, int(count)) + rest for count, _, rest in pieces[1:])

    return make


def luhn_digit(digits: str) -> str:
    """Return the check digit of `digits` (ISO/IEC 7812-1)."""
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def card(prefixes: tuple[str, ...], length: int, groups: tuple[int, ...], separator: str) -> Make:
    """Return what makes card numbers of one issuer."""

    def make(rng: random.Random) -> str:
        prefix = rng.choice(prefixes)
        body = prefix + chars(rng, string.digits, length - 1 - len(prefix))
        number = body + luhn_digit(body)
        pieces, at = [], 0
        for group in groups:
            pieces.append(number[at : at + group])
            at += group
        return separator.join(pieces)

    return make


IBANS = {
    "DE": (18, "n"), "GB": (18, "aaaann"), "FR": (23, "n"), "NL": (14, "aaaan"), "ES": (20, "n"), "IT": (23, "an"),
    "CH": (17, "n"), "PL": (24, "n"), "SE": (20, "n"), "NO": (11, "n"), "MT": (27, "aaaan"), "BE": (12, "n"), "AT": (16, "n"),
}  # fmt: skip


def iban(spaced: bool) -> Make:
    """Return what makes IBANs (ISO 13616)."""

    def make(rng: random.Random) -> str:
        country = rng.choice(sorted(IBANS))
        length, form = IBANS[country]
        letters = form.count("a")
        body = chars(rng, string.ascii_uppercase, letters) + chars(rng, string.digits, length - letters)
        number = int("".join(str(int(char, 36)) for char in body + country + "00"))
        whole = f"{country}{98 - number % 97:02d}{body}"
        return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if spaced else whole

    return make


def email(rng: random.Random) -> str:
    """Return an address as RFC 5322 has them."""
    first = rng.choice(
        ("anna", "j.smith", "o'neil", "maria_garcia", "wei-zhang", "f.müller", "x", "sales+eu", "K_1984", "данила")
    )
    host = rng.choice(
        ("example.com", "mail.example.co.uk", "uni-köln.de", "sub.dept.example.org", "acme.io", "example.museum")
    )
    return f"{first}{rng.randrange(1000) if rng.random() < 0.4 else ''}@{host}"


def phone(form: str) -> Make:
    """Return what makes numbers of one national spelling: N is 2-9, X any digit (ITU-T E.123)."""

    def make(rng: random.Random) -> str:
        return "".join(
            rng.choice("23456789") if char == "N" else rng.choice(string.digits) if char == "X" else char
            for char in form
        )

    return make


def ipv4(rng: random.Random) -> str:
    """Return an address that could be somebody's."""
    return ".".join(
        str(part)
        for part in (
            rng.choice((10, 62, 84, 172, 192, 203)),
            *(rng.randrange(256) for _ in range(2)),
            rng.randrange(1, 255),
        )
    )


def ipv6(rng: random.Random) -> str:
    """Return an address, whole or shortened."""
    parts = [f"{rng.randrange(1, 65536):x}" for _ in range(8)]
    if rng.random() < 0.5:
        return ":".join(["2001", "db8", *parts[2:]])
    return "2001:db8::" + ":".join(parts[: rng.randrange(2, 5)])


def jwt(rng: random.Random) -> str:
    """Return a token as RFC 7519 has them."""
    head = {"alg": rng.choice(("HS256", "RS256", "EdDSA")), "typ": "JWT"}
    claims = {
        "sub": str(rng.randrange(10**9)),
        "iat": 1_763_000_000 + rng.randrange(10**6),
        "iss": "https://id.example.com",
    }
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (head, claims)]
    return ".".join((*parts, chars(rng, URL64, rng.choice((43, 86, 342)))))


def pem(kind: str) -> Make:
    """Return what makes keys as RFC 7468 frames them."""

    def make(rng: random.Random) -> str:
        lines = [chars(rng, BASE64, 64) for _ in range(rng.randrange(3, 20))]
        return "\n".join((f"-----BEGIN {kind}-----", *lines, chars(rng, BASE64, 22) + "==", f"-----END {kind}-----"))

    return make


def password(rng: random.Random) -> str:
    """Return a password as people and generators make them."""
    if rng.random() < 0.5:
        return (
            rng.choice(("Winter", "tiger", "Passw0rd", "letmein", "qwErty"))
            + rng.choice("!$%^*_-")
            + str(rng.randrange(10, 9999))
        )
    return chars(rng, ALNUM + "!$%^*_-~", rng.randrange(10, 28)) + str(rng.randrange(10))


def canary(rng: random.Random) -> str:
    """Return a secret of no known form."""
    return "-".join(rng.choice(("correct", "horse", "battery", "staple", "zebra", "quilt")) for _ in range(3)) + str(
        rng.randrange(1000)
    )


_CARDS = "ISO/IEC 7812; issuers' published test numbers (docs.stripe.com/testing, developer.paypal.com)"
_E164 = "ITU-T E.123, E.164"
FORMS = (
    Shape("card", "visa", card(("4",), 16, (4, 4, 4, 4), " "), _CARDS),
    Shape("card", "visa_plain", card(("4",), 16, (16,), ""), _CARDS),
    Shape("card", "mastercard", card(("51", "55", "2221", "2720"), 16, (4, 4, 4, 4), "-"), _CARDS),
    Shape("card", "amex", card(("34", "37"), 15, (4, 6, 5), " "), _CARDS),
    Shape("card", "discover", card(("6011", "65"), 16, (16,), ""), _CARDS),
    Shape("card", "diners", card(("36", "38", "300"), 14, (4, 6, 4), " "), _CARDS),
    Shape("card", "jcb", card(("3528", "3589"), 16, (4, 4, 4, 4), " "), _CARDS),
    Shape("card", "unionpay", card(("62",), 19, (19,), ""), _CARDS),
    Shape("iban", "compact", iban(spaced=False), "SWIFT IBAN registry"),
    Shape("iban", "spaced", iban(spaced=True), "SWIFT IBAN registry"),
    Shape("email", "plain", email, "RFC 5322, RFC 6531"),
    Shape("phone", "e164", phone("+4930XXXXXXXX"), _E164),
    Shape("phone", "international", phone("+44 20 NXXX XXXX"), _E164),
    Shape("phone", "us", phone("(NXX) NXX-XXXX"), "NANPA"),
    Shape("phone", "us_dots", phone("NXX.NXX.XXXX"), "NANPA"),
    Shape("phone", "us_one", phone("1-NXX-NXX-XXXX"), "NANPA"),
    Shape("phone", "french", phone("06 XX XX XX XX"), "ARCEP; ITU-T E.123"),
    Shape("phone", "uk_mobile", phone("07XXX XXXXXX"), "Ofcom numbering plan"),
    Shape("phone", "brazil", phone("+55 (11) 9XXXX-XXXX"), _E164),
    Shape("phone", "trunk", phone("+49 (0) 89 XXXXXX-XX"), _E164),
    Shape("ip", "v4", ipv4, "RFC 791"),
    Shape("ip", "v6", ipv6, "RFC 5952"),
    Shape("jwt", "jws", jwt, "RFC 7515, RFC 7519"),
    Shape("private_key", "rsa", pem("RSA PRIVATE KEY"), "RFC 7468"),
    Shape("private_key", "pkcs8", pem("PRIVATE KEY"), "RFC 7468"),
    Shape("private_key", "openssh", pem("OPENSSH PRIVATE KEY"), "openssh PROTOCOL.key"),
    Shape("private_key", "encrypted", pem("ENCRYPTED PRIVATE KEY"), "RFC 7468"),
    Shape("private_key", "pgp", pem("PGP PRIVATE KEY BLOCK"), "RFC 9580"),
    Shape("url_password", "postgres", password, "RFC 3986 3.2.1", "postgresql://app:{}@db.internal:5432/crm"),
    Shape("url_password", "redis", password, "redis.io/docs (URI)", "redis://:{}@cache:6379/0"),
    Shape("url_password", "amqp", password, "rabbitmq.com/docs/uri-spec", "amqps://worker:{}@mq.example.com/vhost"),
    Shape("url_password", "https", password, "RFC 3986", "https://deploy:{}@git.example.com/repo.git"),
    Shape("url_password", "mongodb", password, "mongodb.com/docs (connection string)", "mongodb+srv://root:{}@cluster0.example.net/?retryWrites=true"),
    Shape("authorization", "basic", lambda rng: base64.b64encode(f"user:{password(rng)}".encode()).decode(), "RFC 7617", "Authorization: Basic {}"),
    Shape("authorization", "bearer", token("{40}", URL64), "RFC 6750", "authorization: Bearer {}"),
    Shape("authorization", "curl", token("{32}"), "RFC 6750", "-H 'Authorization: Bearer {}'"),
    Shape("authorization", "api_key_header", token("{32}"), "learn.microsoft.com/azure/ai-services", "api-key: {}"),
    Shape("authorization", "x_api_key", token("{36}"), "docs.aws.amazon.com/apigateway", "X-Api-Key: {}"),
    Shape("authorization", "cookie", token("{26}"), "RFC 6265", "Cookie: session={}; theme=dark"),
    Shape("authorization", "set_cookie", token("{64}", HEX), "RFC 6265", "Set-Cookie: sid={}; Path=/; HttpOnly"),
    Shape("connection_string", "sql_server", password, "learn.microsoft.com/dotnet (SqlConnection)", "Server=tcp:db.example.com,1433;Database=crm;User ID=app;Password={};Encrypt=True"),
    Shape("connection_string", "libpq", password, "postgresql.org/docs (libpq)", "host=db.internal dbname=crm user=app password={} sslmode=require"),
    Shape("connection_string", "azure_storage", token("{86}==", BASE64), "learn.microsoft.com/azure/storage", "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={};EndpointSuffix=core.windows.net"),
    Shape("connection_string", "service_bus", token("{43}=", BASE64), "learn.microsoft.com/azure/service-bus-messaging", "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={}"),
    Shape("assigned", "env", password, "dotenv files", "DB_PASSWORD={}"),
    Shape("assigned", "json", password, "JSON configuration", '{{"username": "app", "password": "{}"}}'),
    Shape("assigned", "yaml", token("{32}", HEX), "YAML configuration", "client_secret: {}"),
    Shape("assigned", "code", token("{40}"), "source code", 'api_key = "{}"'),
    Shape("assigned", "query", token("{32}"), "OAuth 2.0 (RFC 6750 2.3)", "https://api.example.com/v2/items?access_token={}&page=2"),
    Shape("assigned", "prose", password, "support mail", "my password is {}"),
    Shape("own_key", "api", token("ilk_{43}", URL64), "docs/reference (keys)"),
    Shape("own_key", "run", token("ilt_{43}", URL64), "docs/reference (run tokens)"),
    Shape("secret", "known", canary, "the deployment's own configuration"),
)  # fmt: skip
KEYS = (
    ("openai_project", "sk-proj-{74}T3BlbkFJ{74}", URL64, "platform.openai.com/docs/api-reference/authentication"),
    ("openai_service", "sk-svcacct-{58}T3BlbkFJ{58}", URL64, "platform.openai.com/docs/api-reference/authentication"),
    ("openai_old", "sk-{20}T3BlbkFJ{20}", ALNUM, "platform.openai.com/docs/api-reference/authentication"),
    ("anthropic", "sk-ant-api03-{93}AA", URL64, "docs.claude.com (API keys)"),
    ("anthropic_admin", "sk-ant-admin01-{93}AA", URL64, "docs.claude.com (Admin API)"),
    ("openrouter", "sk-or-v1-{64}", HEX, "openrouter.ai/docs"),
    ("aws_id", "AKIA{16}", UPPER32, "docs.aws.amazon.com/IAM (unique identifiers)"),
    ("aws_session_id", "ASIA{16}", UPPER32, "docs.aws.amazon.com/IAM (unique identifiers)"),
    ("google", "AIza{35}", URL64, "cloud.google.com/docs/authentication/api-keys"),
    ("google_oauth", "ya29.{120}", URL64, "developers.google.com/identity/protocols/oauth2"),
    ("google_client", "GOCSPX-{28}", URL64, "developers.google.com/identity/protocols/oauth2"),
    ("github", "ghp_{36}", ALNUM, "docs.github.com (token formats)"),
    ("github_fine", "github_pat_{22}_{59}", ALNUM, "docs.github.com (token formats)"),
    ("github_app", "ghs_{36}", ALNUM, "docs.github.com (token formats)"),
    ("gitlab", "glpat-{20}", URL64, "docs.gitlab.com (token prefixes)"),
    ("gitlab_runner", "glrt-{20}", URL64, "docs.gitlab.com (token prefixes)"),
    ("gitlab_deploy", "gldt-{20}", URL64, "docs.gitlab.com (token prefixes)"),
    ("slack_bot", "xoxb-2{11}-3{12}-", string.digits, "api.slack.com/authentication/token-types"),
    ("slack_app", "xapp-1-A0{9}-5{12}-", string.digits, "api.slack.com/authentication/token-types"),
    ("stripe", "sk_live_{24}", ALNUM, "docs.stripe.com/keys"),
    ("stripe_long", "sk_test_51{97}", ALNUM, "docs.stripe.com/keys"),
    ("stripe_restricted", "rk_live_{24}", ALNUM, "docs.stripe.com/keys"),
    ("stripe_webhook", "whsec_{32}", ALNUM, "docs.stripe.com/webhooks"),
    ("twilio_key", "SK{32}", HEX, "twilio.com/docs/iam/api-keys"),
    ("sendgrid", "SG.{22}.{43}", URL64, "docs.sendgrid.com"),
    ("npm", "npm_{36}", ALNUM, "npm: documentation, about access tokens"),
    ("pypi", "pypi-AgEIcHlwaS5vcmc{80}", URL64, "PyPI: help, API tokens"),
    ("hugging_face", "hf_{34}", string.ascii_letters, "huggingface.co/docs/hub/security-tokens"),
    ("groq", "gsk_{52}", ALNUM, "console.groq.com/docs"),
    ("replicate", "r8_{37}", ALNUM, "replicate.com/docs"),
    ("perplexity", "pplx-{48}", ALNUM, "docs.perplexity.ai"),
    ("xai", "xai-{80}", ALNUM, "docs.x.ai"),
    ("bedrock", "ABSK{132}", BASE64, "docs.aws.amazon.com/bedrock (API keys)"),
    ("digitalocean", "dop_v1_{64}", HEX, "docs.digitalocean.com/reference/api"),
    ("shopify", "shpat_{32}", HEX, "shopify.dev/docs (access tokens)"),
    ("databricks", "dapi{32}", HEX, "docs.databricks.com (personal access tokens)"),
    ("vault", "hvs.{90}", URL64, "developer.hashicorp.com/vault (tokens)"),
    ("grafana", "glsa_{32}_", ALNUM, "grafana.com/docs (service accounts)"),
    ("linear", "lin_api_{40}", ALNUM, "developers.linear.app"),
    ("notion", "ntn_{46}", ALNUM, "developers.notion.com"),
    ("postman", "PMAK-{24}-", HEX, "learning.postman.com"),
    ("mailgun", "key-{32}", HEX, "documentation.mailgun.com"),
    ("newrelic", "NRAK-{27}", string.ascii_uppercase + string.digits, "docs.newrelic.com (API keys)"),
    ("atlassian", "ATATT3{186}", URL64, "support.atlassian.com (API tokens)"),
    ("docker", "dckr_pat_{27}", URL64, "docs.docker.com (access tokens)"),
    ("doppler", "dp.pt.{43}", ALNUM, "docs.doppler.com"),
    ("sentry", "sntrys_{100}", BASE64, "docs.sentry.io (auth tokens)"),
    ("square", "EAAA{60}", URL64, "developer.squareup.com"),
    ("telegram", "110201{4}:AA", string.digits, "core.telegram.org/bots/api"),
    ("discord_hook", "https://discord.com/api/webhooks/1{18}/", string.digits, "discord.com/developers/docs (webhooks)"),
    ("slack_hook", "https://hooks.slack.com/services/T0{8}/B0{8}/", string.digits, "api.slack.com/messaging/webhooks"),
    ("age", "AGE-SECRET-KEY-1{58}", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", "age-encryption.org/v1"),
    ("supabase", "sbp_{40}", HEX, "supabase.com/docs"),
    ("langfuse", "sk-lf-{8}-{4}-{4}-{4}-{12}", HEX, "langfuse.com/docs"),
    ("langsmith", "lsv2_pt_{32}_{10}", HEX, "docs.smith.langchain.com"),
    ("azure_ad", "{3}8Q~{34}", ALNUM, "learn.microsoft.com/entra (client secrets)"),
)  # fmt: skip
"""Name, pattern, alphabet, documentation. A pattern that ends in a separator takes 32 further characters."""


def keys() -> tuple[Shape, ...]:
    """Return the shapes of vendors' keys."""

    def whole(pattern: str, alphabet: str) -> Make:
        first = token(pattern, alphabet)
        tail = {"_": (HEX, 8), "A": (URL64, 33)}.get(pattern[-1], (ALNUM, 34)) if pattern[-1] in "-_/A" else ("", 0)
        if pattern.endswith("AA") and not pattern.endswith(":AA"):
            tail = ("", 0)
        return lambda rng: first(rng) + (chars(rng, *tail) if tail[1] else "")

    return tuple(Shape("api_key", name, whole(pattern, alphabet), source) for name, pattern, alphabet, source in KEYS)
