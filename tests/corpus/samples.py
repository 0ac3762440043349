"""Sentences of chats, in English and Portuguese, with values in them and what is to be found there; seeded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.corpus.formats import NEAR_MISSES, POSITIVES

_ENGLISH = [
    "Hi, my record is {} and I need it changed today.",
    "Please look up {}; the customer is waiting.",
    "I tried {} twice, but the order still says pending.",
    "It is {}, thanks!",
    "{}",
    "The tool answered ({}) and then stopped.",
    "Use {} for the test, not the other one. We shipped 12 of 40 units in 2024.",
    "Found 3 rows:\n- first: {}\n- second: nothing",
    'She wrote "{}" in the ticket.',
    "Reach us at {} 24/7, or open a ticket.",
    "{} 2024-05-01 12:00:07 INFO 3 retries left",
]
_PORTUGUESE = [
    "Olá, o cadastro é {} e preciso da alteração hoje.",
    "Por favor, verifique {}; o cliente não pode esperar.",
    "Tentei {} duas vezes, mas o pedido não avançou.",
    "É {}, obrigado!",
    "A ferramenta respondeu ({}) e parou — sem explicação.",
    "Segue a informação: {}. O prazo é de 15 dias úteis, até 31/12.",
    "Não encontrei “{}” na base de dados 😀.",
]
_PROSE = (
    "the order was placed and the agent checked the stock before it called the tool again with other arguments "
    "o pedido foi feito e o agente verificou o estoque antes de chamar a ferramenta outra vez com outros parâmetros "
    "não há previsão de entrega para a região mas a situação será atualizada amanhã às 10h conforme combinado"
)
_FILLER = _PROSE.split()


@dataclass(frozen=True, slots=True)
class Sample:
    """A text; `wanted` are the category and the characters that are to be found in it, none for a near miss."""

    text: str
    wanted: tuple[tuple[str, str], ...]
    sort: str


def samples(seed: int, count: int) -> Iterator[Sample]:
    """`count` samples, the same for the same seed; three fifths hold one value, the others one near miss.

    Every category and every sort of near miss has its equal share.
    """
    chance = Random(seed)
    positives, misses = list(POSITIVES.items()), list(NEAR_MISSES.items())
    for number in range(count):
        sentence = chance.choice(_ENGLISH if chance.random() < 0.5 else _PORTUGUESE)
        if number % 5 < 3:
            category, make = positives[(number // 5 * 3 + number % 5) % len(positives)]
            value = make(chance)
            yield Sample(sentence.format(value), ((category, value),), category)
        else:
            sort, make = misses[(number // 5 * 2 + number % 5 - 3) % len(misses)]
            yield Sample(sentence.format(make(chance)), (), f"no {sort}")


def conversation(chance: Random) -> list[object]:
    """One model call's messages in the form of the GenAI conventions: about 4 kB, with a few values in them."""

    def text(words: int) -> str:
        return " ".join(chance.choices(_FILLER, k=words)) + "."

    def told() -> str:
        make = chance.choice(list(POSITIVES.values()) if chance.random() < 0.3 else list(NEAR_MISSES.values()))
        return chance.choice(_ENGLISH + _PORTUGUESE).format(make(chance))

    rows = [{"id": number, "name": text(2), "note": text(12), "total": chance.random()} for number in range(6)]
    return [
        {"role": "user", "parts": [{"type": "text", "content": f"{text(90)} {told()} {text(60)}"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": text(60)},
                {"type": "tool_call", "id": "call_1", "name": "find", "arguments": {"query": told(), "limit": 6}},
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "call_1", "response": json.dumps({"rows": rows})}],
        },
        {"role": "assistant", "parts": [{"type": "text", "content": f"{text(60)} {told()}"}]},
    ]


def conversations(seed: int, count: int) -> list[list[object]]:
    chance = Random(seed)
    return [conversation(chance) for _ in range(count)]
