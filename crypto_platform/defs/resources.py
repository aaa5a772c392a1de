"""Every resource by the name under which assets, checks, sensors and jobs ask for it.

What belongs here: names. What does not: the resources (`defs/<domain>/resources.py`).
"""

from collections.abc import Mapping
from typing import Any, Final

from crypto_platform.control.managed import (
    FlinkClusterResource,
    LoaderResource,
    ManagedResource,
    ProducerResource,
)
from crypto_platform.control.status import COMPONENTS
from crypto_platform.defs.alerts.resources import AlertChannelsResource
from crypto_platform.defs.flink.resources import FlinkJobResource
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource

MANAGED: Final[Mapping[str, ManagedResource]] = {
    "kafka": KafkaClusterResource(),
    "warehouse": SnowflakeResource(),
    "flink_cluster": FlinkClusterResource(),
    "flink_jobs": FlinkJobResource(),
    "loader": LoaderResource(),
    "producer": ProducerResource(),
}
"""The components; a component's name is its resource's."""

RESOURCES: Final[Mapping[str, Any]] = {**MANAGED, "alert_channels": AlertChannelsResource()}

assert tuple(MANAGED) == COMPONENTS
