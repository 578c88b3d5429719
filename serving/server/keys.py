"""The keys of a server: those that its clients send to the proxy, and TorchServe's own."""

import json
import secrets
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field, ValidationError

from serving.server.errors import ControlError

OWNER_ONLY: Final = 0o600
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,100}$")]  # nothing that means something in nginx's settings


class ClientKeys(BaseModel):
    """At most two keys are valid: the newest, and the one before it, so that clients can change over without losing a request.

    Attributes:
        keys: oldest first.
    """

    keys: Annotated[list[Key], Field(min_length=1, max_length=2)]

    @classmethod
    def new(cls) -> Self:
        """One key."""
        return cls(keys=[_draw()])

    @classmethod
    def read(cls, path: Path) -> Self:
        """The keys of a file that others write, one a line.

        Raises:
            ControlError: it holds anything else. The message does not say what.
        """
        try:
            return cls(keys=path.read_text(encoding="utf-8").split())
        except (OSError, ValidationError, UnicodeDecodeError):
            form = "32 to 100 letters, digits, - and _"
            raise ControlError(f"{path} has to hold one key, or the one before and the new one below it: {form}") from None

    @property
    def newest(self) -> str:
        """The key to use."""
        return self.keys[-1]

    def rotated(self) -> Self:
        """A new key; the one that was the newest stays valid until the next rotation, and any before it is not any more."""
        return type(self)(keys=[self.newest, _draw()])

    def nginx(self) -> str:
        """Lines of nginx's `map`: from an Authorization header to a name that may stand in a log."""
        return "".join(f'"Bearer {key}" "{key[:6]}";\n' for key in self.keys)


class TorchServeKeys(BaseModel):
    """The keys that TorchServe draws when it starts.

    Attributes:
        management: opens the management API.
        inference: opens the inference API.
    """

    management: str
    inference: str

    @classmethod
    def read(cls, path: Path) -> "TorchServeKeys":
        """What TorchServe wrote into its working directory.

        Raises:
            OSError: it has not yet.
            ValueError: it is still writing.
        """
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(management=content["management"]["key"], inference=content["inference"]["key"])


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody but its owner can read, not even for a moment."""
    partial = path.with_name(f"{path.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(OWNER_ONLY, exist_ok=False)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _draw() -> str:
    return secrets.token_urlsafe(32)
