"""The settings file: defaults, and messages that name file and field."""

from pathlib import Path

import pytest

from aura_operator.settings import OperatorSettings, SettingsError, load_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n"])
def test_every_setting_has_a_default(tmp_path: Path, text: str) -> None:
    assert load_settings(written(tmp_path, text)) == load_settings(None) == OperatorSettings()


def test_settings_are_read_in_camel_case(tmp_path: Path) -> None:
    text = "images: {redis: 'mine:1'}\nstatusSeconds: 5\nresources: {redis: {limits: {memory: 2Gi}}}\n"
    settings = load_settings(written(tmp_path, text))
    assert (settings.images.redis, settings.images.kafka, settings.status_seconds) == ("mine:1", "apache/kafka:4.1.1", 5.0)
    assert settings.resources.redis.limits == {"memory": "2Gi"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers: 0", "workers: Input should be greater than or equal to 1"),
        ("images: {radis: x}", "images.radis: Extra inputs are not permitted"),
        ("serviceMonitors: maybe", "serviceMonitors: Input should be 'auto', 'always' or 'never'"),
        ("[1]", "settings: Input should be "),
        ("a: b: c", "is not valid YAML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as raised:
        load_settings(path)
    assert str(raised.value).startswith(f"{path}: {message}")


def test_all_wrong_settings_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(written(tmp_path, "workers: 0\nresyncSeconds: 0"))
    assert len(str(raised.value).splitlines()) == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no\.yaml: cannot be read: No such file or directory"):
        load_settings(tmp_path / "no.yaml")
