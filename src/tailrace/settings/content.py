"""What one sink is to get of content: the keys of `content` in a sink."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tailrace.domain.privacy import ContentCaptureMode
from tailrace.settings.capture import Mode
from tailrace.settings.values import ChosenName, Section, unusable


class ContentSettings(Section):
    """How much content the sink is for, and the policy that says when; nothing unless set."""

    mode: Annotated[
        Mode, Field(description="The most the sink is to get; each event gets the narrowest of this and all rules.")
    ] = ContentCaptureMode.OFF
    policy: Annotated[ChosenName | None, Field(description="One of capture.policies.", examples=["analytics"])] = None

    @model_validator(mode="after")
    def _name_a_policy(self) -> Self:
        if self.mode is not ContentCaptureMode.OFF and self.policy is None:
            raise unusable(
                f"mode {self.mode} needs a policy",
                "Add policy: with the name of one of capture.policies, or remove mode",
            )
        return self
