"""Which operators of a planned job hand rows on directly instead of through the network.

What belongs here: the rule, and its application to a planned job. What does not: planning
(`streaming.flink.planner`).

The SQL planner puts a network exchange before every operator that keeps state by key. With one subtask each
(`jobs.PARALLELISM`) all keys go to the same place anyway, so the exchange only costs: each row is serialised,
handed to another thread and read again, and a thread flushes its buffers all the time. Where it is safe, such
an exchange becomes a forward edge, and Flink then chains the operators.

Rows are reused within a chain (`pipeline.object-reuse`), so an operator that keeps parts of its input must
not be chained to the one that made it. The aggregation of a window is safe, because it keeps bytes
(flink-table-runtime 2.2.1: `WindowAggOperator`). An OVER is not: it keeps rows, or references into them.

The exchanges of the tick job's OVER windows stay for another reason as well: a trade passes one more of them
than a quote on its way to `market` (30_market.sql), so a quote that moved before a trade is there first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

HASH: Final = "KeyGroupStreamPartitioner"
FORWARD: Final = "ForwardPartitioner"
WINDOW: Final = "WindowAggOperator"
SIMPLE_FACTORIES: Final = frozenset({"SimpleOperatorFactory", "SimpleUdfStreamOperatorFactory"})


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one operator to the next.

    Args:
        partitioner: how rows find their subtask, Flink's class name.
        inputs: how many edges lead to the next operator.
        operator: the class of the next operator, or of its factory if that makes it on the cluster.
        in_source_task: whether the operator before shares the task of a source.
    """

    partitioner: str
    inputs: int
    operator: str
    in_source_task: bool = False


def may_be_chained(edge: Edge, *, lenient_sources: bool) -> bool:
    """Whether the exchange on this edge can be left out.

    A source that passes over what it cannot parse passes over every error of the operators in its task as
    well, so nothing more is chained to it if `lenient_sources`.
    """
    return (
        edge.partitioner == HASH
        and edge.inputs == 1
        and edge.operator == WINDOW
        and not (lenient_sources and edge.in_source_task)
    )


def chain(graph: Any, *, lenient_sources: bool) -> None:
    """Turn every exchange of the job that can be left out into a forward edge.

    Args:
        graph: the job as Flink's `StreamGraph`; it is changed.
        lenient_sources: whether the sources pass over what they cannot parse.
    """
    from pyflink.java_gateway import get_gateway

    forward = get_gateway().jvm.org.apache.flink.streaming.runtime.partitioner.ForwardPartitioner
    for node in graph.getStreamNodes().toArray():
        for edge in node.getInEdges():
            if may_be_chained(_described(graph, node, edge), lenient_sources=lenient_sources):
                edge.setPartitioner(forward())


def _described(graph: Any, node: Any, edge: Any) -> Edge:
    return Edge(
        _class(edge.getPartitioner()),
        node.getInEdges().size(),
        _operator(node),
        _in_source_task(graph, graph.getSourceVertex(edge)),
    )


def _class(found: Any) -> str:
    return str(found.getClass().getSimpleName())


def _operator(node: Any) -> str:
    factory = node.getOperatorFactory()
    return _class(factory.getOperator()) if _class(factory) in SIMPLE_FACTORIES else _class(factory)


def _in_source_task(graph: Any, node: Any) -> bool:
    """Whether the operator, or one it is chained to, is a source."""
    edges = node.getInEdges()
    if edges.isEmpty():
        return True
    if edges.size() > 1 or _class(edges[0].getPartitioner()) != FORWARD:
        return False
    return _in_source_task(graph, graph.getSourceVertex(edges[0]))
