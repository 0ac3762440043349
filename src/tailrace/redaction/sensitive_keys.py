"""Keys of JSON objects whose values are masked whole, whatever the values are."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tailrace.redaction.categories import Category
from tailrace.redaction.folding import fold

_SEPARATORS: Final = bytes(code for code in range(128) if not chr(code).isalnum())
# A key of letters, too short for any token, cannot hold what a detector looks for.
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_\-]{1,19}")

_CREDENTIALS: Final = (
    "authorization authorisation proxyauthorization auth cookie setcookie pass passcode pin cvv cvc cvv2 "
    "dbpass smtppass mailpass ftppass sshpass userpass adminpass rootpass pgpass mysqlpass redispass "
    "securitycode apikeys accesskey secretkey privatekey signingkey encryptionkey masterkey accountkey "
    "sharedaccesskey connectionstring dsn credential credentials otp totp mfacode sessionid sessionkey pem "
    "segredo chavesecreta chaveprivada chaveapi chavedeacesso codigoseguranca"
)
_ENDINGS: Final = (
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "secrets",
    "apikey",
    "accesskeyid",
    "secretaccesskey",
    "token",  # not `max_tokens`; a cursor such as `next_page_token` is masked along
    "privatekey",
    "secretkey",
    "connectionstring",
    "senha",
)
# Keys that say which number their value is. The value is masked even if its check digits are wrong.
_TOLD: Final = {
    "cpf": Category.CPF,
    "cnpj": Category.CNPJ,
    "ssn": Category.US_SSN,
    "socialsecuritynumber": Category.US_SSN,
    "cardnumber": Category.CARD,
    "creditcardnumber": Category.CARD,
    "numerocartao": Category.CARD,
    "iban": Category.IBAN,
    "pixkey": Category.PIX_KEY,
    "chavepix": Category.PIX_KEY,
    # What a provider sealed for itself, by the names that providers give it.
    "encryptedcontent": Category.OPAQUE,
    "encryptedreasoning": Category.OPAQUE,
    "redactedthinking": Category.OPAQUE,
    "thoughtsignature": Category.OPAQUE,
    "providerstate": Category.OPAQUE,
}


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Which keys of objects are sensitive; a key is compared without case, separators and look-alikes.

    `whole` and `told` hold such normalised names, `endings` what a name may end with.
    """

    whole: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()

    def category_of(self, key: str) -> str | None:
        """The category under which the value of this key is masked, or None if the key says nothing."""
        return _category_of(self, key) if len(key) <= 64 else self._looked_up(normalised(key))

    def _looked_up(self, name: str) -> str | None:
        if name in self.whole or (self.endings and name.endswith(self.endings)):
            return Category.SENSITIVE_KEY
        return next((category for told, category in self.told if told == name), None)

    def __bool__(self) -> bool:
        return bool(self.whole or self.endings or self.told)


@lru_cache(maxsize=4096)
def _category_of(rules: KeyRules, key: str) -> str | None:
    return rules._looked_up(normalised(key))  # noqa: SLF001 - the cached half of the same class


def normalised(key: str) -> str:
    """`Api-Key`, `api_key` and one in full-width letters are all `apikey`."""
    return fold(key).plain.translate(None, _SEPARATORS).decode("latin-1").casefold()


def may_hold_a_find(key: str) -> bool:
    """Whether our detectors have to look at a key itself; false for the plain words that nearly all keys are."""
    return _PLAIN_KEY.fullmatch(key) is None


def usual_key_rules(further: Iterable[str] = ()) -> KeyRules:
    """The keys that nearly everybody uses for credentials and for numbers of persons, and `further` ones."""
    return KeyRules(
        whole=frozenset(_CREDENTIALS.split()) | {normalised(key) for key in further},
        endings=_ENDINGS,
        told=tuple((name, category.value) for name, category in _TOLD.items()),
    )
