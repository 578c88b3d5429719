"""The name of the current user."""

import getpass
import os
import shutil
import subprocess


def name_user() -> None:
    """Set a user name for this process and its children if the system has none for the uid, as in a container.

    DVC and MLflow fail without a user name. So does Git, which DVC uses for experiments, if no author is configured.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
    name = getpass.getuser()
    for key, value in {"name": name, "email": f"{name}@localhost"}.items():
        git = shutil.which("git")  # may be missing: DVC has its own
        if git is None or subprocess.run([git, "config", f"user.{key}"], capture_output=True, check=False).returncode:  # noqa: S603
            os.environ.setdefault(f"GIT_AUTHOR_{key.upper()}", value)
            os.environ.setdefault(f"GIT_COMMITTER_{key.upper()}", value)
