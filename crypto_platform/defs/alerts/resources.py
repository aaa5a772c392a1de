"""The channels that alerts go to, by the platform's settings.

What belongs here: which channels are configured. What does not: the channels (`alerting/channels.py`).
"""

from __future__ import annotations

import dagster as dg

from crypto_platform.alerting.channels import Channel, Log, Slack, Webhook
from streaming import settings as platform_settings


class AlertChannelsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The log always; a webhook and Slack when their settings are given. Secrets are read when they are
    used."""

    def channels(self) -> list[Channel]:
        """Every configured channel."""
        settings = platform_settings.load()
        found: list[Channel] = [Log()]
        if settings.alert_webhook_url is not None:
            found.append(Webhook(settings.alert_webhook_url.get_secret_value()))
        if settings.alert_slack_token is not None:
            found.append(Slack(settings.alert_slack_token.get_secret_value(), settings.alert_slack_channel))
        return found
