"""The loop learns, ends in time, and a run that was killed goes on as if nothing had happened."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from midigpt_core.errors import TrainingError
from midigpt_core.model.checkpoint import load_checkpoint
from midigpt_core.train import training_run as run_module
from midigpt_core.train.batches import Drawer, Feeder
from midigpt_core.train.draw_windows import Reads
from midigpt_core.train.optimise import rate_factor
from midigpt_core.train.training_config import RunConfig, config_dict, config_from, load_config
from midigpt_core.train.training_run import LATEST, STATE, RunPlan, train

pytest.importorskip("lightning_fabric", reason="training needs the train extra")


class PowerCutError(Exception):
    """The run ends in the middle."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / LATEST).model.state_dict()


def plan(data: Path, out: Path, **changes: Any) -> RunPlan:
    return RunPlan(str(data), str(out), accelerator="cpu", **changes)


def test_training_lowers_the_loss_and_its_file_loads(data: Path, tmp_path: Path, tiny: Any) -> None:
    events: list[dict[str, Any]] = []
    result = train(plan(data, tmp_path), tiny(steps=25, model={"n_embd": 32, "n_layer": 1, "n_head": 2}), events.append)
    first = next(event for event in events if event["kind"] == "valid")
    assert result["valid"]["written"] < 0.9 * first["losses"]["written"]
    assert {"rate", "remaining", "memory"} <= result.keys()
    assert load_checkpoint(tmp_path / LATEST).encoder_config.num_bars_map == (4, 8, 12, 16)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_killed_and_resumed_equals_uninterrupted(data: Path, tmp_path: Path, tiny: Any, name: str) -> None:
    config = tiny(optimiser={"name": name, "ema": 0.9, "warmup_steps": 2}, save_minutes=0.0, valid_windows=0)
    train(plan(data, tmp_path / "whole"), config)

    def kill_after_four(event: dict[str, Any]) -> None:
        if event["kind"] == "saved" and event["step"] == 4:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train(plan(data, tmp_path / "cut"), config, kill_after_four)
    train(plan(data, tmp_path / "cut", resume=True), config)
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_steps_drawn_ahead_are_the_steps_drawn_in_place(data: Path, tiny: Any) -> None:
    config = tiny(workers=1)
    own = Drawer(str(data), config, Reads(512))
    with Feeder(str(data), config, Reads(512)) as feeder:
        for step in range(3):
            for ahead, here in zip(feeder.step(step, lambda _: False), own.step(step, False), strict=True):
                assert np.array_equal(ahead.ids, here.ids)
                assert np.array_equal(ahead.weights, here.weights)


def test_processes_share_out_the_windows_of_a_step(data: Path, tiny: Any) -> None:
    config = tiny(windows_per_step=6, windows={"budgets": {"256": 1.0}, "late_start": 0.0})
    rows = [sorted(map(tuple, b.ids.tolist())) for b in Drawer(str(data), config, Reads(512)).step(0, False)]
    parts = [
        row for rank in (0, 1) for b in Drawer(str(data), config, Reads(512), rank, 2).step(0, False) for row in b.ids
    ]
    stripped = {tuple(np.trim_zeros(np.array(row), "b")) for batch in rows for row in batch}
    assert {tuple(np.trim_zeros(row, "b")) for row in parts} == stripped


def test_a_time_budget_ends_the_run_with_the_rate_at_zero(data: Path, tmp_path: Path, tiny: Any) -> None:
    config = tiny(optimiser={"schedule": "linear", "warmup_steps": 0}, steps=1, valid_windows=0)
    result = train(plan(data, tmp_path, seconds=1.0), config)
    assert result["step"] > 1
    assert result["learning_rate"] == 0.0


