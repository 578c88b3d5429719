"""Finds the kinds of task and the types of their blocks: every folder here with a module `settings`."""

from functools import reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import pipelines.kinds


def kinds() -> list[str]:
    """The names of all kinds."""
    return sorted(path.parent.name for place in pipelines.kinds.__path__ for path in Path(place).glob("*/settings.py"))


def task_block() -> Any:
    """The type of a task's block: a union of the kinds' blocks, discriminated by the key `kind`."""
    blocks = [import_module(f"{__package__}.{kind}.settings").BLOCK for kind in kinds()]
    return Annotated[reduce(or_, blocks), Field(discriminator="kind")]
