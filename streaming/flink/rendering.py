"""SQL files to statements: `${name}` placeholders, Kafka properties in Java's names, quoting.

What belongs here: text. What does not: which files make a job (`streaming.flink.jobs`), executing them
(`streaming.flink.submit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from streaming import records, topics
from streaming.errors import PlatformError
from streaming.exchanges import registry
from streaming.flink import placement
from streaming.settings import Settings

IDLE_TIMEOUT: Final = "15 s"
"""A partition silent for so long no longer holds back the watermark. It outlasts the election of a new
leader (about 10 s after a broker dies): trades held up by one must not find their minute closed."""
RULE_VERSION: Final = 1
"""Version of the anomaly rules' definitions; a changed formula gets the next one, a changed threshold does
not (each finding carries its own)."""
BLOCK_SIZE: Final = 16
"""How many successive ids share one entry of the de-duplication's state."""
CLOCK_TOLERANCE_US: Final = 5 * 60 * 1_000_000
"""How far an exchange's time may be ahead of ours before it is taken for an error."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_SHADED = "org.apache.flink.kafka.shaded."
"""The SQL connector carries its own copy of the Kafka client under this prefix."""


class RenderingError(PlatformError):
    """A SQL file names a placeholder that has no value."""


def render(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `${name}` replaced; values are inserted as they are, never rendered again.

    Raises:
        RenderingError: a placeholder has no value.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            known = ", ".join(sorted(values))
            raise RenderingError(f"The SQL names ${{{name}}}, which has no value.", f"There are: {known}.")
        return values[name]

    return _PLACEHOLDER.sub(value, text)


def values(settings: Settings, partitions: int) -> dict[str, str]:
    """The value of every placeholder that is the same for all jobs.

    Args:
        settings: gives Kafka's address and security.
        partitions: how many partitions the platform's topics have.
    """
    return {
        "trades_topic": topics.TRADES,
        "tickers_topic": topics.TICKERS,
        "clean_trades_topic": topics.CLEAN_TRADES,
        "clean_tickers_topic": topics.CLEAN_TICKERS,
        "dead_letters_topic": topics.DEAD_LETTERS,
        "bars_1m_topic": topics.BARS_1M,
        "bars_5m_topic": topics.BARS_5M,
        "bars_15m_topic": topics.BARS_15M,
        "bars_1h_topic": topics.BARS_1H,
        "bars_forming_topic": topics.BARS_FORMING,
        "quote_bars_1s_topic": topics.QUOTE_BARS_1S,
        "late_trades_topic": topics.LATE_TRADES,
        "anomalies_topic": topics.ANOMALIES,
        "schema_version": str(records.SCHEMA_VERSION),
        "clock_tolerance_us": str(CLOCK_TOLERANCE_US),
        "idle_timeout": IDLE_TIMEOUT,
        "kafka_properties": property_lines(java_properties(settings.kafka_client_config())),
        "placement_key": placement_expression(partitions),
        "simulated_suffix": records.SIMULATED_SUFFIX,
        **block_values(BLOCK_SIZE),
        **rule_values(settings),
    }


def block_values(size: int) -> dict[str, str]:
    """What de-duplication by blocks of `size` ids is written with: a counter or the first copy for each place
    of a block, the counter of a record's own place, and the places as an array."""
    places = [str(place) for place in range(size)]
    own = " ".join(f"WHEN {place} THEN `copies_{place}`" for place in places)
    return {
        "block_size": str(size),
        "copies_at_places": _lines(
            "COUNT(CASE WHEN `place` = {0} THEN 1 END) OVER `block` AS `copies_{0}`", places
        ),
        "copies_at_own_place": f"CASE `place` {own} END",
        "first_copies": _lines("MIN(`text`) FILTER (WHERE `place` = {0}) AS `text_{0}`", places),
        "places": _lines("`text_{0}`", places),
    }


