"""The entry point of the code location: everything below `defs/`, found by its place in the tree.

What belongs here: rules that concern all definitions at once. What does not: any single definition.
"""

import warnings

import dagster as dg

from crypto_platform import defs as definitions_package
from crypto_platform.defs.resources import RESOURCES


@dg.definitions
def defs() -> dg.Definitions:
    """Assets, checks, sensors, schedules, jobs and resources of the whole platform."""
    with warnings.catch_warnings():
        # `load_from_defs_folder` would import every installed component library: five seconds a process.
        warnings.filterwarnings("ignore", "Function `load_definitions_from_package_module` is currently in")
        return dg.load_definitions_from_package_module(
            definitions_package, resources=dict(RESOURCES), executor=dg.in_process_executor
        )
