"""Who is told: the log, a webhook, Slack.

What belongs here: one class a channel. What does not: what they are told (`alerting/rule.py`). A channel that
does not answer raises `ChannelError`; what it owes is kept and told later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from crypto_platform.alerting.rule import Message
from streaming.errors import PlatformError

TIMEOUT_S: Final = 5.0


class ChannelError(PlatformError):
    """A channel did not take a message; it is offered again at the next look."""


class Channel(Protocol):
    """Takes one message. Raises ChannelError."""

    @property
    def name(self) -> str: ...
    def send(self, message: Message) -> None: ...


@dataclass(frozen=True)
class Log:
    """The process's own log, which the supervisor keeps."""

    name: str = "log"

    def send(self, message: Message) -> None:
        import structlog

        log = structlog.get_logger(__name__)
        report = log.info if message.firing.cleared_at_s else log.error
        report("alert", text=message.text, fingerprint=message.firing.condition.fingerprint)


def body_of(message: Message) -> dict[str, Any]:
    """The message as JSON values, for a machine that receives it."""
    firing, condition = message.firing, message.firing.condition
    return {
        "text": message.text,
        "state": "cleared" if firing.cleared_at_s else "firing",
        "fingerprint": condition.fingerprint,
        "kind": condition.kind,
        "severity": condition.severity,
        "subject": condition.subject,
        "summary": condition.summary,
        "fired_at_s": firing.fired_at_s,
        "cleared_at_s": firing.cleared_at_s or None,
    }


@dataclass(frozen=True)
class Webhook:
    """A POST of the message as JSON to one address."""

    url: str
    name: str = "webhook"

    @retry(
        retry=retry_if_exception_type(ChannelError),
        stop=stop_after_attempt(2),
        wait=wait_random_exponential(multiplier=0.2, max=1.0),
        reraise=True,
    )
    def send(self, message: Message) -> None:
        import httpx

        try:
            httpx.post(self.url, json=body_of(message), timeout=TIMEOUT_S).raise_for_status()
        except httpx.HTTPError as error:
            raise ChannelError(
                f"The webhook of CRYPTO_ALERT_WEBHOOK_URL does not take alerts ({type(error).__name__})."
            ) from error


@dataclass(frozen=True)
class Slack:
    """A message in one Slack channel, through dagster-slack.

    `base_url` replaces Slack's own address in tests.
    """

    token: str
    channel: str
    base_url: str = "https://slack.com/api/"
    name: str = "slack"

    def send(self, message: Message) -> None:
        from dagster_slack import SlackResource
        from slack_sdk.errors import SlackClientError

        client = SlackResource(token=self.token).get_client()
        client.timeout, client.base_url = int(TIMEOUT_S), self.base_url
        try:
            client.chat_postMessage(channel=self.channel, text=message.text)
        except (SlackClientError, OSError) as error:
            raise ChannelError(
                f"Slack does not take alerts for {self.channel} ({type(error).__name__}).",
                "Check CRYPTO_ALERT_SLACK_TOKEN and CRYPTO_ALERT_SLACK_CHANNEL.",
            ) from error
