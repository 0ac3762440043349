"""Which projections a sink wants. What it does not want is filtered: it moves the cursor and is never a gap."""

from dataclasses import dataclass

from tailrace.domain.kinds import ProjectionKind
from tailrace.domain.projected import ProjectedRecord


@dataclass(frozen=True, slots=True)
class Selection:
    """Include-lists; an empty one admits everything. A record must be admitted by all three."""

    kinds: frozenset[ProjectionKind] = frozenset()
    families: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()

    @property
    def admits_everything(self) -> bool:
        return not (self.kinds or self.families or self.agents)

    def admits(self, record: ProjectedRecord) -> bool:
        return (
            (not self.kinds or record.kind in self.kinds)
            and (not self.families or record.family in self.families)
            and (not self.agents or record.agent_id in self.agents)
        )
