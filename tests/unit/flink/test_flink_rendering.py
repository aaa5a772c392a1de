"""Placeholders, quoting, and Kafka's properties in Java's names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streaming import settings as settings_module
from streaming.flink import jobs, rendering
from streaming.flink.jobs import BARS, TICK, Job, Template
from streaming.flink.rendering import RenderingError, java_properties, property_lines, render

FILES = sorted(jobs.SQL_FOLDER.glob("*.sql"))


def test_a_placeholder_gets_its_value_and_a_value_is_not_rendered_again() -> None:
    assert render("a ${x} b ${y}", {"x": "${y}", "y": "2"}) == "a ${y} b 2"


@pytest.mark.parametrize("text", ["${unknown}", "${}", "${x y}"])
def test_a_placeholder_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(RenderingError, match="has no value"):
        render(text, {"x": "1"})


def test_a_dollar_that_opens_no_placeholder_stays() -> None:
    assert render("'^[0-9]+$'", {}) == "'^[0-9]+$'"


def test_plain_security_needs_only_address_and_protocol() -> None:
    config = {"bootstrap.servers": "a:1,b:2", "security.protocol": "PLAINTEXT"}
    assert java_properties(config) == config


def test_scram_over_tls_becomes_a_login_module_and_a_trust_store() -> None:
    settings = settings_module.load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "broker:9093",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "me",
            "KAFKA_SASL_PASSWORD": 'qu"ote\\',
            "KAFKA_SSL_CA_LOCATION": "/ca.pem",
        }
    )
    assert java_properties(settings.kafka_client_config()) == {
        "bootstrap.servers": "broker:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "/ca.pem",
        "sasl.jaas.config": (
            "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule required "
            'username="me" password="qu\\"ote\\\\";'
        ),
    }


@pytest.mark.parametrize(
    "config", [{"sasl.mechanism": "GSSAPI"}, {"client.dns.lookup": "use_all_dns_ips"}], ids=str
)
def test_a_property_without_a_counterpart_is_refused(config: dict[str, str | int]) -> None:
    with pytest.raises(RenderingError):
        java_properties(config)


def test_a_quote_in_a_property_ends_no_literal() -> None:
    assert property_lines({"a": "it's", "b": "2"}) == "'properties.a' = 'it''s',\n  'properties.b' = '2'"


@pytest.mark.parametrize("job", [TICK, BARS], ids=lambda job: job.key)
def test_every_file_of_a_job_renders_without_a_placeholder_left(job: Job) -> None:
    for statement in jobs.statements(job, settings_module.load({}), 5):
        assert "${" not in statement


def test_every_value_is_used_by_some_file_and_no_other_is_named() -> None:
    named = {name for path in FILES for name in re.findall(r"\$\{(.*?)\}", path.read_text(encoding="utf-8"))}
    own = {"group_id", "transactional_id_prefix", "fetch_min_bytes", "fetch_max_wait_ms"}
    own |= {name for file in BARS.files if isinstance(file, Template) for name, _ in file.values}
    assert named == set(rendering.values(settings_module.load({}), 5)) | own


def test_every_file_belongs_to_a_job_and_runs_in_the_order_of_its_number() -> None:
    names = [
        [file.name if isinstance(file, Template) else file for file in job.files]
        for job in jobs.JOBS.values()
    ]
    assert {name for of_job in names for name in of_job} == {path.stem for path in FILES}
    for of_job in names:
        assert of_job == sorted(of_job)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_states_grain_input_and_output(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["-- Grain", "-- Input"]
    assert any(line.startswith("-- Output:") for line in lines[:4])
