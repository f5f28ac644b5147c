"""Flags override `OIDL_*`, which overrides `oidl.toml`, which overrides the defaults."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def settings(oidl, fine, root: Path, ask) -> Callable[..., dict[str, Any]]:
    """What a run was asked for, as the database has it."""

    def read(*arguments: object, env: dict[str, str] | None = None) -> dict[str, Any]:
        ended = oidl(
            "run", "--new-plan", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--limit=0", *arguments, env=env
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        ((text,),) = ask("SELECT settings FROM run ORDER BY id DESC LIMIT 1")
        return json.loads(text)

    return read


def test_flags_come_before_the_environment_before_the_file_before_the_defaults(oidl, settings) -> None:
    box = lambda *arguments, **more: settings(*arguments, **more)["renditions"][0]["box_size"]  # noqa: E731
    assert box() == 224
    (oidl.cwd / "oidl.toml").write_text("resize-box-size = 111\n")
    assert box() == 111
    assert box(env={"OIDL_RESIZE_BOX_SIZE": "122"}) == 122
    assert box("--resize-box-size=133", env={"OIDL_RESIZE_BOX_SIZE": "122"}) == 133


def test_every_kind_of_value_can_stand_in_the_file(oidl, settings, tmp_path: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text(
        "save-original-images = true\n"
        "download-metadata = false\n"
        'resize-mode = "fillcrop"\n'
        "resize_compression_quality = 77\n"
        'subset = ["train", "test"]\n'
        "max-wait = 7.5\n"
        "stall-timeout = 9\n"
        'source = "300k,original"\n'
        f'original-images-dir = "{tmp_path}/originals"\n'
    )
    found = settings()
    assert found["originals"]["save"] is True
    assert found["originals"]["sources"] == ["300k", "original"]
    assert found["originals"]["directory"] == f"{tmp_path}/originals"
    assert found["download_metadata"] is False
    assert found["renditions"][0]["mode"] == "FillCrop"
    assert found["renditions"][0]["quality"] == 77
    assert found["selection"]["subsets"] == ["train", "test"]
    assert found["retries"]["max_wait_s"] == 7.5
    assert found["transfers"]["stall_timeout_s"] == 9.0


def test_every_kind_of_value_can_stand_in_the_environment(settings) -> None:
    found = settings(
        env={
            "OIDL_SAVE_ORIGINAL_IMAGES": "true",
            "OIDL_DOWNLOAD_METADATA": "false",
            "OIDL_SOURCE": "300k,original",
            "OIDL_RESIZE_MODE": "filldistort",
            "OIDL_MAX_HOST_CONNECTIONS": "2",
            "OIDL_SUBSET": "test",
        }
    )
    assert found["originals"]["save"] is True
    assert found["originals"]["sources"] == ["300k", "original"]
    assert found["download_metadata"] is False
    assert found["renditions"][0]["mode"] == "FillDistort"
    assert found["transfers"]["max_host_connections"] == 2
    assert found["selection"]["subsets"] == ["test"]


def test_a_switch_in_the_file_can_be_undone_by_a_flag(oidl, settings) -> None:
    (oidl.cwd / "oidl.toml").write_text("save-original-images = true\n")
    assert settings("--nosave-original-images")["originals"]["save"] is False
    assert settings("--no-save-original-images")["originals"]["save"] is False
    assert settings(env={"OIDL_SAVE_ORIGINAL_IMAGES": "false"})["originals"]["save"] is False


def test_there_is_a_thread_for_each_usable_core_unless_it_is_said_how_many(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oidl.cli.options.run.usable_cores", lambda: 5)
    assert settings()["threads"] == 5
    assert settings("--threads=3")["threads"] == 3
    assert settings(env={"OIDL_THREADS": "2"})["threads"] == 2


@pytest.mark.parametrize("how", ["flag", "flag with =", "environment"])
def test_another_file_can_be_named_and_is_read_instead(how: str, oidl, settings, tmp_path: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text("resize-box-size = 111\nmax-retries = 3\n")
    other = tmp_path / "other.toml"
    other.write_text("resize-box-size = 99\n")
    arguments = {"flag": ["--config", other], "flag with =": [f"--config={other}"], "environment": []}[how]
    found = settings(*arguments, env={"OIDL_CONFIG": str(other)} if how == "environment" else None)
    assert found["renditions"][0]["box_size"] == 99
    assert found["retries"]["max_tries"] == 15


def test_one_file_serves_every_command(oidl, fine, root: Path, tmp_path: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text(f'root-dir = "{root}"\ncatalogue = "{fine.catalogue}"\nlimit = 2\n')
    assert oidl("run").returncode == 0
    status = oidl("status", "--json")
    assert json.loads(status.stdout)["done"] == 2
    assert oidl("export-csv", "--dest", tmp_path / "csv").returncode == 0
    assert len((tmp_path / "csv/train/images-success.csv").read_text().splitlines()) == 3


def test_the_environment_serves_status_too(oidl, run, fine, root: Path) -> None:
    assert run(fine, "--limit=1").returncode == 0
    ended = oidl("status", "--json", env={"OIDL_ROOT_DIR": str(root)})
    assert json.loads(ended.stdout)["done"] == 1
