"""One run's figures, between its first read and the moment the broker had its last record."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """Processor times are user and system, in seconds; librdkafka's threads are part of the whole."""

    events: int
    elapsed_s: float
    cpu_s: float
    client_cpu_s: float
    whole_life_cpu_s: float
    peak_rss_bytes: int

    @property
    def events_per_s(self) -> float:
        return self.events / self.elapsed_s

    @property
    def cpu_us_per_event(self) -> float:
        return self.us_per_event(self.cpu_s)

    def us_per_event(self, cpu_s: float) -> float:
        return cpu_s / self.events * 1e6

    def json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> "Run":
        return cls(**fields)
