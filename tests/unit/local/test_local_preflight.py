"""What must hold before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from infra.local import preflight
from infra.local.ports import PortUse
from infra.local.services import Service
from streaming import settings
from streaming.errors import SettingsError


def test_too_little_disk_names_the_folder_the_need_and_the_setting(tmp_path: Path) -> None:
    home = settings.load({"CRYPTO_HOME": str(tmp_path)})
    with pytest.raises(preflight.DiskSpaceError, match=r"CRYPTO_HOME .*0\.1 GiB left.*2 GiB.*another disk"):
        preflight.require_disk_space(home, free=lambda folder: 2**27)


def test_enough_disk_passes_even_for_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    asked: list[Path] = []

    def free(folder: Path) -> int:
        asked.append(folder)
        return 2 * 2**30

    preflight.require_disk_space(settings.load({"CRYPTO_HOME": str(tmp_path / "new" / "home")}), free)
    assert asked == [tmp_path / "new" / "home"]
    assert preflight.free_bytes(tmp_path / "new" / "home") > 0


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    home = settings.load(
        {"CRYPTO_HOME": str(tmp_path), "CRYPTO_MIN_FREE_GIB": "1e9", "CRYPTO_PAIRS": "NO-SUCH"}, source="sim"
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        step = Service("dashboard", ("true",), lambda: True, ports=(PortUse(port, "dashboard"),))
        with pytest.raises(preflight.SeveralProblemsError) as caught:
            preflight.check(home, [step])
    assert caught.value.exit_code == 2
    for word in ("(1) CRYPTO_HOME", "(2) ", "NO-SUCH", f"(3) Taken: port {port} (dashboard)"):
        assert word in str(caught.value)


def test_a_home_that_is_a_file_is_refused_by_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(SettingsError, match="CRYPTO_HOME"):
        preflight.require_writable(tmp_path / "home")
