"""What may happen to content, by the keys of the section `capture`; made without a word, it lets nothing through.

Each class gives the domain's values for what it holds, so that nothing past this package reads keys
(docs/PRIVACY.md, Configuration).
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from tailrace.domain.capture_policy import AxisCap, AxisCaps, ContentCap, ContentOrigin, SinkContentPolicy
from tailrace.domain.fields import MAX_IDENTIFIER_BYTES, identifier_problem
from tailrace.domain.kinds import EventFamily
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.refs import PolicyKind, PolicyRef
from tailrace.domain.retention import RetentionWindows
from tailrace.domain.sampling import LEAST_KEY_BYTES, SampleKey, SampleRule
from tailrace.settings.values import FROZEN, ChosenName, Count, Section, WholeNumber, no_boolean, unusable

Key = TypeVar("Key")

LARGEST_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Above all that three parts of the largest size anybody parses can become; a wider limit would only widen queues."""

OBJECT_STORE_SCHEMES: Final = ("file", "memory", "s3", "gs", "az")


def _mode(value: object) -> object:
    # YAML reads a bare `off` as false. `on` says nothing about how much, so it stays an error.
    return ContentCaptureMode.OFF.value if value is False else value


Mode = Annotated[ContentCaptureMode, BeforeValidator(_mode)]
LimitBytes = Annotated[Count, Field(le=LARGEST_LIMIT_BYTES)]


def _agent_id(value: str) -> str:
    if identifier_problem(value) is not None:
        raise unusable(
            "is not an agent id",
            f"Write the id as events have it: not empty, at most {MAX_IDENTIFIER_BYTES} bytes, no control characters",
        )
    return value


def _window(value: int) -> int:
    if value <= 0:
        raise unusable(
            "is no window: content of that class would be over before it came",
            "Write seconds above 0, or remove the class to keep its content back",
        )
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    size_bytes = len(value.get_secret_value().encode("utf-8", "surrogatepass"))
    if size_bytes < LEAST_KEY_BYTES:
        raise unusable(
            f"is too short for a key: {size_bytes} bytes",
            f"Write a random secret of {LEAST_KEY_BYTES} bytes or more, such as 'openssl rand -hex 32' prints",
        )
    return value


def _object_store_url(value: str) -> str:
    # What is wrong with a URL is told without the URL: it may hold a password.
    try:
        place = urlsplit(value)
    except ValueError:
        raise unusable("is not a URL", "Write it like s3://bucket/prefix or file:///directory") from None
    if place.scheme not in OBJECT_STORE_SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in OBJECT_STORE_SCHEMES)
        raise unusable("is not the URL of an object store", f"Begin it with one of {known}")
    if place.scheme == "file" and (place.netloc or not place.path.startswith("/")):
        raise unusable("is no directory of this machine", "Write it like file:///directory")
    if place.username or place.password or "@" in place.netloc or place.query or place.fragment:
        raise unusable(
            "holds credentials or options",
            "Remove them: credentials come from the environment, under the names of the cloud's own tools",
        )
    return value


def _looked_for(value: str) -> str:
    if not any(character.isalnum() for character in value):
        raise unusable("is no key that anybody writes", "Write a key with a letter or digit in it, or remove it")
    return value


class OmitStoreSettings(Section):
    """Keeps content nowhere and puts it on no record."""

    kind: Literal["omit"]


class InlineStoreSettings(Section):
    """Puts redacted parts on the records themselves, of sinks that are granted raw content."""

    kind: Literal["inline"]


class ReferenceStoreSettings(Section):
    """Keeps redacted parts in an object store, and puts references to them on records."""

    kind: Literal["reference"]
    url: Annotated[
        str,
        AfterValidator(_object_store_url),
        Field(
            description="Where parts are kept: file:///directory, s3://bucket/prefix, gs://…, az://… or memory:///. "
            "Credentials come from the environment.",
            examples=["s3://bucket/prefix"],
        ),
    ]
    name: Annotated[
        ChosenName, Field(description="What records call this store, instead of its place.", examples=["archive"])
    ]
    bound_s: Annotated[
        float,
        BeforeValidator(no_boolean),
        Field(gt=0, le=60, allow_inf_nan=False, description="Longest wait for the parts of one event."),
    ] = 10.0
    plain_http: Annotated[bool, Field(description="Allow an endpoint without TLS.")] = False


