"""Values in the forms that registries and issuers publish, and values that only look like them; from a seeded source.

Knows nothing of the detectors: every rule here is written from its specification, named beside it. Nothing here
belongs to anybody: numbers are random, names and domains are those that RFC 2606 and RFC 5737 set aside, or made up.
"""

import base64
import json
import string
from collections.abc import Callable
from random import Random

DIGITS = string.digits
LETTERS_AND_DIGITS = string.ascii_letters + DIGITS
BASE_64_URL = LETTERS_AND_DIGITS + "-_"
BASE_64 = LETTERS_AND_DIGITS + "+/"
HEX = "0123456789abcdef"

Make = Callable[[Random], str]


def some(chance: Random, alphabet: str, least: int, most: int | None = None) -> str:
    return "".join(chance.choices(alphabet, k=least if most is None else chance.randint(least, most)))


def token(chance: Random, alphabet: str, length: int) -> str:
    """Random characters that begin and end with a letter or digit, as generated tokens do not always but nearly do."""
    return (
        some(chance, LETTERS_AND_DIGITS, 1) + some(chance, alphabet, length - 2) + some(chance, LETTERS_AND_DIGITS, 1)
    )


# Check digits ---------------------------------------------------------------------------------------------------------


def luhn_digit(digits: str) -> str:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


def cpf_digits(nine: str) -> str:
    """Receita Federal, Cadastro de Pessoas Físicas: modulo 11 with weights 10 to 2, then 11 to 2."""
    first = sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) * 10 % 11 % 10
    ten = nine + str(first)
    return (
        f"{first}{sum(int(digit) * weight for digit, weight in zip(ten, range(11, 1, -1), strict=True)) * 10 % 11 % 10}"
    )


def cnpj_digits(twelve: str) -> str:
    """Receita Federal, IN RFB 2.229/2024, annex: a character counts as its ASCII code less 48."""

    def digit(characters: str, weights: list[int]) -> int:
        rest = sum((ord(one) - 48) * weight for one, weight in zip(characters, weights, strict=True)) % 11
        return 0 if rest < 2 else 11 - rest

    weights = [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    first = digit(twelve, weights)
    return f"{first}{digit(twelve + str(first), [6, *weights])}"


def iban_digits(country: str, account: str) -> str:
    """ISO 13616-1: 98 less the remainder of account, country and 00 by 97, letters as two digits."""
    return f"{98 - int(''.join(str(int(one, 36)) for one in account + country + '00')) % 97:02d}"


def merchant_code_remainder(text: str) -> str:
    """EMVCo, QR Code Specification for Payment Systems, merchant-presented mode: ISO/IEC 13239, start FFFF."""
    remainder = 0xFFFF
    for octet in text.encode():
        for bit in range(7, -1, -1):
            top = (remainder >> 15) ^ ((octet >> bit) & 1)
            remainder = ((remainder << 1) & 0xFFFF) ^ (0x1021 if top else 0)
    return f"{remainder:04X}"


def wrong(chance: Random, right: str) -> str:
    """The same digits with the last one changed."""
    return right[:-1] + chance.choice([digit for digit in DIGITS if digit != right[-1]])


# Persons --------------------------------------------------------------------------------------------------------------

_NAMES = ["ana", "bruno", "carla", "diego", "elisa", "felipe", "gabi", "helena", "igor", "joana", "kevin", "laura"]
_SURNAMES = [
    "silva",
    "souza",
    "costa",
    "lima",
    "rocha",
    "alves",
    "miller",
    "brown",
    "taylor",
    "jones",
    "moore",
    "clark",
]
_DOMAINS = ["example.com", "example.org", "example.net", "mail.example.com", "exemplo.com.br", "dept.example.co.uk"]


def email(chance: Random) -> str:
    """RFC 5321, section 4.1.2; domains of RFC 2606."""
    sign = chance.choice([".", "_", "-", "", "+"])
    name = f"{chance.choice(_NAMES)}{sign}{chance.choice(_SURNAMES)}{chance.choice(['', str(chance.randint(1, 99))])}"
    return f"{name}@{chance.choice(_DOMAINS)}"


def phone(chance: Random) -> str:
    """ITU-T E.164, written as in E.123 or without any sign; area codes of Anatel and of the NANP."""
    area = f"{chance.randint(1, 9)}{chance.randint(1, 9)}"
    a, b = f"9{some(chance, DIGITS, 4)}", some(chance, DIGITS, 4)
    npa, nxx, line = (
        f"{chance.randint(2, 9)}{some(chance, DIGITS, 2)}",
        f"5{some(chance, DIGITS, 2)}",
        some(chance, DIGITS, 4),
    )
    london = f"20 7{some(chance, DIGITS, 3)} {some(chance, DIGITS, 4)}"
    return chance.choice(
        [
            f"+55{area}{a}{b}",
            f"+55 {area} {a}-{b}",
            f"+55 ({area}) {a}-{b}",
            f"+1{npa}{nxx}{line}",
            f"+1 ({npa}) {nxx}-{line}",
            f"+1-{npa}-{nxx}-{line}",
            f"+1 {npa} {nxx} {line}",
            f"+44 {london}",
            f"+351 9{some(chance, DIGITS, 2)} {some(chance, DIGITS, 3)} {some(chance, DIGITS, 3)}",
            f"+49 30 {chance.randint(1, 9)}{some(chance, DIGITS, 6)}",
        ]
    )


def cpf(chance: Random) -> str:
    nine = some(chance, DIGITS, 9)
    both = cpf_digits(nine)
    dotted = f"{nine[:3]}.{nine[3:6]}.{nine[6:]}-{both}"
    return chance.choice([dotted, dotted, nine + both, f"{nine[:3]} {nine[3:6]} {nine[6:]} {both}", f"{nine}-{both}"])


def _cnpj_body(chance: Random) -> str:
    if chance.random() < 0.3:
        return some(chance, DIGITS + string.ascii_uppercase, 12)
    return some(chance, DIGITS, 8) + f"{chance.randint(1, 40):04d}"


def cnpj(chance: Random) -> str:
    body = _cnpj_body(chance)
    both = cnpj_digits(body)
    written = f"{body[:2]}.{body[2:5]}.{body[5:8]}/{body[8:]}-{both}"
    return chance.choice([written, written, body + both, f"{body[:8]}/{body[8:]}-{both}"])


def us_ssn(chance: Random) -> str:
    """SSA, POMS RM 10201.035: areas 001 to 899 without 666, no group 00, no serial 0000."""
    area = chance.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03d}-{chance.randint(1, 99):02d}-{chance.randint(1, 9999):04d}"


