"""Trades lost behind the end of the tape, where no gap in the ids can show them.

What belongs here: the comparison with the newest trade id that some exchanges report beside the tape. What
does not: where a venue reports it (`streaming.exchanges.<venue>.session`) and asking the exchange
(`streaming.producer.filler`).
"""

from __future__ import annotations


class TailCheck:
    """Compares the newest trade id that the exchange itself reports with the newest one it has sent.

    Reports and trades travel in no promised order, so one report ahead means nothing; a second one that finds
    the tape still short of the first one's id means that trades are missing behind its end.
    """

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._reported: dict[str, int] = {}

    def sent(self, pair: str, trade_id: int) -> None:
        """A trade came."""
        if trade_id > self._sent.get(pair, -1):
            self._sent[pair] = trade_id

    def short(self, pair: str, newest_id: int) -> bool:
        """Whether the tape has missed trades, now that the exchange reports `newest_id`. True once a miss."""
        sent, before = self._sent.get(pair), self._reported.pop(pair, None)
        if sent is None or newest_id <= sent:
            return False
        if before is not None and before > sent:
            self._sent[pair] = newest_id
            return True
        self._reported[pair] = newest_id
        return False
