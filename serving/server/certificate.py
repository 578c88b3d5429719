"""TLS certificates: files of the user's, or a self-signed one."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.server.errors import ControlError
from serving.server.keys import write_secret
from serving.server.ports import HOST

SELF_SIGNED: Final = "certificate.pem"  # file name of a self-signed one in the server's folder


@dataclass(frozen=True)
class Certificate:
    """Files in PEM form."""

    chain: Path
    key: Path


def self_signed(folder: Path) -> Certificate:
    """Create a certificate for this machine, valid for a year, and its key in a folder.

    Raises:
        ControlError: openssl is missing or fails.
    """
    certificate = Certificate(folder / SELF_SIGNED, folder / "certificate-key.pem")
    openssl = shutil.which("openssl")
    if openssl is None:
        raise ControlError("creating a certificate needs openssl; install it, or give --certificate and --certificate-key")
    write_secret(certificate.key, "")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "365"]
    command += ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
    command += ["-keyout", str(certificate.key), "-out", str(certificate.chain)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ControlError(f"openssl failed to create a certificate: {done.stderr.strip()}")
    return certificate
