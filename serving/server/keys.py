"""The keys of a server: the clients' keys for the proxy, and TorchServe's own."""

import json
import secrets
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, ValidationError

from serving.records import OWNER_ONLY
from serving.server.errors import ControlError

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,100}$")]  # no special characters of nginx's configuration


class ClientKeys(BaseModel):
    """The valid keys, at most two: the newest and the previous one, so that clients can switch without a failed request.

    Attributes:
        keys: oldest first.
    """

    keys: Annotated[list[Key], Field(min_length=1, max_length=2)]

    @classmethod
    def new(cls) -> Self:
        """Create one random key."""
        return cls(keys=[_draw()])

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read keys from a file, one per line.

        Raises:
            ControlError: the file has anything else. The message does not show the content.
        """
        try:
            return cls(keys=path.read_text(encoding="utf-8").split())
        except (OSError, ValidationError, UnicodeDecodeError):
            form = "32 to 100 letters, digits, - and _"
            raise ControlError(f"{path} must contain one key, or the previous key and the new one below it: {form}") from None

    @property
    def newest(self) -> str:
        """The key to use."""
        return self.keys[-1]

    def rotated(self) -> Self:
        """Keys with a new one: the newest so far stays valid until the next rotation; an older one becomes invalid."""
        return type(self)(keys=[self.newest, _draw()])

    def nginx(self) -> str:
        """Lines of nginx's `map` from an Authorization header to a name for the log.

        They are regular expressions, because nginx compares plain strings case-insensitively. The scheme is case-insensitive
        (RFC 9110, section 11.1).
        """
        return "".join(f'"~^(?i:Bearer) +{key}$" "{key[:6]}";\n' for key in self.keys)


class TorchServeKeys(BaseModel):
    """The keys that TorchServe creates when it starts.

    Attributes:
        management: key of the management API.
        inference: key of the inference API.
    """

    management: str
    inference: str

    @classmethod
    def read(cls, path: Path) -> "TorchServeKeys":
        """Read the file that TorchServe writes to its working directory.

        Raises:
            OSError: the file does not exist yet.
            ValueError: the file is not complete yet.
        """
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(management=content["management"]["key"], inference=content["inference"]["key"])


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, at any time."""
    partial = path.with_name(f"{path.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(OWNER_ONLY, exist_ok=False)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _draw() -> str:
    return secrets.token_urlsafe(32)