def ipv4(chance: Random) -> str:
    """RFC 5737 and RFC 1918."""
    net = chance.choice(["192.0.2", "198.51.100", "203.0.113", f"10.{chance.randint(0, 255)}.{chance.randint(0, 255)}"])
    return f"{net}.{chance.randint(1, 254)}"


def ipv6(chance: Random) -> str:
    """RFC 4291, section 2.2, with the prefix of RFC 3849."""
    groups = [f"{chance.randint(1, 0xFFFF):x}" for _ in range(6)]
    return chance.choice(
        [
            "2001:db8:" + ":".join(groups),
            f"2001:db8::{groups[0]}",
            f"2001:DB8:{groups[0].upper()}::{groups[1].upper()}",
            f"fe80::{groups[0]}:{groups[1]}:1{groups[2][:3]}",
            f"::ffff:192.0.2.{chance.randint(1, 254)}",
        ]
    )


# Accounts -------------------------------------------------------------------------------------------------------------

_ISSUERS = [
    ("4", 16),
    ("51", 16),
    ("55", 16),
    ("2221", 16),
    ("2720", 16),
    ("34", 15),
    ("37", 15),
    ("6011", 16),
    ("65", 16),
]
_ISSUERS += [("3528", 16), ("3589", 16), ("36", 14), ("62", 16), ("62", 19), ("5067", 16), ("636368"[:4], 16)]


def _grouped(number: str, sign: str) -> str:
    sizes = {15: [4, 6, 5], 14: [4, 6, 4]}.get(len(number), [4, 4, 4, 4, 3])
    groups, place = [], 0
    for size in sizes:
        groups.append(number[place : place + size])
        place += size
    return sign.join(group for group in groups if group)


