"""Texts that make detectors propose as much as they can, for nothing: pieces, to be repeated."""

HOSTILE = [
    "a", "a@", "@", "a.b-c_", "1", "1 ", "4111 ", "4111-1111-1111-1111 ", "1.1.", "1.1.1.1.", "::", "1::", "a:", ":",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "eyJ-", "eyJhbGciOiJIUzI1NiJ9.", "eyJaaaaaaaaaa.a.",
    "x://", "x://a:", "x://a:b@", "password=", 'password="', "password: '", '\\"password\\":', ";password=", "token_",
    "cookie:", "cookie: a=", "<password>", "--token ", "--token a",
    "a_", "aws_secret ", "sk-", "sk-aaaaaaaaaaaaaaaa ", "sk-ant-", "xox", "7Q~", "Bearer aaaaaaaaaaaaaaaaaaaa1 ",
    "data:a;base64,AAAAAAAA", "+1 ", "+55 ", "(", "DE89 ", "DE89", "000201", "000201br.gov.bcb.pix6304",
    "12345678-1234-1234-1234-123456789012 pix ", "111.444.777-35", "111.444.777-35 ", "123-45-6789 ", "000-45-6789 ",
    "\u200b", "1\u200b", "é", "日", "😀", "１", "{", "[", '["', '"', "[REDACTED:cpf]",  # noqa: RUF001
]  # fmt: skip


def repeated(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length]
