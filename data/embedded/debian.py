"""What apt gives: the indexes of descriptions, and files out of packages. The system's own apt state is left alone."""

import subprocess
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

RELEASE = "bookworm"
OPTIONS = {
    "APT::Sandbox::User": "",  # root would drop to a user that cannot write to the temporary folder
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
}
# Of what apt knows, either the translations are wanted or the packages: no compressed copies of the other.
DESCRIPTIONS = {"Acquire::IndexTargets::deb::Packages::DefaultEnabled": "false", "Acquire::Languages": "en,fr"}
PACKAGES = {"Acquire::Languages": "none"}


@dataclass(frozen=True)
class Apt:
    """apt with a state of its own.

    Attributes:
        folder: where the state is.
        source: a line as in sources.list to use instead of the system's own sources.
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
        """Run `apt-get` in the folder; returns what it prints."""
        options = OPTIONS | self.wanted | {"Dir::State::Lists": f"{self.folder}/lists", "Dir::Cache": f"{self.folder}/cache"}
        if self.source:
            options |= {"Dir::Etc::SourceList": f"{self.folder}/sources.list", "Dir::Etc::SourceParts": "-"}
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        done = subprocess.run(["apt-get", *flags, *command], cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603, S607 - the caller's apt
        if done.returncode:
            raise SystemExit("apt-get failed (its own message is above); another mirror can be named with --source")
        return done.stdout

    def translation(self, language: str) -> str:
        """The text of the release's Translation index of one language."""
        query = ["Created-By: Translations", "Label: Debian", f"Codename: {RELEASE}", "Component: main", f"Language: {language}"]
        files = self.run("indextargets", "--format", "$(FILENAME)", *query).split()
        if not files:
            raise SystemExit(f"apt's sources have no Translation-{language} of Debian {RELEASE} main; name one with --source")
        # apt keeps indexes compressed in a format of its choice; its helper reads them all.
        helper = ["/usr/lib/apt/apt-helper", "cat-file", files[0]]
        return subprocess.run(helper, stdout=subprocess.PIPE, check=True).stdout.decode("utf-8")  # noqa: S603 - as above

    def download(self, packages: Collection[str]) -> None:
        """Fetch packages without installing them. One call for all: apt reads its indexes anew in each."""
        self.run("download", "--quiet", *(f"{package}/{RELEASE}" for package in packages))

    def members(self, package: str, patterns: Collection[str]) -> dict[str, bytes]:
        """The files of a downloaded package whose paths match one of the patterns, by path, sorted."""
        (archive,) = self.folder.glob(f"{package}_*.deb")
        found = {}
        unpack = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with (
            subprocess.Popen(unpack, stdout=subprocess.PIPE) as files,  # noqa: S603 - as above
            tarfile.open(fileobj=files.stdout, mode="r|") as tar,
        ):
            for member in tar:
                content = tar.extractfile(member) if _matches(member.name, patterns) else None
                if content:  # a file, no folder
                    found[member.name] = content.read()
        if not found:
            raise SystemExit(f"{archive.name} has no {' or '.join(patterns)}")
        return dict(sorted(found.items()))


def _matches(path: str, patterns: Collection[str]) -> bool:
    return any(fnmatch(path, f"*/{pattern}") for pattern in patterns)
