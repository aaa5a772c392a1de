"""The entry point of the code location: everything below `defs/`, found by its place in the tree.

What belongs here: rules that concern all definitions at once. What does not: any single definition.
"""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Assets, checks, sensors, schedules, jobs and resources of the whole platform."""
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    # A step is one SQL statement: a process of its own would take longer than the work.
    return dg.Definitions.merge(found, dg.Definitions(executor=dg.in_process_executor))