def rule_values(settings: Settings) -> dict[str, str]:
    """The thresholds of the anomaly rules as SQL literals, and the columns that stand for the exchanges."""
    names = sorted(registry.VENUES)
    return {
        "rule_version": str(RULE_VERSION),
        "spike_mads": double(settings.anomaly_spike_mads),
        "spike_floor_bp": double(settings.anomaly_spike_floor_bp),
        "outlier_sigmas": double(settings.anomaly_outlier_sigmas),
        "outlier_granularity_bp": double(settings.anomaly_outlier_granularity_bp),
        "margin_spreads": double(settings.anomaly_margin_spreads),
        "margin_bp": double(settings.anomaly_margin_bp),
        "quote_max_age_s": f"{settings.anomaly_quote_max_age_s:g}",
        "quote_max_age_us": str(round(settings.anomaly_quote_max_age_s * 1_000_000)),
        "spread_medians": double(settings.anomaly_spread_medians),
        "spread_floor_bp": double(settings.anomaly_spread_floor_bp),
        "burst_medians": double(settings.anomaly_burst_medians),
        "stale_min_s": double(settings.anomaly_stale_min_s),
        "stale_gaps": double(settings.anomaly_stale_gaps),
        "venue_bp": double(settings.anomaly_venue_bp),
        "venue_mads": double(settings.anomaly_venue_mads),
        "venue_latest": _lines(
            "LAST_VALUE(CASE WHEN `venue` = '{0}' THEN `mid` END) OVER `so_far` AS `mid_{0}`,\n"
            "LAST_VALUE(CASE WHEN `venue` = '{0}' THEN `receive_time_ns` END) OVER `so_far` AS `at_{0}`",
            names,
        ),
        "venue_mids": _lines(
            "CASE WHEN `venue` <> '{0}' AND `receive_time_ns` - `at_{0}` <= "
            f"{round(settings.anomaly_quote_max_age_s * 1e9)} THEN `mid_{{0}}` END",
            names,
        ),
        "venue_deviations": _lines(
            "CASE WHEN `venue` <> '{0}' AND `receive_time_ns` - `at_{0}` <= "
            f"{round(settings.anomaly_quote_max_age_s * 1e9)} THEN ABS(`mid_{{0}}` - `median_mid`) END",
            names,
        ),
    }


def double(value: float) -> str:
    """`value` as a DOUBLE literal; without the exponent Flink would take it for a DECIMAL."""
    return f"{value!r}E0" if "e" not in repr(value) else repr(value)


def _lines(template: str, names: Iterable[str]) -> str:
    """`template` once for each name, separated by commas."""
    return ",\n".join(template.format(name) for name in names)


def quoted(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def placement_expression(partitions: int) -> str:
    """The SQL that gives a row the key of the partition it was read from."""
    cases = " ".join(f"WHEN {n} THEN {quoted(key)}" for n, key in enumerate(placement.keys(partitions)))
    return f"CASE `kafka_partition` {cases} ELSE CAST(`kafka_partition` AS STRING) END"


def property_lines(properties: Mapping[str, str]) -> str:
    """Kafka client properties as connector options, without a trailing comma."""
    return ",\n  ".join(f"'properties.{key}' = {quoted(value)}" for key, value in properties.items())


def java_properties(config: Mapping[str, str | int]) -> dict[str, str]:
    """librdkafka's properties of address and security in the names of Kafka's Java client.

    Raises:
        RenderingError: a property or SASL mechanism has no counterpart here.
    """
    properties: dict[str, str] = {}
    rest = {key: str(value) for key, value in config.items()}
    username, password = rest.pop("sasl.username", ""), rest.pop("sasl.password", "")
    for key, value in rest.items():
        if key in ("bootstrap.servers", "security.protocol", "sasl.mechanism"):
            properties[key] = value
        elif key == "ssl.ca.location":
            properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": value}
        else:
            raise RenderingError(f"The Kafka property {key} is not known to Flink's jobs.", "Remove it.")
    mechanism = properties.get("sasl.mechanism", "")
    if mechanism:
        properties["sasl.jaas.config"] = (
            f"{_login_module(mechanism)} required "
            f"username={_jaas_quoted(username)} password={_jaas_quoted(password)};"
        )
    return properties


def _login_module(mechanism: str) -> str:
    package = f"{_SHADED}org.apache.kafka.common.security"
    if mechanism.startswith("SCRAM-"):
        return f"{package}.scram.ScramLoginModule"
    if mechanism == "PLAIN":
        return f"{package}.plain.PlainLoginModule"
    raise RenderingError(
        f"KAFKA_SASL_MECHANISM {mechanism} is not supported by Flink's jobs.", "Use SCRAM-SHA-512 or PLAIN."
    )


def _jaas_quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
