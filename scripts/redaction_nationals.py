"""Numbers that states give to people, with the check digits that they publish; values are made up from a seed."""

# ruff: noqa: E501 - tables of forms; nothing here is meant to be hard to guess
import random
import string

from scripts.redaction_shapes import Make, Shape, chars, luhn_digit

_DAYS = tuple((month, day) for month in range(1, 13) for day in range(1, 29))


def _date(rng: random.Random, form: str) -> str:
    month, day = rng.choice(_DAYS)
    year = rng.randrange(1935, 2005)
    return form.format(y=year % 100, Y=year, m=month, d=day)


def _us(rng: random.Random) -> str:
    area = rng.choice([one for one in range(1, 900) if one != 666])
    return f"{area:03d}-{rng.randrange(1, 100):02d}-{rng.randrange(1, 10_000):04d}"


def _nino(rng: random.Random) -> str:
    prefix = rng.choice("ABCEGHJKLMNOPRSTWXYZ".replace("O", "")) + rng.choice("ABCEGHJKLMNPRSTWXYZ")
    if prefix in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
        prefix = "AB"
    digits = chars(rng, string.digits, 6)
    return (
        f"{prefix} {digits[:2]} {digits[2:4]} {digits[4:]} {rng.choice('ABCD')}"
        if rng.random() < 0.5
        else f"{prefix}{digits}{rng.choice('ABCD')}"
    )


def _nhs(rng: random.Random) -> str:
    while True:
        body = chars(rng, string.digits, 9)
        check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(body)) % 11
        if check != 10:
            whole = body + str(check % 11)
            return f"{whole[:3]} {whole[3:6]} {whole[6:]}"


def _german(rng: random.Random) -> str:
    digits = rng.sample(string.digits, 9)
    digits.insert(rng.randrange(9), rng.choice(digits))
    if digits[0] == "0":
        digits[0], digits[1] = digits[1], digits[0]
    if digits[0] == "0":
        return _german(rng)
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return "".join(digits) + str((11 - product) % 10)


def _french(rng: random.Random) -> str:
    body = f"{rng.choice('12')}{_date(rng, '{y:02d}{m:02d}')}{rng.randrange(1, 96):02d}{rng.randrange(1, 990):03d}{rng.randrange(1, 1000):03d}"
    key = f"{97 - int(body) % 97:02d}"
    if rng.random() < 0.5:
        return body + key
    return f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]} {key}"


def _dni(rng: random.Random) -> str:
    number = rng.randrange(10_000_000, 100_000_000)
    return f"{number}{'-' if rng.random() < 0.3 else ''}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _nie(rng: random.Random) -> str:
    head, number = rng.randrange(3), rng.randrange(1_000_000, 10_000_000)
    return f"{'XYZ'[head]}{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[(head * 10**7 + number) % 23]}"


def _bsn(rng: random.Random) -> str:
    while True:
        body = rng.choice("123456789") + chars(rng, string.digits, 7)
        check = sum(int(digit) * (9 - place) for place, digit in enumerate(body)) % 11
        if check < 10:
            return body + str(check)


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _italian(rng: random.Random) -> str:
    body = (
        chars(rng, "BCDFGLMNPRSTVZ", 6)
        + f"{rng.randrange(100):02d}{rng.choice('ABCDEHLMPRST')}{rng.choice((0, 40)) + rng.randrange(1, 29):02d}"
    )
    body += rng.choice("ABCDEFGHILMZ") + f"{rng.randrange(1, 1000):03d}"
    total = 0
    for place, char in enumerate(body):
        index = int(char) if char.isdigit() else ord(char) - 65
        total += index if place % 2 else _ODD[index]
    return body + chr(65 + total % 26)


def _pesel(rng: random.Random) -> str:
    month, day = rng.choice(_DAYS)
    body = f"{rng.randrange(40, 100):02d}{month:02d}{day:02d}{rng.randrange(10_000):04d}"
    return body + str(-sum(int(digit) * weight for digit, weight in zip(body, (1, 3, 7, 9) * 3, strict=False)) % 10)


def _cpf(rng: random.Random) -> str:
    digits = [rng.randrange(10) for _ in range(9)]
    for _ in range(2):
        rest = sum(digit * weight for digit, weight in zip(digits, range(len(digits) + 1, 1, -1), strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    whole = "".join(map(str, digits))
    return f"{whole[:3]}.{whole[3:6]}.{whole[6:9]}-{whole[9:]}"


_TURN = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4))


