"""The search finds a canary in everything that somebody could have made of it, and says so if it cannot."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from random import Random
from urllib.parse import quote, quote_plus

import pytest

from tests.canary.canaries import CATEGORIES, PLAIN, Canary, Planter, Reach
from tests.canary.search import Search, SearchBrokenError

Encode = Callable[[bytes], bytes]


def canaries(seed: int = 5) -> list[Canary]:
    planter = Planter(seed)
    for category in CATEGORIES:
        planter.plant("alone", category, "here", Reach.NOWHERE)
    return planter.planted


def around(encode: Encode, before: int = 0) -> Encode:
    """What `encode` makes of a canary in the middle of something longer."""
    return lambda text: b"\x02 some text \x00\xff" + encode(b"x" * before + text + b" and so on") + b"\x00 more"


def json_ascii(text: bytes) -> bytes:
    return json.dumps({"said": text.decode()}).encode()


def json_as_it_is(text: bytes) -> bytes:
    return json.dumps({"said": text.decode()}, ensure_ascii=False).encode()


def all_percent(text: bytes) -> bytes:
    return b"".join(b"%%%02x" % octet for octet in text)


ENCODINGS: dict[str, Encode] = {
    "plain": lambda text: text,
    "capitals": bytes.upper,
    "JSON, ASCII only": json_ascii,
    "JSON": json_as_it_is,
    "JSON with escaped slashes": lambda text: json_ascii(text).replace(b"/", b"\\/"),
    "every character escaped": lambda text: "".join(f"\\u{ord(one):04X}" for one in text.decode()).encode(),
    "JSON in JSON": lambda text: json_ascii(json_ascii(text)),
    "Python's repr": lambda text: repr(text).encode(),
    "Latin-1": lambda text: text.decode().encode("latin-1"),
    "UTF-16 LE": lambda text: text.decode().encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.decode().encode("utf-16-be"),
    "UTF-16 at an odd place": lambda text: b"#" + text.decode().encode("utf-16-le"),
    "base64": base64.b64encode,
    "base64, one byte on": lambda text: base64.b64encode(b"a" + text),
    "base64, two bytes on": lambda text: base64.b64encode(b"ab" + text),
    "base64 for URLs": base64.urlsafe_b64encode,
    "base64 for URLs, unpadded, one byte on": lambda text: base64.urlsafe_b64encode(b"?" + text).rstrip(b"="),
    "base64 right behind letters": lambda text: b"datab" + base64.b64encode(text),
    "base64 in lines": base64.encodebytes,
    "hex": lambda text: text.hex().encode(),
    "HEX": lambda text: text.hex().upper().encode(),
    "hex behind half a byte": lambda text: b"a" + text.hex().encode(),
    "hex with colons": lambda text: text.hex(":").encode(),
    "percent": lambda text: quote(text.decode()).encode(),
    "form": lambda text: quote_plus(text.decode()).encode(),
    "percent everywhere": all_percent,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "torn gzip": lambda text: gzip.compress(text + b"." + Random(1).randbytes(20_000))[:9_000],
    "base64 of gzip": lambda text: base64.b64encode(gzip.compress(text)),
    "gzip of base64 of UTF-16": lambda text: gzip.compress(base64.b64encode(text.decode().encode("utf-16-le"))),
    "hex of JSON in a JSON text": lambda text: json_ascii(json_ascii(text).hex().encode()),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_canary_is_found_however_it_was_encoded(name: str) -> None:
    """Alone and inside something longer, at each place that an alignment could depend on."""
    search = Search(canaries())

    for canary in canaries():
        for before in range(4):
            encoded = around(ENCODINGS[name], before)(canary.text.encode())
            assert canary in search.canaries_within(encoded), f"{canary} at {before}: {encoded!r}"


def test_all_of_them_together_are_found_in_megabytes_of_something_else() -> None:
    made = canaries()
    noise = Random(3)
    hidden = [list(ENCODINGS.values())[number % len(ENCODINGS)](c.text.encode()) for number, c in enumerate(made)]
    haystack = b"".join(noise.randbytes(100_000) + b" " + piece + b" " for piece in hidden)

    assert Search(made).canaries_within(haystack) == set(made)


def test_what_is_not_there_is_not_found() -> None:
    """Texts of the same forms by another seed, encoded in the same ways, are none of these."""
    search = Search(canaries(5))

    others = b" ".join(encode(canary.text.encode()) for canary in canaries(6) for encode in ENCODINGS.values())

    assert search.canaries_within(others) == frozenset()


def test_of_a_secret_the_part_that_gives_access_is_enough() -> None:
    by_category = {canary.category: canary for canary in canaries()}
    search = Search(by_category.values())

    for category in ("connection_string", "jwt", "bearer_token", "private_key", "password"):
        canary = by_category[category]
        assert canary in search.canaries_within(b"<" + canary.needles[-1].encode() + b">")


def test_a_find_says_what_had_to_be_undone() -> None:
    (word,) = [canary for canary in canaries() if canary.category == PLAIN]

    finds = Search([word]).within(json_ascii(base64.b64encode(gzip.compress(word.text.encode()))))

    assert {find.layers for find in finds} == {("base64", "packed")}
    assert str(next(iter(finds))) == "plain in here of alone (base64 in packed)"


def test_a_search_that_does_not_find_its_control_does_not_say_that_all_is_well() -> None:
    """A set without room for its states finds nothing, and would have let everything pass."""
    search = Search(canaries())
    search._set = type(search._set).SearchSet()
    search._set.Add("something else")
    search._set.Compile()

    with pytest.raises(SearchBrokenError):
        search.within(b"anything")


def test_the_same_seed_gives_the_same_canaries_and_each_text_once() -> None:
    assert canaries(9) == canaries(9)
    assert {canary.text for canary in canaries(9)}.isdisjoint(canary.text for canary in canaries(10))
    needles = [needle for canary in canaries(9) for needle in canary.needles]
    assert len(needles) == len(set(needles))
