"""Each detector by examples: what it has to find to the character, and what it has to leave."""

import base64

import pytest

from tailrace.redaction import RedactedText, usual_redactor
from tailrace.redaction.redactor import USUAL_DETECTORS
from tailrace.redaction.rule import Rule
from tests.corpus.formats import merchant_code_remainder

REDACTOR = usual_redactor()
KEY = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3gH5jK7m"
HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
JWT = f"{HEADER}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
# A payee whose name holds what also begins the closing field.
PIX = (
    "00020126360014BR.GOV.BCB.PIX0114+5511943214321520400005303986540566.665802BR5907A6304BC6008BRASILIA62080503***6304"
)
PIX += merchant_code_remainder(PIX)

FOUND = [
    (
        "pem",
        "x -----BEGIN RSA PRIVATE KEY-----\nMIIB\nqwer==\n-----END RSA PRIVATE KEY----- y",
        "x [REDACTED:private_key] y",
    ),
    ("pem", "-----BEGIN PRIVATE KEY-----\nMIIBqwer", "[REDACTED:private_key]"),
    (
        "pem",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----!",
        "[REDACTED:private_key]!",
    ),
    ("pem", "-----BEGIN PRIVATE KEY-----\\nMIIB\\n-----END PRIVATE KEY-----\\n", "[REDACTED:private_key]\\n"),
    ("connection_url", "see postgres://u:p@ss/w@db:5432/app, ok", "see [REDACTED:connection_string], ok"),
    ("connection_url", "redis://:hunter22@cache.example.com/0", "[REDACTED:connection_string]"),
    ("connection_url", "http://user:secret1@example.com/a", "[REDACTED:connection_string]"),
    ("connection_url", "jdbc:mysql://root:toor@h/x", "[REDACTED:connection_string]"),
    (
        "connection_parts",
        "Server=a;Database=b;User Id=c;Password=d e",
        "Server=a;Database=b;User Id=c[REDACTED:connection_string] e",
    ),
    ("connection_parts", "Driver=x;Pwd='a b'", "Driver=x[REDACTED:connection_string]"),
    ("pem", f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{'lQ+/' * 6_000}= done!", "[REDACTED:private_key]!"),
    (
        "pem",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{'lQ+/' * 6_000}=\n-----END PGP PRIVATE KEY BLOCK-----\nand more",
        "[REDACTED:private_key]\nand more",
    ),
    ("jwt", f"token {JWT}.", "token [REDACTED:jwt]."),
    ("jwt", f"({JWT}.AAA.BBB)", "([REDACTED:jwt])"),
    ("anthropic", f"key sk-ant-api03-{KEY}", "key [REDACTED:anthropic_key]"),
    ("secret_or_publishable", f"sk-{KEY}; pk_live_{KEY}", "[REDACTED:api_key]; [REDACTED:api_key]"),
    ("secret_or_publishable", "pk-lf-12345678-1234-4234-8234-123456789abc", "[REDACTED:api_key]"),
    ("secret_or_publishable", "rk_test_hQWHMGWVHFxoxwVKnOzk", "[REDACTED:api_key]"),
    ("secret_or_publishable", "rk_test_hQWhmgwvHfxoxwVknOzK", "[REDACTED:api_key]"),
    ("secret_or_publishable", "rk_test_HqwHMGWVhFXOXWvKNoZk", "[REDACTED:api_key]"),
    ("slack", f"xoxb-1234567890-{KEY}", "[REDACTED:slack_token]"),
    ("slack", f"xoxe.xoxp-1-{KEY}", "[REDACTED:slack_token]"),
    ("slack", f"xapp-1-A0B1C2D3-{KEY}", "[REDACTED:slack_token]"),
    ("slack", "https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefgh", "https://[REDACTED:slack_token]"),
    ("github", f"ghp_{KEY[:36]} gho_{KEY[:36]}", "[REDACTED:github_token] [REDACTED:github_token]"),
    ("github", f"github_pat_{KEY[:22]}_{KEY}", "[REDACTED:github_token]"),
    ("aws", "id AKIAABCDEFGHIJKLMNOP.", "id [REDACTED:aws_key]."),
    ("aws_secret", f"aws_secret_access_key = {KEY[:40]}", "[REDACTED:aws_key]"),
    (
        "signed_url",
        f"https://b.example.com/o?X-Amz-Signature={KEY}&x=1",
        "https://b.example.com/o?[REDACTED:aws_key]&x=1",
    ),
    ("google", f"AIza{KEY[:35]}", "[REDACTED:google_key]"),
    ("google", f"ya29.{KEY}", "[REDACTED:google_key]"),
    ("google", f"GOCSPX-{KEY[:28]}", "[REDACTED:google_key]"),
    ("google", f"?X-Goog-Signature={'0a' * 40}", "?[REDACTED:google_key]"),
    ("azure", f"EndpointSuffix=x;AccountKey={'Ab1+' * 21}aa==", "EndpointSuffix=x;[REDACTED:azure_key]"),
    ("azure", f"&sig={'aB3' * 14}a%3D", "&[REDACTED:azure_key]"),
    ("azure_client_secret", f"abc8Q~{KEY[:34]}", "[REDACTED:azure_key]"),
    ("inline_media", "see data:image/png;base64,iVBORw0KGgo= here", "see [REDACTED:opaque] here"),
    ("bearer", f"Authorized with Bearer {KEY}.", "Authorized with [REDACTED:bearer_token]."),
    ("bearer", "bearer abcdefghijKLMNOPqrstuvwx", "[REDACTED:bearer_token]"),
    ("bearer", f"bearer {'abcdef' * 6}", "[REDACTED:bearer_token]"),
    ("assignment", "password=hunter", "[REDACTED:password]"),
    ("assignment", "db.password: hunter2", "[REDACTED:password]"),
    ("assignment", '{"api_key": "all words", "x": 1', '{"[REDACTED:password], "x": 1'),
    ("assignment", "senha = 'tudo bem'", "[REDACTED:password]"),
    ("assignment", "Authorization: Basic dXNlcjpQYXNz", "[REDACTED:password]"),
    ("assignment", '{\\"client_secret\\": \\"abc\\"}', '{\\"[REDACTED:password]}'),
    ("assignment", "https://x.example.com/?token=abcdef12345&x=1", "https://x.example.com/?[REDACTED:password]&x=1"),
    ("assignment", '"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG"', '"[REDACTED:password]'),
    ("assignment", "clientSecret: Zx81kPq0 dbPassword=hunter2x9", "[REDACTED:password] [REDACTED:password]"),
    ("assignment", "PGPASSWORD=letmein psql", "[REDACTED:password] psql"),
    ("assignment", "DB_PASSWORD=S3cr(et9 next", "[REDACTED:password] next"),
    ("assignment", "password: p{4}ssw0rd! next", "[REDACTED:password]! next"),
    ("assignment", "password=Xy12;rest9#K next", "[REDACTED:password] next"),
    ("assignment", "password=S3cr&et9x7&next=1", "[REDACTED:password]&next=1"),
    ("assignment", "{password:abc123,user:bob}", "{[REDACTED:password],user:bob}"),
    ("assignment", 'so "password":"ab\\"cdSECRET99" it is', 'so "[REDACTED:password] it is'),
    ("assignment", "password: t(fIBL7Ve6P90 on", "[REDACTED:password] on"),
    ("assignment", "password: t{fIBL7Ve6P90 on", "[REDACTED:password] on"),
    ("assignment", "token: 482193", "[REDACTED:password]"),
    ("cookie", "GET /\nCookie: session=abc; theme=dark\nHost: x", "GET /\n[REDACTED:password]\nHost: x"),
    ("cookie", "set-cookie: id=a", "set-[REDACTED:password]"),
    ("element", "<db_password>tudo bem</db_password> x", "[REDACTED:password]/db_password> x"),
    ("option", "run --password hunter --x, --api-key 'a b'.", "run [REDACTED:password] --x, [REDACTED:password]."),
    ("card", "4111 1111 1111 1111", "[REDACTED:card]"),
    ("card", "4111  1111- 1111 -1111", "[REDACTED:card]"),
    ("card", "paid by 4111-1111-1111-1111 123", "paid by [REDACTED:card] 123"),
    ("card", "2024 5555555555554444", "2024 [REDACTED:card]"),
    ("card", "2024 4111 1111 1111 1111", "2024 [REDACTED:card]"),
    ("cpf", "123 456 111 444 777 35", "123 456 [REDACTED:cpf]"),
    ("card", "3782 822463 10005, 30569309025904", "[REDACTED:card], [REDACTED:card]"),
    ("card", "4111111111111111/12/27", "[REDACTED:card]/12/27"),
    ("iban", "DE89 3704 0044 0532 0130 00 EUR", "[REDACTED:iban] EUR"),
    ("iban", "iban gb82west12345698765432", "iban [REDACTED:iban]"),
    ("iban", "(NO93-8601-1117-947)", "([REDACTED:iban])"),
    ("pix_uuid", "chave Pix: 12345678-1234-4234-8234-123456789abc", "chave Pix: [REDACTED:pix_key]"),
    (
        "pix_code",
        (
            "00020126360014BR.GOV.BCB.PIX0114+5511943214321520400005303986540566.665802BR5907EMPRESA6008BRASILIA"
            "62080503***6304170E"
        ),
        "[REDACTED:pix_key]",
    ),
    ("pix_code", f"copia e cola: {PIX}.", "copia e cola: [REDACTED:pix_key]."),
    ("email", "de joão.silva+x@exemplo.com.br.", "de [REDACTED:email]."),
    ("email", "<a_b@mail.example.co.uk>", "<[REDACTED:email]>"),
    ("email", "it's o'brien@example.com", "it's [REDACTED:email]"),
    ("email", "“иван@example.com”", "“[REDACTED:email]”"),
    ("phone", "tel +55 (11) 98765-4321,", "tel [REDACTED:phone],"),
    ("phone", "(+1 415-555-2671)", "([REDACTED:phone])"),
    ("phone", "+442071838750 +7 495 123-45-67", "[REDACTED:phone] [REDACTED:phone]"),
    ("phone", "Call +1 415-555-2671 24/7", "Call [REDACTED:phone] 24/7"),
    ("phone", "+55 11 91234-5678 2024", "[REDACTED:phone] 2024"),
    ("phone", "+44 7911 123456 2024-06-01 10:22:33", "[REDACTED:phone] 2024-06-01 10:22:33"),
    ("phone", "+49 30 2586383 2024-05-01, +351 912 345 678 24/7", "[REDACTED:phone] 2024-05-01, [REDACTED:phone] 24/7"),
    ("phone", "+14155552671 4155552671", "[REDACTED:phone] 4155552671"),
    ("phone", "+1 415 555 2671x12, +1 415 555 2671 ext. 3", "[REDACTED:phone]x12, [REDACTED:phone] ext. 3"),
    ("cpf", "CPF 111.444.777-35 e 11144477735", "CPF [REDACTED:cpf] e [REDACTED:cpf]"),
    ("cpf", "111 444 777 35, CPF11144477735", "[REDACTED:cpf], [REDACTED:cpf]"),
    ("cnpj", "11.222.333/0001-81 12.ABC.345/01DE-35", "[REDACTED:cnpj] [REDACTED:cnpj]"),
    ("cnpj", "12abc345/01de-35 12ABC34501DE35", "[REDACTED:cnpj] [REDACTED:cnpj]"),
    ("us_ssn", "123-45-6789 / SSN 123456789", "[REDACTED:us_ssn] / SSN [REDACTED:us_ssn]"),
    ("ipv4", "from 203.0.113.7.", "from [REDACTED:ipv4]."),
    ("ipv6", "2001:db8::1, [fe80::1ff:fe23:4567:890a]:443", "[REDACTED:ipv6], [[REDACTED:ipv6]]:443"),
    ("ipv6", "ip:2001:DB8:0:0:8:800:200C:417A ::ffff:192.0.2.1.", "ip:[REDACTED:ipv6] [REDACTED:ipv6]."),
]

LEFT = [
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "https://example.com:8080/a@b and https://example.com/?q=a:b@c",
    "eyJhbGciOiJI.eyJzdWIi.x y",
    f"eyJ{'A' * 20}.{'B' * 20}.{'C' * 20}",
    "sk-learn-release-notes-0-24-2 task-force-2024-members",
    "pk_PurchaseOrderLineItems pk_AspNetUserRoleClaims sk_OpenSslStackOfCertificates_push",
    "rk_test_hQWHMGWVHFxoxwVKnOz rk_test_hQwhmgwvHfxoxwVknOzK rk_test_HqWHMGWVhFXOXWvKNoZk",
    "sk-incomprehensibilities sk-INCOMPREHENSIBILITIES sk-Incomprehensibilities",
    f"xsk-{KEY} ghx_{KEY}",
    "AKIAABCDEFGHIJKLMNOPQ AKIA1BCDEFGHIJKLMNOP",
    "the bearer of bad tidings and Bearer authentication-scheme",
    "Password: please reset it. token = parse(line) secret=None api_key = os.environ[NAME]",
    "4111 1111 1111 1112",
    "cookie: the sweet one, <password></password> <passkey>a</b> --passwords --token --x",
    "1111111111111117 41111111111111111111111",
    "DE88 3704 0044 0532 0130 00, DE8937040044053201300, ZZ89370400440532013000",
    "id 12345678-1234-4234-8234-123456789abc",
    "00020126360014BR.GOV.BCB.PIX0114chave-de-teste-520400005303986540566.665802BR62080503***6304170F",
    "@user user@ user@localhost git@github.com:a/b.git icon@2x.png lodash@4.17.21",
    "+1 234 +12345678901234567 C++17 +100 +1 115 555 2671 +21 +289 123 456 789",
    "111.444.777-36 111.111.111-11 9111.444.777-35 11144477735123 a11144477735",
    "11.222.333/0001-82 00.000.000/0000-00 12abc34501de35",
    "000-45-6789 666-45-6789 900-45-6789 123-00-6789 123-45-0000 123456789 123 45 6789",
    "256.1.1.1 1.2.3.4.5 version 1.2.3.4 v1.2.3.4 1.2.3",
    "xs[::2] a[2::3] = b[::10] rows[1::2][0]",
    "max token: 4096 maxToken=16000 Passwords: 12-16 characters token = parse2(line) key[0]",
    "+14155552671a +5511912345678é",
    "12:34:56 std::vector a::b 00:1b:44:11:3a:b7 1:2:3:4:5:6:7:8:9 :: 1::2::3",
]


@pytest.mark.parametrize(("detector", "text", "redacted"), FOUND)
def test_what_is_found(detector: str, text: str, redacted: str) -> None:
    """The mask replaces the find and nothing else."""
    assert detector in {one.name for one in USUAL_DETECTORS}

    outcome = REDACTOR.redact_text(text)

    assert isinstance(outcome, RedactedText)
    assert outcome.value == redacted


@pytest.mark.parametrize("text", LEFT)
def test_what_is_left(text: str) -> None:
    """What only looks like it stays: check digits, ranges, lengths and neighbours decide."""
    assert REDACTOR.redact_text(text) == RedactedText(text)


def test_every_detector_has_an_example() -> None:
    """A detector without one could be taken away unseen."""
    assert {one.name for one in USUAL_DETECTORS} == {detector for detector, _, _ in FOUND}


@pytest.mark.parametrize("detector", USUAL_DETECTORS, ids=lambda detector: str(detector.name))
def test_a_gate_never_hides_a_find(detector: Rule) -> None:
    """Where a detector finds something, its gate finds something too."""
    for name, text, _ in FOUND:
        laid_out = b"\x00" + text.encode("latin-1", "replace") + b"\x00"
        if any(detector.find(laid_out)) and detector.gate is not None:
            assert detector.gate.between(laid_out, 0, len(laid_out)) is not None, (name, text)