def _dihedral(left: int, right: int) -> int:
    if left < 5:
        return (left + right) % 5 + (5 if right >= 5 else 0)
    return (left - right) % 5 + (0 if right >= 5 else 5)


def _permuted(place: int, digit: int) -> int:
    for _ in range(place % 8):
        digit = _TURN[1][digit]
    return digit


def _aadhaar(rng: random.Random) -> str:
    body = rng.choice("23456789") + chars(rng, string.digits, 10)
    for check in string.digits:
        total = 0
        for place, digit in enumerate(reversed(body + check)):
            total = _dihedral(total, _permuted(place, int(digit)))
        if total == 0:
            whole = body + check
            return f"{whole[:4]} {whole[4:8]} {whole[8:]}"
    raise AssertionError(body)


def _swedish(rng: random.Random) -> str:
    body = _date(rng, "{y:02d}{m:02d}{d:02d}") + chars(rng, string.digits, 3)
    whole = body + luhn_digit(body)
    return f"{rng.choice(('', '19'))}{whole[:6]}-{whole[6:]}"


def _finnish(rng: random.Random) -> str:
    date, serial = _date(rng, "{d:02d}{m:02d}{y:02d}"), rng.randrange(2, 900)
    return f"{date}-{serial:03d}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(f'{date}{serial:03d}') % 31]}"


def _belgian(rng: random.Random) -> str:
    date, serial = _date(rng, "{y:02d}{m:02d}{d:02d}"), rng.randrange(1, 998)
    return f"{date[:2]}.{date[2:4]}.{date[4:]}-{serial:03d}.{97 - int(f'{date}{serial:03d}') % 97:02d}"


def _swiss(rng: random.Random) -> str:
    body = "756" + chars(rng, string.digits, 9)
    check = -sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(body)) % 10
    return f"756.{body[3:7]}.{body[7:11]}.{body[11]}{check}"


def _chinese(rng: random.Random) -> str:
    body = f"{rng.choice((110101, 310115, 440305))}{_date(rng, '{Y}{m:02d}{d:02d}')}{rng.randrange(1000):03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def _canadian(rng: random.Random) -> str:
    body = rng.choice("1234567") + chars(rng, string.digits, 7)
    whole = body + luhn_digit(body)
    return f"{whole[:3]}-{whole[3:6]}-{whole[6:]}"


def _shape(name: str, make: Make, source: str, around: str = "{}") -> Shape:
    return Shape("national_id", name, make, source, around)


NATIONALS = (
    _shape("us_ssn", _us, "ssa.gov/employer/randomization"),
    _shape("uk_nino", _nino, "gov.uk/hmrc-internal-manuals NIM39110"),
    _shape("uk_nhs", _nhs, "datadictionary.nhs.uk (NHS NUMBER)", "NHS number {}"),
    _shape("de_steuer_id", _german, "bzst.de (Steuerliche Identifikationsnummer)"),
    _shape("fr_nir", _french, "insee.fr (numéro d'inscription au répertoire)"),
    _shape("es_dni", _dni, "interior.gob.es (NIF, letra de control)"),
    _shape("es_nie", _nie, "interior.gob.es (NIE)"),
    _shape("nl_bsn", _bsn, "rvig.nl (burgerservicenummer)", "BSN {}"),
    _shape("it_codice_fiscale", _italian, "agenziaentrate.gov.it"),
    _shape("pl_pesel", _pesel, "gov.pl (PESEL)", "PESEL: {}"),
    _shape("br_cpf", _cpf, "gov.br/receitafederal (CPF)"),
    _shape("in_aadhaar", _aadhaar, "uidai.gov.in (Verhoeff)"),
    _shape("se_personnummer", _swedish, "skatteverket.se"),
    _shape("fi_hetu", _finnish, "dvv.fi"),
    _shape("be_rijksregister", _belgian, "ibz.rrn.fgov.be"),
    _shape("ch_ahv", _swiss, "zas.admin.ch"),
    _shape("cn_id", _chinese, "GB 11643-1999"),
    _shape("ca_sin", _canadian, "canada.ca (Social Insurance Number)", "SIN {}"),
)
