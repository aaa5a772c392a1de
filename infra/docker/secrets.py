"""`python -m infra.docker.secrets FOLDER [KEY]`: the secrets of one installation, as files in a volume.

What belongs here: making what is generated, once, and copying what is given, each readable by the one user
that needs it. What does not: values (none is written anywhere else), or who reads which file (compose).

A secret that compose mounts from a file keeps the owner and mode it has on the host, so a container that is
not root could read it only if everybody can. Hence this step, which alone runs as root, with two
capabilities and without a network.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Final

PLATFORM_USER: Final = 10001
"""User of the platform's image (infra/docker/Dockerfile)."""
POSTGRES_USER: Final = 999
"""User of the official PostgreSQL image."""
POSTGRES_PASSWORD: Final = "postgres_password"
PGPASS: Final = "pgpass"
SNOWFLAKE_KEY: Final = "snowflake_key"


def write(path: Path, text: str, owner: int) -> None:
    """Put `text` into `path`, readable by `owner` alone, in one step."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chown(partial, owner, -1)
    partial.rename(path)


def prepare(
    folder: Path,
    key: Path | None = None,
    *,
    platform_user: int = PLATFORM_USER,
    postgres_user: int = POSTGRES_USER,
) -> list[str]:
    """Make what is missing and return its names; the password of the database is made once and kept.

    Args:
        folder: the volume.
        key: a private key for Snowflake; None, missing or empty: there is none.
        platform_user: who reads `pgpass` and `snowflake_key`.
        postgres_user: who reads `postgres_password`.
    """
    made = []
    password = folder / POSTGRES_PASSWORD
    if not password.exists() or not (folder / PGPASS).exists():
        value = secrets.token_urlsafe(32)
        write(folder / PGPASS, f"*:*:*:*:{value}\n", platform_user)
        write(password, value, postgres_user)
        made += [POSTGRES_PASSWORD, PGPASS]
    text = key.read_text(encoding="utf-8") if key is not None and key.exists() else ""
    if text:
        write(folder / SNOWFLAKE_KEY, text, platform_user)
        made.append(SNOWFLAKE_KEY)
    else:
        (folder / SNOWFLAKE_KEY).unlink(missing_ok=True)
    return made


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m infra.docker.secrets FOLDER [KEY]\n")
        return 2
    folder, *key = map(Path, arguments)
    made = prepare(folder, key[0] if key else None)
    sys.stdout.write(f"made: {', '.join(made) or 'nothing, all were there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
