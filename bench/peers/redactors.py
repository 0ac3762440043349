"""Presidio's recognisers and scrubadub, each masking a list of texts: a program for the peers' own environment.

Reads one JSON line `{"peer": ..., "texts": [...], "turns": n}` and answers with `{"masked": [...], "cpu_s": [...]}`.
Imports nothing of tailrace, and nothing of its neighbours here.
"""

import json
import sys
import time
from collections.abc import Callable

Mask = Callable[[str], str]


def presidio() -> Mask:
    """Those of its recognisers that have a counterpart; finds with the score that it gives to a certain match."""
    import tldextract  # noqa: PLC0415 - each peer loads its own library only

    # Otherwise it would look for a newer list of domains in the network, at the first address it sees.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    from presidio_analyzer.predefined_recognizers import (  # noqa: PLC0415
        CreditCardRecognizer,
        EmailRecognizer,
        IbanRecognizer,
        IpRecognizer,
        PhoneRecognizer,
        UsSsnRecognizer,
    )

    recognisers = {
        "email": (EmailRecognizer(), ["EMAIL_ADDRESS"]),
        "card": (CreditCardRecognizer(), ["CREDIT_CARD"]),
        "iban": (IbanRecognizer(), ["IBAN_CODE"]),
        "ip": (IpRecognizer(), ["IP_ADDRESS"]),
        "us_ssn": (UsSsnRecognizer(), ["US_SSN"]),
        "phone": (PhoneRecognizer(), ["PHONE_NUMBER"]),
    }

    def masked(text: str) -> str:
        finds: list[tuple[int, int, str]] = []
        for category, (recogniser, entities) in recognisers.items():
            sure = (found for found in recogniser.analyze(text, entities, None) or () if found.score >= 0.4)
            finds += [(found.start, found.end, category) for found in sure]
        return spliced(text, finds)

    return masked


def scrubadub() -> Mask:
    """The detectors that it has on by default."""
    import scrubadub as library  # noqa: PLC0415

    categories = {"email": "email", "phone": "phone", "credit_card": "card", "social_security_number": "us_ssn"}
    scrubber = library.Scrubber()

    def masked(text: str) -> str:
        finds = [(one.beg, one.end, categories.get(one.type, one.type)) for one in scrubber.iter_filth(text)]
        return spliced(text, finds)

    return masked


def spliced(text: str, finds: list[tuple[int, int, str]]) -> str:
    pieces, position = [], 0
    for start, end, category in sorted(finds):
        if start >= position:
            pieces += [text[position:start], f"[REDACTED:{category}]"]
            position = end
    return "".join([*pieces, text[position:]])


def main() -> None:
    task = json.loads(sys.stdin.readline())
    masked = {"Presidio": presidio, "scrubadub": scrubadub}[task["peer"]]()
    answers: list[str] = []
    seconds = []
    masked(task["texts"][0])
    for _ in range(task["turns"]):
        began = time.process_time()
        answers = [masked(text) for text in task["texts"]]
        seconds.append(time.process_time() - began)
    print(json.dumps({"masked": answers, "cpu_s": seconds}))


if __name__ == "__main__":
    main()