StoreSettings = Annotated[OmitStoreSettings | InlineStoreSettings | ReferenceStoreSettings, Field(discriminator="kind")]


class PatternSettings(Section):
    """One category of the operator's own."""

    category: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"),
        Field(description="What stands in the mask: [REDACTED:category].", examples=["employee_id"]),
    ]
    # Not in representations: a pattern can tell what an organisation hides.
    pattern: Annotated[
        str,
        Field(min_length=1, repr=False, description="What is masked, in RE2's syntax.", examples=[r"'E\d{6}'"]),
    ]


class RedactionSettings(Section):
    """What is masked beyond everything that tailrace knows, and under which name records say so."""

    policy_id: Annotated[
        str,
        StringConstraints(pattern=r"^([A-Za-z0-9._:/-]{1,200})?$"),
        Field(description="The name of your redaction rules, on every record's decision. Without one no content."),
    ] = ""
    patterns: Annotated[
        tuple[PatternSettings, ...], Field(description="Categories of your own, beside the built-in ones.")
    ] = ()
    sensitive_keys: Annotated[
        tuple[Annotated[str, AfterValidator(_looked_for)], ...],
        Field(repr=False, description="Keys of JSON objects whose values are masked whole, beside the usual ones."),
    ] = ()

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> Self:
        names = [pattern.category for pattern in self.patterns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise unusable(f"has category {twice[0]} twice", "Join the two patterns with |, or rename one")
        return self


class CapSettings(Section):
    """The most that one rule lets through; off unless set."""

    mode: Annotated[Mode, Field(description="How much of an event's content may leave.")] = ContentCaptureMode.OFF
    part_limit_bytes: Annotated[
        LimitBytes | None,
        Field(description="Largest part (instructions, input or output), redacted; the policy's own if not set."),
    ] = None
    event_limit_bytes: Annotated[
        LimitBytes | None,
        Field(description="Most of one event's parts together, redacted; the policy's own if not set."),
    ] = None

    @model_validator(mode="after")
    def _let_something_through(self) -> Self:
        _refuse_empty_limits(self.mode, self.part_limit_bytes, self.event_limit_bytes)
        return self

    def cap(self, policy: ContentCap) -> AxisCap:
        """The rule as a cap; a limit it does not have is that of `policy`, which it could not exceed anyway."""
        part, event = self.part_limit_bytes, self.event_limit_bytes
        return AxisCap(
            ContentCap(
                mode=self.mode,
                part_limit_bytes=policy.part_limit_bytes if part is None else part,
                event_limit_bytes=policy.event_limit_bytes if event is None else event,
            )
        )


def _refuse_empty_limits(mode: ContentCaptureMode, part: int | None, event: int | None) -> None:
    for key, limit in (("part_limit_bytes", part), ("event_limit_bytes", event)):
        if mode.carries_content and limit == 0:
            raise unusable(f"mode {mode} with {key} 0 lets no content through", f"Set {key} above 0, or mode to off")


_Otherwise = Annotated[CapSettings, Field(description="For all that is not named; off unless set.")]


class AgentCaps(Section):
    """Caps by the agent whose event it is."""

    otherwise: _Otherwise = CapSettings()
    named: Annotated[
        Mapping[Annotated[str, AfterValidator(_agent_id)], CapSettings],
        *FROZEN,
        Field(default_factory=dict, validate_default=True, description="By agent id, exactly as written."),
    ]


class FamilyCaps(Section):
    """Caps by the family of the event. Those of child agents and extensions, and unknown ones, have to be named."""

    otherwise: _Otherwise = CapSettings()
    named: Annotated[
        Mapping[EventFamily, CapSettings],
        *FROZEN,
        Field(default_factory=dict, validate_default=True, description="By family, such as model or tool."),
    ]


class PrivacyCaps(Section):
    """Caps by the privacy class of the event. `sensitive` and `secret` have to be named."""

    otherwise: _Otherwise = CapSettings()
    named: Annotated[
        Mapping[PrivacyClass, CapSettings],
        *FROZEN,
        Field(default_factory=dict, validate_default=True, description="By privacy class."),
    ]


class SampleSettings(Section):
    """Which share of runs gives content; none unless set."""

    rate: Annotated[
        float,
        BeforeValidator(no_boolean),
        Field(ge=0, le=1, allow_inf_nan=False, description="Share of runs, from 0 to 1; all events of a run alike."),
    ] = 0.0
    key: Annotated[
        ChosenName | None, Field(description="Name of the key in capture.sample_keys; only rates 0 and 1 need none.")
    ] = None

    @model_validator(mode="after")
    def _choose_by_a_key(self) -> Self:
        if self.key is None and 0 < self.rate < 1:
            raise unusable(
                f"rate {self.rate:g} needs a key: without one, whoever chooses run ids chooses the sample",
                "Add key: with the name of one of capture.sample_keys",
            )
        return self


class PolicySettings(Section):
    """What a sink that names this policy may have of content, and when."""

    mode: Annotated[Mode, Field(description="The most that leaves under this policy.")] = ContentCaptureMode.OFF
    part_limit_bytes: Annotated[
        LimitBytes, Field(description="Largest part (instructions, input or output), redacted.")
    ] = 0
    event_limit_bytes: Annotated[LimitBytes, Field(description="Most of one event's parts together, redacted.")] = 0
    agents: Annotated[AgentCaps, Field(description="Narrower, by agent.", default_factory=AgentCaps)]
    families: Annotated[FamilyCaps, Field(description="Narrower, by family of events.", default_factory=FamilyCaps)]
    privacy: Annotated[PrivacyCaps, Field(description="Narrower, by privacy class.", default_factory=PrivacyCaps)]
    origins: Annotated[
        tuple[ContentOrigin, ...], Field(description="Whose content is let through besides the agent's own.")
    ] = ()
    retention_s: Annotated[
        Mapping[RetentionClass, Annotated[WholeNumber, AfterValidator(_window)]],
        *FROZEN,
        Field(
            default_factory=dict,
            validate_default=True,
            description="Seconds from an event's own time in which its content may leave, by retention class.",
        ),
    ]
    sample: Annotated[SampleSettings, Field(description="Which runs.")] = SampleSettings()

    @model_validator(mode="after")
    def _let_something_through(self) -> Self:
        _refuse_empty_limits(self.mode, self.part_limit_bytes, self.event_limit_bytes)
        return self

    @property
    def cap(self) -> ContentCap:
        return ContentCap(
            mode=self.mode, part_limit_bytes=self.part_limit_bytes, event_limit_bytes=self.event_limit_bytes
        )


class CaptureSettings(Section):
    """Content: the operator's switch, where it goes, what is masked, and the policies that sinks name."""

    payloads: Annotated[
        bool, Field(description="The operator's switch: redacted content leaves on records only if it is on.")
    ] = False
    store: Annotated[StoreSettings, Field(description="Where redacted content goes.")] = OmitStoreSettings(kind="omit")
    redaction: Annotated[RedactionSettings, Field(description="What is masked.")] = RedactionSettings()
    sample_keys: Annotated[
        Mapping[ChosenName, Annotated[SecretStr, AfterValidator(_long_enough)]],
        *FROZEN,
        Field(
            default_factory=dict,
            validate_default=True,
            description="Secrets for sampling, by name; best as variables. Records hold the name only.",
        ),
    ]
    policies: Annotated[
        Mapping[ChosenName, PolicySettings],
        *FROZEN,
        Field(default_factory=dict, validate_default=True, description="Rules about content, by name."),
    ]

    def policy(self, name: str) -> SinkContentPolicy:
        """The policy of this name, with the keys and the redaction it refers to. KeyError if one is not there."""
        written = self.policies[name]
        cap = written.cap
        key_name = written.sample.key
        key = None
        if key_name is not None:
            key = SampleKey(key_name, self.sample_keys[key_name].get_secret_value().encode("utf-8", "surrogatepass"))
        return SinkContentPolicy(
            policy_ref=PolicyRef(PolicyKind.PRIVACY, name),
            cap=cap,
            agents=_axis(written.agents.otherwise, written.agents.named, cap),
            families=_axis(written.families.otherwise, written.families.named, cap),
            privacy=_axis(written.privacy.otherwise, written.privacy.named, cap),
            origins=frozenset(written.origins),
            retention=RetentionWindows(written.retention_s),
            sampling=SampleRule(written.sample.rate, key),
            redaction_policy_id=self.redaction.policy_id,
        )


def _axis(otherwise: CapSettings, named: Mapping[Key, CapSettings], cap: ContentCap) -> AxisCaps[Key]:
    return AxisCaps({key: rule.cap(cap) for key, rule in named.items()}, otherwise.cap(cap))
