"""Settings: which source wins, and what is refused, in words that name the source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.settings import Settings, load_settings, origins
from tools.errors import UserError


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no settings from the machine the tests run on."""
    for name in [n for n in os.environ if n.startswith("VIDOCQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str) -> None:
    Path("vidocq.toml").write_text(text, encoding="utf-8")


def test_defaults_need_no_model_and_stand_on_a_bare_machine() -> None:
    found = load_settings()
    backends = (found.captioner, found.detector, found.verifier, found.planner, found.embedder)
    assert set(backends) == {"embedded"}
    assert (found.false_alarm_rate, found.abstain_rate, found.max_looks) == (0.01, 0.05, None)
    assert found.home.name == "vidocq"
    assert set(origins().values()) == {"default"}


def test_the_command_line_beats_the_environment_beats_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("batch = 2\nmax_rounds = 3\nparallel = 4\n")
    monkeypatch.setenv("VIDOCQ_MAX_ROUNDS", "30")
    monkeypatch.setenv("VIDOCQ_PARALLEL", "40")
    found = load_settings({"parallel": 400, "scene": None})
    assert (found.batch, found.max_rounds, found.parallel) == (2, 30, 400)
    came = origins({"parallel": 400, "scene": None})
    assert came["batch"] == "vidocq.toml"
    assert came["max_rounds"] == "environment VIDOCQ_MAX_ROUNDS"
    assert came["parallel"] == "command line"
    assert came["scene"] == came["home"] == "default"


def test_the_settings_file_can_stand_elsewhere(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("batch = 2\n")
    other = clean / "other.toml"
    other.write_text("batch = 5\n")
    monkeypatch.setenv("VIDOCQ_CONFIG", str(other))
    assert load_settings().batch == 5
    assert origins()["batch"] == str(other)
    monkeypatch.setenv("VIDOCQ_CONFIG", str(clean / "gone.toml"))
    with pytest.raises(UserError, match=r"gone\.toml: no such settings file"):
        load_settings()


def test_the_folder_of_evaluation_data_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings()
    monkeypatch.setenv("VIDOCQ_DATA", "/data")
    assert load_settings() == before


def test_an_unknown_key_is_refused_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as caught:
        load_settings({"bacth": 3})
    assert str(caught.value) == "argument bacth is not a setting (did you mean batch?)"
    write("abstain_rat = 0.1\n")
    with pytest.raises(UserError) as caught:
        load_settings()
    assert str(caught.value) == (
        "vidocq.toml: key abstain_rat is not a setting (did you mean abstain_rate?)"
    )
    write("")
    monkeypatch.setenv("VIDOCQ_HOEM", "/x")
    with pytest.raises(UserError) as caught:
        load_settings()
    assert str(caught.value) == (
        "environment variable VIDOCQ_HOEM is not a setting (did you mean VIDOCQ_HOME?)"
    )
    monkeypatch.delenv("VIDOCQ_HOEM")
    monkeypatch.setenv("VIDOCQ_QXZ", "1")
    with pytest.raises(UserError, match=r"QXZ is not a setting \(see: vidocq config\)"):
        load_settings()


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("false_alarm_rate = 0", "false_alarm_rate (vidocq.toml): input should be greater than 0"),
        ("batch = 'many'", "batch (vidocq.toml): input should be a valid integer"),
        ("max_looks = 0", "max_looks (vidocq.toml): input should be greater than or equal to 1"),
        ("first_look = 'deep'", "first_look (vidocq.toml): input should be 'coarse' or 'fine'"),
        ("smoothing_s = nan", "smoothing_s (vidocq.toml): input should be"),
        ("max_seconds = inf", "max_seconds (vidocq.toml): input should be a finite number"),
        ("abstain_rate = 0.001", "abstain_rate must be at least false_alarm_rate"),
        (
            "smoothing = 'causal'\nsmoothing_method = 'two_way'",
            "smoothing_method two_way looks ahead; causal ones: none, ema, gaussian, majority",
        ),
        (
            "smoothing = 'none'\nsmoothing_method = 'ema'",
            "smoothing is none and smoothing_method ema: choose one",
        ),
        ("smoothing_method = 'median'", "smoothing_method (vidocq.toml): input should be 'none'"),
        ("batch = = 3", "vidocq.toml: Invalid value"),
    ],
)
def test_a_wrong_value_is_refused_naming_its_source(toml: str, message: str) -> None:
    write(toml)
    with pytest.raises(UserError) as caught:
        load_settings()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_wrong_value_of_the_environment_names_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIDOCQ_BATCH", "x")
    with pytest.raises(UserError, match=r"batch \(environment VIDOCQ_BATCH\)"):
        load_settings()


def test_a_file_that_is_not_text_is_refused() -> None:
    Path("vidocq.toml").write_bytes(b"\xff\xfe\x00b")
    with pytest.raises(UserError, match=r"vidocq\.toml: .*decode"):
        load_settings()


def test_settings_are_frozen() -> None:
    found = load_settings({"max_looks": 3, "max_seconds": 1.5})
    with pytest.raises(ValidationError):
        found.batch = 3  # type: ignore[misc]
    assert (found.budget.max_looks, found.budget.max_seconds, found.budget.max_rounds) == (
        3,
        1.5,
        200,
    )


def test_every_setting_says_what_it_is() -> None:
    """Names and defaults are what ``vidocq config`` prints; each has one line there."""
    assert set(origins()) == set(Settings.model_fields)