def card(chance: Random) -> str:
    """ISO/IEC 7812-1; issuer ranges as the networks publish them."""
    prefix, length = chance.choice(_ISSUERS)
    body = prefix + some(chance, DIGITS, length - 1 - len(prefix))
    number = body + luhn_digit(body)
    return chance.choice([number, _grouped(number, " "), _grouped(number, "-")])


_ACCOUNTS = {"DE": "n18", "FR": "n10c11n2", "GB": "a4n14", "PT": "n21", "ES": "n20", "IT": "a1n10c12", "NL": "a4n10"}
_ACCOUNTS |= {"BR": "n23a1c1", "NO": "n11", "BE": "n12", "CH": "n5c12", "MT": "a4n5c18", "PL": "n24", "AE": "n19"}


def _account(chance: Random, country: str) -> str:
    written, form = "", _ACCOUNTS[country]
    while form:
        kind, rest = form[0], form[1:]
        count = "".join(one for one in rest[:2] if one.isdigit())
        form = rest[len(count) :]
        alphabet = {"n": DIGITS, "a": string.ascii_uppercase, "c": string.ascii_uppercase + DIGITS}[kind]
        written += some(chance, alphabet, int(count))
    return written


def iban(chance: Random) -> str:
    """ISO 13616-1, structures from the SWIFT IBAN registry; on paper in groups of four."""
    country = chance.choice(sorted(_ACCOUNTS))
    account = _account(chance, country)
    number = country + iban_digits(country, account) + account
    grouped = " ".join(number[place : place + 4] for place in range(0, len(number), 4))
    return chance.choice([number, grouped, number.lower()])