def test_a_time_budget_holds_with_the_held_out_loss_before_and_after(
    data: Path, tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of its own: a window takes a second to measure, a step five."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock, real = Clock(), run_module._Training.step

    def slow_losses(model: Any, examples: Any, tokens: int) -> dict[str, float]:
        clock.now += len(examples)
        return {"written": 1.0}

    def slow_step(self: Any, batches: Any) -> Any:
        clock.now += 5
        return real(self, batches)

    monkeypatch.setattr(run_module, "time", clock)
    monkeypatch.setattr(run_module, "losses", slow_losses)
    monkeypatch.setattr(run_module._Training, "step", slow_step)
    result = train(plan(data, tmp_path, seconds=45.0), tiny(valid_windows=64, valid_every=0))
    assert 35 <= clock.now <= 45
    assert result["step"] >= 5
    assert result["valid"] == {"written": 1.0}


def test_schedules_start_low_peak_and_end_at_zero() -> None:
    for schedule in ("cosine", "linear"):
        config = config_from({"optimiser": {"schedule": schedule, "warmup_steps": 10}}).optimiser
        assert rate_factor(0, 0.0, config) == pytest.approx(0.1)
        assert rate_factor(10, 0.01, config) > 0.99
        assert rate_factor(100, 1.0, config) == pytest.approx(0.0, abs=1e-9)


def test_fine_tuning_starts_from_the_checkpoint(data: Path, tmp_path: Path, tiny: Any) -> None:
    trained = train(plan(data, tmp_path / "a"), tiny(steps=8))["valid"]["written"]
    events: list[dict[str, Any]] = []
    train(plan(data, tmp_path / "b", init=str(tmp_path / "a" / LATEST)), tiny(steps=1), events.append)
    first = next(event["losses"]["written"] for event in events if event["kind"] == "valid")
    assert first == pytest.approx(trained, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz = 3", "did you mean 'steps'"),
        ("[model]\nn_embed = 64", "did you mean 'n_embd'"),
        ("steps = 0", "steps = 0 is too small; use at least 1"),
        ("steps = 'many'", "is not an integer"),
        ("[optimiser]\nname = 'sgd'", "is not known; known: adamw, muon"),
        ("[[mix]]\nsources = []", "is empty; name at least one"),
        ("steps = [", "not readable as TOML"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "model.toml"
    file.write_text(text)
    with pytest.raises(TrainingError, match=message):
        load_config(file)


def test_settings_survive_their_plain_form() -> None:
    config = config_from({"mix": [{"sources": ["a", "b"], "share": 2.0}], "steps": 7})
    assert config_from(config_dict(config)) == config
    assert config_from({}) == RunConfig()


def test_resuming_nothing_is_refused(data: Path, tmp_path: Path, tiny: Any) -> None:
    with pytest.raises(TrainingError, match="no saved state"):
        train(plan(data, tmp_path, resume=True), tiny())


def test_places_that_a_checkpoint_learns_anew_change_nothing_at_first(data: Path, tmp_path: Path, tiny: Any) -> None:
    trained = train(plan(data, tmp_path / "a"), tiny(steps=8))["valid"]["written"]
    events: list[dict[str, Any]] = []
    told = tiny(steps=12, model={"places": True})
    train(plan(data, tmp_path / "b", init=str(tmp_path / "a" / LATEST)), told, events.append)
    first = next(event["losses"]["written"] for event in events if event["kind"] == "valid")
    assert first == pytest.approx(trained, abs=1e-4)
    found = weights(tmp_path / "b")
    learnt = [name for name in found if ".places." in name]
    assert len(learnt) == 6
    assert found["harmony_head"].abs().max() > 0
    assert all(found[name].abs().max() > 0 for name in learnt)


def test_what_is_trained_is_what_writes(data: Path, tmp_path: Path, tiny: Any) -> None:
    """The network, told places as in training, gives the logits that its cache gives token by token."""
    train(plan(data, tmp_path), tiny(steps=8, model={"n_embd": 32, "n_layer": 1, "n_head": 2, "places": True}))
    model = load_checkpoint(tmp_path / LATEST).model
    batch = Drawer(str(data), tiny(), Reads(512, model.config.places)).step(0, False)[0]
    assert batch.places is not None
    with torch.no_grad():
        trained = model(torch.from_numpy(batch.ids), places=torch.from_numpy(batch.places))[0]
    model.exact = True
    cache, ids = model.new_cache(), batch.ids[0].tolist()
    length = int((batch.weights[0] > 0).sum())
    rows = [cache.prefill(0, ids[:20]), *(cache.step([0], [token])[0] for token in ids[20:length])]
    assert torch.allclose(trained[19:length], torch.stack([torch.as_tensor(row) for row in rows]), atol=1e-4)


def test_branch_off_a_run_at_constant_rate_decays_to_zero_and_leaves_the_run_as_it_is(
    data: Path, tmp_path: Path, tiny: Any
) -> None:
    config = tiny(steps=6, optimiser={"schedule": "constant", "warmup_steps": 2})
    level = train(plan(data, tmp_path / "run"), config)
    assert level["learning_rate"] == config.optimiser.learning_rate
    before = (tmp_path / "run" / STATE).read_bytes()
    end = train(plan(data, tmp_path / "branch", decay_from=str(tmp_path / "run")), config)
    assert (end["step"], end["learning_rate"]) == (12, 0.0)
    assert end["tokens"] > level["tokens"]
    assert (tmp_path / "run" / STATE).read_bytes() == before
    assert train(plan(data, tmp_path / "run", resume=True), dataclasses.replace(config, steps=8))["step"] == 8
