"""Placeholders, quoting, and Kafka's properties in Java's names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from streaming import records
from streaming import settings as settings_module
from streaming.exchanges import registry
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


@pytest.mark.parametrize("job", jobs.JOBS.values(), ids=lambda job: job.key)
def test_every_table_of_a_secured_cluster_knows_how_to_log_in(job: Job) -> None:
    settings = settings_module.load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "broker:9093",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": "me",
            "KAFKA_SASL_PASSWORD": "it's",
            "KAFKA_SSL_CA_LOCATION": "/ca.pem",
        }
    )
    tables = [s for s in jobs.statements(job, settings, 5) if "'connector' = 'kafka'" in s]
    assert len(tables) >= 2
    for table in tables:
        assert "'properties.bootstrap.servers' = 'broker:9093'" in table
        assert "'properties.security.protocol' = 'SASL_SSL'" in table
        assert "'properties.sasl.mechanism' = 'PLAIN'" in table
        assert 'plain.PlainLoginModule required username="me" password="it\'\'s";\'' in table
        assert "'properties.ssl.truststore.location' = '/ca.pem'" in table


def test_a_threshold_is_a_double_and_reaches_the_sql() -> None:
    settings = settings_module.load({"CRYPTO_ANOMALY_SPIKE_MADS": "7.5", "CRYPTO_ANOMALY_STALE_MIN_S": "2"})
    values = rendering.rule_values(settings)
    assert (values["spike_mads"], values["stale_min_s"]) == ("7.5E0", "2.0E0")
    assert [rendering.double(x) for x in (1e-9, 1e22, 10.0)] == ["1e-09", "1e+22", "10.0E0"]
    (spike,) = (s for s in jobs.statements(TICK, settings, 5) if "VIEW anomalies" in s)
    assert "`spike_score` > 7.5E0" in spike


def test_a_block_has_a_counter_and_a_first_copy_for_each_of_its_places() -> None:
    values = rendering.block_values(3)
    assert values["copies_at_own_place"] == (
        "CASE `place` WHEN 0 THEN `copies_0` WHEN 1 THEN `copies_1` WHEN 2 THEN `copies_2` END"
    )
    assert values["places"].split(",\n") == ["`text_0`", "`text_1`", "`text_2`"]
    for name in ("copies_at_places", "first_copies"):
        assert re.findall(r"`place` = (\d)", values[name]) == ["0", "1", "2"]


def test_every_venue_takes_part_in_the_comparison_of_venues() -> None:
    columns = rendering.rule_values(settings_module.load({}))["venue_latest"]
    assert all(f"AS `mid_{name}`" in columns for name in registry.VENUES)


def test_every_rule_of_the_contract_has_its_sql_and_no_other_is_written() -> None:
    (anomalies,) = (s for s in jobs.statements(TICK, settings_module.load({}), 5) if "VIEW anomalies" in s)
    written = set(re.findall(r"'([a-z_]+)'(?: AS `rule`)?, '(?:trade|quote|pair)'", anomalies))
    assert written == set(get_args(records.Rule))
    names = {path.stem.partition("_")[2] for path in FILES}
    assert written <= names


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
