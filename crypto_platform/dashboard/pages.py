"""The pages: their frames in HTML, and the one event that changes something (an acknowledgement).

What belongs here: which parts a page has (`templates/`). What does not: values (the scripts of `assets/` put
them in from the stream and the API), looks (`assets/style.css`).

A page names its script; `assets/feed.js` is the one connection all scripts share. Text from outside reaches a
page only as text content, or escaped here.
"""

from __future__ import annotations

import html
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import FastAPI
from nicegui import ui
from nicegui.elements import echart as _echart  # noqa: F401 - registers ECharts under its import name
from starlette.requests import Request
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from crypto_platform.dashboard import address
from crypto_platform.dashboard.address import AddressError
from crypto_platform.dashboard.views import INTERVALS
from streaming.errors import PlatformError

if TYPE_CHECKING:
    from starlette.responses import Response

    from crypto_platform.dashboard.application import Dashboard

ASSETS: Final = Path(__file__).parent / "assets"

PAGES: Final = {
    "/": "Markets",
    "/chart": "Chart",
    "/compare": "Compare",
    "/anomalies": "Anomalies",
    "/pipeline": "Pipeline",
}


@cache
def _template(name: str) -> Template:
    """A file of `templates/`; what is put in place of a `$name` must be escaped."""
    return Template((Path(__file__).parent / "templates" / f"{name}.html").read_text(encoding="utf-8"))


class _Assets(StaticFiles):
    """Files that a browser asks about each time: a new one is used at once, an unchanged one costs a 304."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _options(names: list[tuple[str, str]], chosen: str) -> str:
    marks = {True: " selected", False: ""}
    return "".join(
        f'<option value="{html.escape(value)}"{marks[value == chosen]}>{html.escape(text)}</option>'
        for value, text in names
    )


def _markets(dashboard: Dashboard) -> list[tuple[str, str]]:
    """Every market, the configured pairs first and in their order."""
    order = {pair: at for at, pair in enumerate(dashboard.settings.pair_choice.named)}
    markets = dashboard.state.markets()
    markets.sort(key=lambda m: (order.get(m.pair, len(order)), m.pair, m.exchange))
    return [(market.exchange, market.pair) for market in markets]


def chart_markup(query: dict[str, str], markets: list[tuple[str, str]]) -> str:
    """The chart page's content for an address.

    Raises:
        AddressError: the address names what there is not.
    """
    asked = address.parse(query, markets)
    return _template("chart").substitute(
        title=html.escape(f"{asked.pair} on {asked.exchange}"),
        markets=_options([(f"{e}|{p}", f"{p} · {e}") for e, p in markets], f"{asked.exchange}|{asked.pair}"),
        intervals=_options([(name, name) for name in INTERVALS], asked.interval),
        spans=_options([(name, name) for name in address.spans_for(asked.interval)], asked.span),
    )


def error_markup(error: AddressError) -> str:
    """What a page shows in place of its content for an address that it cannot follow."""
    return (
        f'<div class="error" role="alert"><h1>This address shows nothing</h1><p>{html.escape(error.what)}</p>'
        f'<p>{html.escape(error.remedy)}</p><p><a href="/chart">Open the chart without it</a></p></div>'
    )


def _page(dashboard: Dashboard, path: str, script: str, content: str, state: str = "") -> None:
    simulated = dashboard.settings.source == "sim"
    ui.add_head_html(_template("head").substitute(script=script))
    if state:
        ui.add_head_html(state)
    with ui.element("header").classes("top"):
        ui.html('<a class="skip" href="#content">Skip to the content</a>', sanitize=False)
        with ui.element("nav").props('aria-label="Pages"'):
            for target, name in PAGES.items():
                link = ui.link(name, target)
                if target == path:
                    link.props('aria-current="page"')
        ui.html(_template("signs").template, sanitize=False)
    ui.html(_template("banner").substitute(hidden="" if simulated else "hidden"), sanitize=False)
    ui.html(content, sanitize=False).props('id="content" tabindex="-1"')


def _initial(dashboard: Dashboard) -> str:
    """The markets as they are now, for a first paint that waits for nothing."""
    known = {
        "markets": dashboard.state.markets(),
        "pairs": list(dashboard.settings.pair_choice.named),
        "pipeline": dashboard.pipeline.picture,
    }
    text = msgspec.json.encode(known).decode().replace("<", "\\u003c")
    return f'<script type="application/json" id="initial">{text}</script>'


def register(dashboard: Dashboard, app: FastAPI) -> None:
    """Serve the pages from `app`."""
    app.mount("/assets", _Assets(directory=ASSETS))

    def title(path: str) -> str:
        return f"{PAGES[path]} · crypto-platform"

    def acknowledge(event: object) -> None:
        finding_id = getattr(event, "args", None)
        if not isinstance(finding_id, str):
            return
        try:
            if not dashboard.acknowledge(finding_id):
                ui.notify("This anomaly is no longer kept.")
        except PlatformError as error:
            ui.notify(str(error), type="negative")

    @ui.page("/", title=title("/"))
    def markets_page() -> None:
        _page(dashboard, "/", "markets", _template("markets").template, _initial(dashboard))

    @ui.page("/chart", title=title("/chart"))
    def chart_page(request: Request) -> None:
        try:
            content, script = chart_markup(dict(request.query_params), _markets(dashboard)), "chart"
        except AddressError as error:
            content, script = error_markup(error), "feed"
        _page(dashboard, "/chart", script, content, _initial(dashboard))

    @ui.page("/compare", title=title("/compare"))
    def compare_page() -> None:
        _page(dashboard, "/compare", "compare", _template("compare").template, _initial(dashboard))

    @ui.page("/anomalies", title=title("/anomalies"))
    def anomalies_page() -> None:
        ui.on("acknowledge", acknowledge)
        _page(dashboard, "/anomalies", "anomalies", _template("anomalies").template, _initial(dashboard))

    @ui.page("/pipeline", title=title("/pipeline"))
    def pipeline_page() -> None:
        _page(dashboard, "/pipeline", "pipeline", _template("pipeline").template, _initial(dashboard))

    ui.run_with(
        app,
        title="crypto-platform",
        dark=False,
        tailwind=False,
        language="en-US",
        binding_refresh_interval=None,
        message_history_length=0,
        show_welcome_message=False,
        favicon="📈",
    )
