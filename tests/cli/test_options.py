"""Options say what InferenceConfig says: every setting is there, with its default and meaning."""

from __future__ import annotations

import dataclasses

import pytest
from typer.main import get_params_from_function

from midigpt_cli.commands.infill import infill
from midigpt_cli.main import COMMANDS, app, load
from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import Settings, given
from midigpt_core.request import InferenceConfig

ELSEWHERE = {"context_drop", "context_keep", "plan_only", "batch_attempts"}  # by track name; --dry-run; always so


def test_every_setting_has_an_option_with_its_meaning_and_default() -> None:
    options = get_params_from_function(infill)
    for setting in dataclasses.fields(InferenceConfig):
        if setting.name in ELSEWHERE:
            continue
        told = options[setting.name].default.help
        assert setting.metadata["help"][1:] in told
        if setting.default is not dataclasses.MISSING:
            assert (
                f"Default: {'auto' if 'auto' in told and setting.default == 0 else str(setting.default).lower()}."
                in told
            )


@pytest.mark.parametrize("name", COMMANDS)
def test_no_two_options_of_a_command_have_the_same_name(name) -> None:
    command = load(name)
    for one in getattr(command, "commands", {"": command}).values():
        names = [word for option in one.params for word in (*option.opts, *option.secondary_opts)]
        assert sorted(set(names)) == sorted(names)


def help_of(command, *words: str, columns: int = 120) -> str:
    from typer.testing import CliRunner

    return CliRunner().invoke(command, words, env={"COLUMNS": str(columns)}).output


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_cuts_no_name_and_keeps_to_the_width(name, columns) -> None:
    for word in ("--help", "--help-all"):
        text = help_of(app, name, word, columns=columns)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= columns


@pytest.mark.parametrize("name", ["infill", "continue", "generate", "loop", "jam"])
def test_help_shows_what_people_use_first_and_help_all_the_rest(name) -> None:
    short, everything = (help_of(app, name, word) for word in ("--help", "--help-all"))
    assert "--temperature" in short
    assert "more options" in short
    assert "--budget-margin" not in short
    assert "--budget-margin" in everything
    assert len(short.splitlines()) < 90 < len(everything.splitlines())


def test_a_command_of_few_options_shows_them_all() -> None:
    assert "--help-all" not in help_of(app, "info", "--help")


def test_settings_not_given_are_left_to_the_request() -> None:
    assert given(Settings()) == {}
    assert given(Settings(seed=3, silence_check=False)) == {"seed": 3, "silence_check": False}


def test_track_names_of_the_song_on_the_line_are_completed(song) -> None:
    class Line:
        params = {"songs": ["nowhere.mid"]}  # noqa: RUF012
        args = [str(song)]  # noqa: RUF012

    assert completion.tracks(Line(), "") == ["drums", "melodic", "all", "1", "Drums", "2", "Bass", "3", "Piano"]
    assert completion.tracks(Line(), "ba") == ["bass"]


@pytest.mark.parametrize(
    ("complete", "start", "word"),
    [
        (completion.models, "yel", "yellow"),
        (completion.devices, "c", "cuda"),
        (completion.attributes, "drums/note_d", "drums/note_density="),
        (completion.scales, "D:mi", "D:minor"),
        (completion.grids, "eigh", "eighth"),
        (completion.instruments, "acoustic b", "acoustic bass"),
    ],
)
def test_values_are_completed(complete, start: str, word: str) -> None:
    assert word in complete(start)