def uuid_4(chance: Random) -> str:
    """RFC 9562, section 5.4."""
    text = some(chance, HEX, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{chance.choice('89ab')}{text[17:20]}-{text[20:]}"


def merchant_code(chance: Random, scheme: str, key: str) -> str:
    def field(number: str, text: str) -> str:
        return f"{number}{len(text):02d}{text}"

    account = field("26", field("00", scheme) + field("01", key))
    code = field("00", "01") + account + field("52", "0000") + field("53", "986") + field("58", "BR")
    code += (
        field("59", chance.choice(_SURNAMES).upper())
        + field("60", "BRASILIA")
        + field("62", field("05", "***"))
        + "6304"
    )
    return code + merchant_code_remainder(code)


def pix_code(chance: Random) -> str:
    """Banco Central do Brasil, Manual de Padrões para Iniciação do Pix: BR Code with a random key."""
    return merchant_code(chance, "BR.GOV.BCB.PIX", uuid_4(chance))


# Credentials ----------------------------------------------------------------------------------------------------------


def _encoded(value: dict[str, str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def jwt(chance: Random) -> str:
    """RFC 7519, section 3.1."""
    header = _encoded({"alg": chance.choice(["HS256", "RS256", "ES256", "none"]), "typ": "JWT"})
    return f"{header}.{_encoded({'sub': some(chance, DIGITS, 10), 'iat': 1516239022})}.{some(chance, BASE_64_URL, 43)}"


def bearer(chance: Random) -> str:
    """RFC 6750, section 2.1."""
    return f"{chance.choice(['Bearer', 'bearer', 'BEARER'])} {token(chance, BASE_64_URL + '.', chance.randint(24, 64))}"


def api_key(chance: Random) -> str:
    """As OpenAI, Stripe and Langfuse show their keys in their references."""
    return chance.choice(
        [
            "sk-" + some(chance, LETTERS_AND_DIGITS, 48),
            "sk-proj-" + token(chance, BASE_64_URL, 120),
            "sk-svcacct-" + token(chance, BASE_64_URL, 120),
            f"{chance.choice(['sk', 'pk', 'rk'])}_{chance.choice(['live', 'test'])}_"
            + some(chance, LETTERS_AND_DIGITS, 24, 99),
            f"{chance.choice(['pk', 'sk'])}-lf-{uuid_4(chance)}",
        ]
    )


def anthropic_key(chance: Random) -> str:
    """As the Anthropic API reference shows it."""
    return f"sk-ant-{chance.choice(['api03', 'admin01', 'oat01'])}-" + token(chance, BASE_64_URL, 95)


def slack_token(chance: Random) -> str:
    """Slack API, Token types; Sending messages using incoming webhooks."""
    team = f"{some(chance, DIGITS, 12)}-{some(chance, DIGITS, 12)}"
    room = f"T{some(chance, string.ascii_uppercase + DIGITS, 8)}/B{some(chance, string.ascii_uppercase + DIGITS, 8)}"
    return chance.choice(
        [
            f"xoxb-{team}-{some(chance, LETTERS_AND_DIGITS, 24)}",
            f"xoxp-{team}-{some(chance, DIGITS, 12)}-{some(chance, HEX, 32)}",
            f"xapp-1-A{some(chance, DIGITS, 10)}-{some(chance, DIGITS, 13)}-{some(chance, HEX, 64)}",
            f"hooks.slack.com/services/{room}/{some(chance, LETTERS_AND_DIGITS, 24)}",
        ]
    )


def github_token(chance: Random) -> str:
    """GitHub Docs, About authentication to GitHub: token formats."""
    if chance.random() < 0.4:
        return f"github_pat_{some(chance, LETTERS_AND_DIGITS, 22)}_{some(chance, LETTERS_AND_DIGITS, 59)}"
    return f"gh{chance.choice('pousr')}_{some(chance, LETTERS_AND_DIGITS, 36)}"


def aws_key(chance: Random) -> str:
    """AWS IAM User Guide, Unique identifiers, and Credentials file settings."""
    if chance.random() < 0.4:
        return f"aws_secret_access_key{chance.choice(['=', ' = '])}{some(chance, BASE_64, 40)}"
    return chance.choice(["AKIA", "ASIA"]) + some(chance, string.ascii_uppercase + "234567", 16)


def google_key(chance: Random) -> str:
    """Google Cloud, API keys overview; Google Identity, OAuth 2.0."""
    return chance.choice(
        [
            "AIza" + token(chance, BASE_64_URL, 35),
            "ya29." + token(chance, BASE_64_URL, 120),
            "GOCSPX-" + token(chance, BASE_64_URL, 28),
        ]
    )


def azure_key(chance: Random) -> str:
    """Azure Storage, Configure connection strings; Create a service SAS; Microsoft Entra, client secrets."""
    secret = f"{some(chance, LETTERS_AND_DIGITS, 3)}8Q~{some(chance, LETTERS_AND_DIGITS + '_.~-', 33)}"
    return chance.choice(
        [
            f"AccountKey={some(chance, BASE_64, 86)}==",
            f"SharedAccessKey={some(chance, BASE_64, 43)}=",
            f"sig={some(chance, LETTERS_AND_DIGITS, 43)}%3D",
            secret + some(chance, LETTERS_AND_DIGITS, 1),
        ]
    )


def private_key(chance: Random) -> str:
    """RFC 7468, sections 10 and 11, and PKCS #1's label."""
    label = chance.choice(
        ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"]
    )
    lines = [some(chance, BASE_64, 64) for _ in range(chance.randint(3, 12))]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"{some(chance, BASE_64, 30)}==", f"-----END {label}-----"])


def connection_string(chance: Random) -> str:
    """RFC 3986, section 3.2.1, as PostgreSQL (34.1.1.2), MongoDB, Redis, AMQP and HTTP clients take them."""
    scheme = chance.choice(["postgres", "postgresql", "mysql", "mongodb+srv", "redis", "amqp", "https"])
    user = "" if scheme == "redis" and chance.random() < 0.5 else chance.choice(_NAMES)
    word = token(chance, LETTERS_AND_DIGITS + "!$_-", chance.randint(6, 20))
    return f"{scheme}://{user}:{word}@db.example.com:5432/{chance.choice(_SURNAMES)}"


def password(chance: Random) -> str:
    """What settings files, headers (RFC 7617) and JSON that was cut off look like.

    Names as libpq has them in the environment, as the AWS CLI prints `sts assume-role`, and as JavaScript spells them.
    """
    letters = LETTERS_AND_DIGITS + "!#%*"
    word = some(chance, letters, 7, 15) + chance.choice(DIGITS)
    if chance.random() < 0.2:
        word = chance.choice(LETTERS_AND_DIGITS) + chance.choice("([{;&,") + word
    name = chance.choice(
        [
            *("password", "passwd", "PASSWORD", "db_password", "senha", "client_secret", "API_KEY", "api-key"),
            *(
                "dbPassword",
                "clientSecret",
                "PGPASSWORD",
                "SecretAccessKey",
                "userPassword",
                "GITHUB_TOKEN",
                "csrfToken",
            ),
        ]
    )
    basic = base64.b64encode(f"{chance.choice(_NAMES)}:{word}".encode()).decode()
    return chance.choice(
        [
            f"{name}={word}",
            f"{name}: {word}",
            f'{name}": "{word}"',
            f"{name} = '{word}'",
            f"Authorization: Basic {basic}",
        ]
    )


POSITIVES: dict[str, Make] = {
    "email": email,
    "phone": phone,
    "cpf": cpf,
    "cnpj": cnpj,
    "us_ssn": us_ssn,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "card": card,
    "iban": iban,
    "pix_key": pix_code,
    "jwt": jwt,
    "bearer_token": bearer,
    "api_key": api_key,
    "anthropic_key": anthropic_key,
    "slack_token": slack_token,
    "github_token": github_token,
    "aws_key": aws_key,
    "google_key": google_key,
    "azure_key": azure_key,
    "private_key": private_key,
    "connection_string": connection_string,
    "password": password,
}

# Near misses ----------------------------------------------------------------------------------------------------------


def _wrong_cpf(chance: Random) -> str:
    nine = some(chance, DIGITS, 9)
    both = wrong(chance, cpf_digits(nine))
    return chance.choice([f"{nine[:3]}.{nine[3:6]}.{nine[6:]}-{both}", nine + both, "111.111.111-11"])


def _wrong_cnpj(chance: Random) -> str:
    body = _cnpj_body(chance)
    both = wrong(chance, cnpj_digits(body))
    return chance.choice([f"{body[:2]}.{body[2:5]}.{body[5:8]}/{body[8:]}-{both}", body + both])


def _no_card(chance: Random) -> str:
    body = "4" + some(chance, DIGITS, 14)
    unissued = chance.choice("01789") + some(chance, DIGITS, 14)
    longer = "4" + some(chance, DIGITS, 20)
    return chance.choice([body + wrong(chance, luhn_digit(body)), unissued + luhn_digit(unissued), longer])


def _no_iban(chance: Random) -> str:
    country = chance.choice(sorted(_ACCOUNTS))
    account = _account(chance, country)
    digits = iban_digits(country, account)
    return chance.choice(
        [country + wrong(chance, digits) + account, "ZZ" + digits + account, country + digits + account + "7"]
    )


def _no_ssn(chance: Random) -> str:
    area = chance.choice(["000", "666", f"9{some(chance, DIGITS, 2)}"])
    serial = some(chance, DIGITS, 4)
    return chance.choice(
        [f"{area}-45-{serial}", f"123-00-{serial}", f"{chance.randint(100, 899)}-{some(chance, DIGITS, 3)}-{serial}"]
    )


def _no_phone(chance: Random) -> str:
    return chance.choice(
        [
            f"+{some(chance, DIGITS, 17)}",
            f"C++{chance.choice(['11', '14', '17', '20', '23'])}",
            f"+{chance.randint(1, 999)} points",
            f"1+{some(chance, DIGITS, 10)}",
            f"+1 {some(chance, DIGITS, 3)}",
            f"+210 {some(chance, DIGITS, 9)}"[: chance.choice([5, 6, 7])],
        ]
    )


def _no_address(chance: Random) -> str:
    numbers = [str(chance.randint(0, 30)) for _ in range(5)]
    return chance.choice(
        [
            ".".join(numbers),
            ".".join(numbers[:3]),
            f"{chance.randint(256, 999)}." + ".".join(numbers[:3]),
            f"rows[::{chance.randint(2, 99)}]",
            f"rows[{chance.randint(0, 99)}::{chance.randint(2, 9)}]",
            "version " + ".".join(numbers[:4]),
            "v" + ".".join(numbers[:4]),
            f"{chance.randint(0, 23):02d}:{chance.randint(0, 59):02d}:{chance.randint(0, 59):02d}",
            ":".join(some(chance, HEX, 2) for _ in range(6)),
            chance.choice(["std::vector", "a::b", "Foo::Bar::baz", "List<A::B>", "::", "key::value"]),
            ":".join(some(chance, HEX, 4) for _ in range(9)),
            ":".join(some(chance, HEX, 4) for _ in range(7)),
        ]
    )


def _no_email(chance: Random) -> str:
    name = chance.choice(_NAMES)
    return chance.choice(
        [
            f"@{name}",
            f"{name}@",
            f"{name}@localhost",
            f"git@github.com:{name}/app.git",
            f"{name}@2x.png",
            f"{name}@4.17.{chance.randint(0, 40)}",
            "@app.route",
            f"{name} @ example . com",
            f"{name}@@example",
        ]
    )


def _time_or_count(chance: Random) -> str:
    second = chance.randint(1_500_000_000, 1_900_000_000)
    # Eleven and fourteen digits: one in a hundred of these would be a CPF or a CNPJ, and nobody could tell.
    eleven = some(chance, DIGITS, 9)
    return chance.choice(
        [
            str(second),
            f"{second}{some(chance, DIGITS, 3)}",
            f"{second}{some(chance, DIGITS, 6)}",
            f"{second}{some(chance, DIGITS, 9)}",
            eleven + wrong(chance, cpf_digits(eleven)),
            some(chance, DIGITS, 24),
            some(chance, DIGITS, 32),
            some(chance, DIGITS, 8),
            "2024-12-31 23:59:59",
            "2024-12-31T23:59:59.123456Z",
            "1.234.567,89",
            "R$ 12.345,67",
            "10-20-2024",
            "31/12/2024",
        ]
    )


def _identifier(chance: Random) -> str:
    return chance.choice(
        [
            uuid_4(chance),
            some(chance, HEX, 32),
            some(chance, HEX, 40),
            some(chance, HEX, 64),
            f"00-{some(chance, HEX, 32)}-{some(chance, HEX, 16)}-01",
            f"run_{some(chance, LETTERS_AND_DIGITS, 20)}",
            f"toolu_01{some(chance, LETTERS_AND_DIGITS, 22)}",
            f"call_{some(chance, LETTERS_AND_DIGITS, 24)}",
            some(chance, BASE_64, 60),
            some(chance, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26),
        ]
    )


def _no_token(chance: Random) -> str:
    return chance.choice(
        [
            "sk-learn-release-notes-0-24-2-and-more",
            "task-force-2024-members-and-guests",
            "pk-and-fk-columns-of-the-orders-table",
            f"ghp_{some(chance, LETTERS_AND_DIGITS, 12)}",
            f"AKIA{some(chance, string.ascii_lowercase, 16)}",
            f"AIza{some(chance, LETTERS_AND_DIGITS, 12)}",
            "xoxo-hugs",
            "Bearer authentication is required",
            "the bearer of bad news",
            f"eyJ{some(chance, LETTERS_AND_DIGITS, 30)}",
            ".".join(some(chance, LETTERS_AND_DIGITS, 20) for _ in range(3)),
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "https://example.com:8443/path?a=b@c",
            "postgres://db.example.com:5432/app",
            "ssh://git.example.com:22/x",
        ]
    )


def _no_password(chance: Random) -> str:
    return chance.choice(
        [
            "Password: please reset it",
            "Senha: deve ser trocada",
            "token = tokenizer.encode(text)",
            "password = getpass()",
            "api_key = os.environ[NAME]",
            f"max_tokens: {chance.randint(1, 9999)}",
            f"max token: {chance.randint(1000, 99999)}",
            f"maxToken={chance.randint(1000, 99999)}",
            "Passwords: 12-16 characters",
            f"tokens={chance.randint(1, 9999)}",
            "secret=None",
            "the secret: never give up",
            "authorization: required",
            "forgot password?",
        ]
    )


def _other_merchant_code(chance: Random) -> str:
    return merchant_code(chance, "COM.EXAMPLE.PAY", f"shop-{chance.choice(_NAMES)}")


NEAR_MISSES: dict[str, Make] = {
    "cpf": _wrong_cpf,
    "cnpj": _wrong_cnpj,
    "card": _no_card,
    "iban": _no_iban,
    "us_ssn": _no_ssn,
    "phone": _no_phone,
    "address": _no_address,
    "email": _no_email,
    "number": _time_or_count,
    "identifier": _identifier,
    "token": _no_token,
    "password": _no_password,
    "merchant_code": _other_merchant_code,
}
