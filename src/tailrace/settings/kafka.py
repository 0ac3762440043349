"""How to reach one Kafka cluster: addresses, security, and what goes through to librdkafka unread."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, model_validator

from tailrace.settings.passthrough import refusal
from tailrace.settings.values import FROZEN, Section, unusable

Property = str | int | float | bool


FIRST_WAIT, LONGEST_WAIT = "reconnect.backoff.ms", "reconnect.backoff.max.ms"
"""Before another attempt to connect: the first time, and at most."""

PREFERRED: Mapping[str, Property] = {
    # Since KIP-899 a client none of whose brokers answers tries its addresses afresh, each with a thread of its own,
    # and never gets further than this first wait. At the default of 100 ms that is 20 threads a second and consumer
    # [measured: a worker of three sinks without Kafka, 0.055 of a core at 100 ms, 0.03 at 500].
    FIRST_WAIT: 500,
    # The client's default of 10 s between attempts would outlast most outages by that much.
    LONGEST_WAIT: 1_000,
    # Brokers close idle connections all day; each would be a line that looks like trouble.
    "log.connection.close": False,
}
"""What every client does unless `librdkafka` says otherwise."""


def _preferred_beside(chosen: Mapping[str, Property]) -> Mapping[str, Property]:
    """What is preferred, as far as it goes with what was chosen.

    A client refuses a first wait that is longer than the longest, and who sets one of the two has not said the other.
    """
    waits = {**PREFERRED, **chosen}
    try:
        crossed = float(waits[FIRST_WAIT]) > float(waits[LONGEST_WAIT])
    except ValueError:
        return PREFERRED  # no number: the client's own message names the property
    said = chosen.get(FIRST_WAIT, chosen.get(LONGEST_WAIT))
    return {**PREFERRED, FIRST_WAIT: said, LONGEST_WAIT: said} if crossed and said is not None else PREFERRED


def _scalar(value: object) -> object:
    if not isinstance(value, Property):
        raise unusable("is not a plain value", "Write one text, number or truth value, as librdkafka's manual has it")
    return value


def _permitted(name: str) -> str:
    if (refused := refusal(name)) is not None:
        why, remedy = refused
        raise unusable(f"may not be set: {why}", remedy)
    return name


def _servers(value: str) -> str:
    entries = [entry.strip() for entry in value.split(",")]
    for entry in entries:
        host, colon, port = entry.rpartition(":")
        host = host.rpartition("://")[2]
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536 or any(map(str.isspace, entry)):
            raise unusable(
                "is not a list of addresses", 'Write host:port, several with commas: "kafka-1:9092,kafka-2:9092"'
            )
    return ",".join(entries)


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _secret_from(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except FileNotFoundError:
        raise unusable(f"the file {file} does not exist", "Mount the secret there or mend the path") from None
    except (OSError, UnicodeDecodeError):
        raise unusable(f"the file {file} cannot be read as text", "Check its permissions and its content") from None


class SecuritySettings(Section):
    """How clients authenticate and encrypt. The default is neither."""

    protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        BeforeValidator(_upper),
        Field(description="What travels on the wire; SASL_* needs the sasl_ keys, *SSL takes the file keys."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None,
        BeforeValidator(_upper),
        Field(description="How the user name and password are presented."),
    ] = None
    sasl_username: Annotated[str | None, Field(min_length=1, description="The user of this worker.")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="Its password; better in sasl_password_file.")] = None
    sasl_password_file: Annotated[
        str | None, Field(description="A file whose content is the password; one trailing line end is not part of it.")
    ] = None
    ca_location: Annotated[
        FilePath | None, Field(description="PEM file of the authorities to trust; the system's own if not set.")
    ] = None
    certificate_location: Annotated[FilePath | None, Field(description="PEM file with the client certificate.")] = None
    key_location: Annotated[FilePath | None, Field(description="PEM file with the client's private key.")] = None
    key_password: Annotated[SecretStr | None, Field(description="The private key's pass phrase.")] = None

    @model_validator(mode="before")
    @classmethod
    def _read_password_file(cls, written: Any) -> Any:
        if not isinstance(written, Mapping) or not isinstance(file := written.get("sasl_password_file"), str):
            return written
        if written.get("sasl_password") is not None:
            raise unusable("has both sasl_password and sasl_password_file", "Keep one of the two")
        return {**written, "sasl_password": _secret_from(file)}

    @model_validator(mode="after")
    def _belong_together(self) -> "SecuritySettings":
        given = [key for key in ("sasl_mechanism", "sasl_username", "sasl_password") if getattr(self, key) is not None]
        if self.protocol.startswith("SASL_") and len(given) < 3:
            raise unusable(
                f"protocol {self.protocol} needs sasl_mechanism, sasl_username and sasl_password",
                "Set the missing ones, or choose PLAINTEXT or SSL",
            )
        if given and not self.protocol.startswith("SASL_"):
            raise unusable(
                f"{given[0]} has no effect with protocol {self.protocol}", "Set protocol to SASL_SSL or SASL_PLAINTEXT"
            )
        files = [key for key in ("ca_location", "certificate_location", "key_location") if getattr(self, key)]
        if files and not self.protocol.endswith("SSL"):
            raise unusable(f"{files[0]} has no effect with protocol {self.protocol}", "Set protocol to SSL or SASL_SSL")
        if (self.certificate_location is None) != (self.key_location is None):
            raise unusable("a client certificate needs its key", "Set both certificate_location and key_location")
        return self

    def properties(self) -> dict[str, Property]:
        """The librdkafka properties these settings mean, secrets in clear: for a client's constructor, never a log."""
        secrets = {"sasl.password": self.sasl_password, "ssl.key.password": self.key_password}
        plain = {
            "security.protocol": self.protocol,
            "sasl.mechanisms": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "ssl.ca.location": self.ca_location,
            "ssl.certificate.location": self.certificate_location,
            "ssl.key.location": self.key_location,
        }
        return {
            **{name: str(value) for name, value in plain.items() if value is not None},
            **{name: value.get_secret_value() for name, value in secrets.items() if value is not None},
        }


class KafkaSettings(Section):
    """One Kafka cluster."""

    bootstrap_servers: Annotated[
        str,
        AfterValidator(_servers),
        Field(
            description="Where to find the cluster: host:port, several separated by commas.", examples=["kafka:9092"]
        ),
    ]
    security: Annotated[SecuritySettings, Field(description="Authentication and encryption; none by default.")] = (
        SecuritySettings()
    )
    librdkafka: Annotated[
        Mapping[Annotated[str, AfterValidator(_permitted)], Annotated[Property, BeforeValidator(_scalar)]],
        *FROZEN,
        Field(
            default_factory=dict,
            validate_default=True,
            description="Properties for every client of this cluster, as librdkafka's CONFIGURATION.md names them. "
            "Those a guarantee rests on are refused, with the reason.",
        ),
    ]

    def properties(self) -> dict[str, Property]:
        """Address, security and pass-through as librdkafka properties, secrets in clear: for a client's constructor."""
        return {
            **_preferred_beside(self.librdkafka),
            "bootstrap.servers": self.bootstrap_servers,
            **self.security.properties(),
            **self.librdkafka,
        }

    def is_same_cluster_as(self, other: "KafkaSettings") -> bool:
        """Whether the two name a common address. Different names of one cluster go unnoticed."""
        return not set(self.bootstrap_servers.split(",")).isdisjoint(other.bootstrap_servers.split(","))
