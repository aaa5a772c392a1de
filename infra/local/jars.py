"""The Java archives of the local stack: a committed lock, parallel download, SHA-256 of each.

What belongs here: reading and writing `jars.lock`, and getting what it names. What does not: running Java
(`infra.local.kafka`, `infra.local.flink`).

The lock has one line per file: group, Maven coordinate, SHA-256. `python -m infra.local.jars lock` resolves
it anew from `ROOTS`; `fetch` downloads by the lock alone and refuses a file whose hash differs; `verify`
looks again at what is there.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streaming.errors import PlatformError

LOCK = Path(__file__).with_name("jars.lock")

ROOTS = {
    "kafka": ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"),
    "flink": ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",),
    "metrics": ("io.prometheus.jmx:jmx_prometheus_javaagent:1.0.1",),
}
"""What each group starts from. Shaded archives, as those of `flink` and `metrics`, need nothing else."""

TRANSITIVE = frozenset({"kafka"})
PARALLEL_DOWNLOADS = 8
TIMEOUT_S = 60


class JarError(PlatformError):
    """A jar could not be downloaded, or is not the file the lock describes."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked file: its group (the classpath it belongs to), coordinate and hash."""

    group: str
    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        _, artifact, version, *classifier = self.coordinate.split(":")
        return "-".join([artifact, version, *classifier]) + ".jar"


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of the lock file."""
    lines = (line.split() for line in lock.read_text(encoding="utf-8").splitlines())
    return [Jar(*words) for words in lines if words and not words[0].startswith("#")]


def classpath(folder: Path, group: str) -> list[Path]:
    """The files of a group in the folder of archives (`Settings.jar_folder`), in the lock's order."""
    return [(folder / group / jar.filename).absolute() for jar in locked() if jar.group == group]


def verify(folder: Path, groups: Sequence[str] = ()) -> int:
    """Compare every locked file of `groups` (none: of all) in `folder` with the lock; return how many.

    Raises:
        JarError: one is missing or is another file.
    """
    wanted = [jar for jar in locked() if not groups or jar.group in groups]
    for jar in wanted:
        path = folder / jar.group / jar.filename
        if not path.exists() or _sha256(path) != jar.sha256:
            raise JarError(f"{path} is missing or not the file of the lock.", "Fetch it again.")
    return len(wanted)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(context: Any, coordinate: str) -> Path:
    group, artifact, version, *classifier = coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    try:
        return Path(component.artifact(*classifier).resolve())
    except Exception as error:
        raise JarError(
            f"{coordinate} could not be downloaded ({error}).",
            "Check the network or proxy, then start again.",
        ) from error


def _context(cache: Path) -> Any:
    from jgo.maven import MavenContext

    return MavenContext(repo_cache=cache, timeout=TIMEOUT_S)


def fetch(
    home: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
    groups: Sequence[str] = (),
) -> int:
    """Put every locked jar under `home/jars/<group>/`, verified; return how many were downloaded.

    Args:
        home: the data folder.
        progress: called after each file with (done, total, file name).
        groups: only these; none: all.

    Raises:
        JarError: a download failed or a file is not the one in the lock.
    """
    wanted = [jar for jar in locked() if not groups or jar.group in groups]
    missing = []
    for jar in wanted:
        target = home / "jars" / jar.group / jar.filename
        if not target.exists() or _sha256(target) != jar.sha256:
            missing.append((jar, target))
    done = len(wanted) - len(missing)
    if not missing:
        return 0
    cache = home / "jars" / ".cache"
    context = _context(cache)

    def get(jar: Jar, target: Path) -> str:
        source = _download(context, jar.coordinate)
        actual = _sha256(source)
        if actual != jar.sha256:
            source.unlink()
            raise JarError(
                f"{jar.coordinate} has SHA-256 {actual}, but the lock says {jar.sha256}.",
                "Do not use it: find out why the repository serves another file.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        shutil.copyfile(source, partial)
        partial.rename(target)
        return jar.filename

    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        futures = [pool.submit(get, jar, target) for jar, target in missing]
        for future in as_completed(futures):
            name = future.result()
            done += 1
            progress(done, len(wanted), name)
    shutil.rmtree(cache, ignore_errors=True)
    return len(missing)


def resolve_lock(cache: Path) -> list[Jar]:
    """Resolve `ROOTS` to every runtime jar, download each and take its hash."""
    context = _context(cache)
    jars: list[Jar] = []
    for group, roots in ROOTS.items():
        dependencies = [context.create_dependency(root) for root in roots]
        inputs, transitive = context.resolver.resolve(dependencies, transitive=group in TRANSITIVE)
        chosen = [*inputs, *(transitive if group in TRANSITIVE else [])]
        coordinates = sorted(
            {
                ":".join(filter(None, (d.groupId, d.artifactId, d.version, d.classifier)))
                for d in chosen
                if d.type == "jar" and d.scope in (None, "compile", "runtime")
            }
        )
        jars += [Jar(group, c, _sha256(_download(context, c))) for c in coordinates]
    return jars


def main() -> None:
    """The command line: `lock CACHE`, `fetch HOME [GROUP …]`, `verify JARS [GROUP …]`."""
    action, folder, *groups = [*sys.argv[1:], "", ""] if len(sys.argv) < 3 else sys.argv[1:]
    try:
        if action == "fetch":
            print(f"{fetch(Path(folder), groups=groups)} downloaded")  # noqa: T201 - a command's answer
            return
        if action == "verify":
            print(f"{verify(Path(folder), groups)} are as locked")  # noqa: T201 - a command's answer
            return
    except JarError as error:
        sys.exit(str(error))
    if action != "lock" or groups:
        sys.exit(
            "usage: python -m infra.local.jars lock CACHE | fetch HOME [GROUP …] | verify JARS [GROUP …]"
        )
    jars = resolve_lock(Path(folder))
    header = "# group coordinate sha256; written by `make lock`, read by infra/local/jars.py\n"
    LOCK.write_text(
        header + "".join(f"{j.group} {j.coordinate} {j.sha256}\n" for j in jars), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
