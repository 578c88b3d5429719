"""Gets description indexes and package files through apt, without touching the system's apt state."""

import subprocess
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

RELEASE = "bookworm"
OPTIONS = {
    "APT::Sandbox::User": "",  # as root, apt would switch to a user that cannot write to the temporary folder
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
}
# Indexes to fetch: either the translations or the packages, never both.
DESCRIPTIONS = {"Acquire::IndexTargets::deb::Packages::DefaultEnabled": "false", "Acquire::Languages": "en,fr"}
PACKAGES = {"Acquire::Languages": "none"}


@dataclass(frozen=True)
class Apt:
    """apt with a private state.

    Attributes:
        folder: folder of the state.
        source: a sources.list line to use instead of the system's sources.
        wanted: DESCRIPTIONS or PACKAGES.
    """

    folder: Path
    source: str | None
    wanted: dict[str, str]

    def update(self) -> None:
        """Fetch and verify the indexes."""
        for part in ("lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True)
        if self.source:
            (self.folder / "sources.list").write_text(self.source + "\n", encoding="utf-8")
        self.run("update", "--quiet")

    def run(self, *command: str) -> str:
        """Run `apt-get` in the folder and return its output."""
        options = OPTIONS | self.wanted | {"Dir::State::Lists": f"{self.folder}/lists", "Dir::Cache": f"{self.folder}/cache"}
        if self.source:
            options |= {"Dir::Etc::SourceList": f"{self.folder}/sources.list", "Dir::Etc::SourceParts": "-"}
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        done = subprocess.run(["apt-get", *flags, *command], cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603, S607 - the caller's apt
        if done.returncode:
            raise SystemExit("apt-get failed (see its message above); you can choose another mirror with --source")
        return done.stdout

    def translation(self, language: str) -> str:
        """Return the text of the release's Translation index for one language."""
        query = ["Created-By: Translations", "Label: Debian", f"Codename: {RELEASE}", "Component: main", f"Language: {language}"]
        files = self.run("indextargets", "--format", "$(FILENAME)", *query).split()
        if not files:
            raise SystemExit(f"apt's sources have no Translation-{language} of Debian {RELEASE} main; add one with --source")
        # apt-helper reads all compression formats that apt may choose for its indexes.
        helper = ["/usr/lib/apt/apt-helper", "cat-file", files[0]]
        return subprocess.run(helper, stdout=subprocess.PIPE, check=True).stdout.decode("utf-8")  # noqa: S603 - as above

    def download(self, packages: Collection[str]) -> None:
        """Fetch packages without installing them, in one call, as apt reads its indexes in every call."""
        self.run("download", "--quiet", *(f"{package}/{RELEASE}" for package in packages))

    def members(self, package: str, patterns: Collection[str]) -> dict[str, bytes]:
        """Return the files of a downloaded package whose paths match one of the patterns, sorted by path."""
        (archive,) = self.folder.glob(f"{package}_*.deb")
        found = {}
        unpack = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with (
            subprocess.Popen(unpack, stdout=subprocess.PIPE) as files,  # noqa: S603 - as above
            tarfile.open(fileobj=files.stdout, mode="r|") as tar,
        ):
            for member in tar:
                content = tar.extractfile(member) if _matches(member.name, patterns) else None
                if content:  # a file, not a folder
                    found[member.name] = content.read()
        if not found:
            raise SystemExit(f"{archive.name} has no {' or '.join(patterns)}")
        return dict(sorted(found.items()))


def _matches(path: str, patterns: Collection[str]) -> bool:
    return any(fnmatch(path, f"*/{pattern}") for pattern in patterns)
