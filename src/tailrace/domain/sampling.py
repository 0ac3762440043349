"""Which runs are in the sample: a keyed hash of the run id, so that every event of a run, and every worker, agrees.

HMAC-SHA256, because a producer in any language has it and can know beforehand what will be sampled, because it takes
keys of any length, and because it is allowed where only approved algorithms are. Keyed BLAKE2 would save a
microsecond per event with content and has none of the three. The key keeps a caller who may choose run ids from
choosing what is sampled. Source: docs/PRIVACY.md, Sampling.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from tailrace.domain.errors import InvalidField
from tailrace.domain.fields import Checked, Identifier

LEAST_KEY_BYTES: Final = 16  # 128 bits, below which a key can be searched for

_DOMAIN: Final = b"tailrace.sample.v1\0"  # so that the key, used for something else, gives unrelated hashes
_POINTS: Final = 2**64


@dataclass(frozen=True, slots=True)
class SampleKey(Checked):
    """A secret and the name it goes by. Only the name ever leaves: it tells which key was in force.

    Raises InvalidField if the secret has fewer than 16 bytes.
    """

    name: Identifier
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if len(self.secret) < LEAST_KEY_BYTES:
            raise InvalidField("secret", f"must have {LEAST_KEY_BYTES} bytes or more")


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What a record tells about sampling: the rate in force, the name of the key, and whether the run is in."""

    rate: float
    key_name: str | None
    included: bool


@dataclass(frozen=True, slots=True)
class SampleRule:
    """The share of runs whose content is sampled, from 0 to 1. Only rates 0 and 1 do without a key.

    With one key, the runs of a lower rate are among those of a higher one. Raises InvalidField for a rate out of range
    or a missing key.
    """

    rate: float = 0.0
    key: SampleKey | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise InvalidField("rate", "must be between 0 and 1")
        if self.key is None and self.rate not in (0.0, 1.0):
            raise InvalidField("key", "is needed for a rate between 0 and 1")

    def outcome(self, run_id: str) -> SampleOutcome:
        """Whether this run is in the sample; the same answer for the same rate, key and run, always. Any thread."""
        name = None if self.key is None else self.key.name
        return SampleOutcome(rate=self.rate, key_name=name, included=self._includes(run_id))

    def _includes(self, run_id: str) -> bool:
        if self.key is None:
            return self.rate == 1.0
        digest = hmac.digest(self.key.secret, _DOMAIN + run_id.encode("utf-8", "surrogatepass"), "sha256")
        # Multiplying by a power of two is exact, so the rate 1 admits every point and the rate 0 none.
        return int.from_bytes(digest[:8], "big") < int(self.rate * _POINTS)
