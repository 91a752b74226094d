"""A trained network as a file to hand on: small weights, facts beside them, and a model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_core.errors import TrainingError
from midigpt_core.files import whole
from midigpt_core.model.checkpoint import load_checkpoint, read_metadata, save_checkpoint
from midigpt_core.model.weight_codes import rounded

if TYPE_CHECKING:
    from midigpt_core.model.gpt2 import GPT2

DTYPES = ("float16", "bfloat16", "float32")
LATEST, LOG, SUMMARY, CARD = "latest.safetensors", "metrics.jsonl", "summary.json", "README.md"


@dataclass(frozen=True)
class PackOptions:
    """What the packed model says of itself."""

    name: str  # how it is called in its card
    licence: str = "unknown"  # SPDX identifier, e.g. CC-BY-SA-4.0
    dtype: str = "float16"  # of the stored weights
    data: str | None = None  # the data set it was trained on, for the card's table of sources
    eight_bit: bool = False  # round matrices to what the compiled decoder holds: the same music everywhere


def pack(origin: str | Path, file: str | Path, options: PackOptions) -> dict[str, Any]:
    """Write `file` (.safetensors), facts in a .json beside it and a README.md; returns the facts.

    `origin` is a checkpoint or the folder of a run. Raises TrainingError or CheckpointError.
    """
    import torch
    from safetensors import SafetensorError

    if options.dtype not in DTYPES:
        raise TrainingError(f"dtype = {options.dtype!r}: choose from {', '.join(DTYPES)}")
    folder = Path(origin)
    weights = folder / LATEST if folder.is_dir() else folder
    checkpoint = load_checkpoint(weights)
    if options.eight_bit:
        _round(checkpoint.model)
    target, facts_file, card_file = parts_of(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        save_checkpoint(target, checkpoint.model.to(getattr(torch, options.dtype)), checkpoint.encoder_config)
    except (SafetensorError, OSError) as error:
        raise TrainingError(f"{target}: cannot be written: {error}") from error
    facts = {
        "name": options.name,
        "licence": options.licence,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        **{key: value for key, value in read_metadata(target).items() if key != "encoder_config"},
        "training": run_facts(folder / LOG) if folder.is_dir() else {},
        "sources": _sources(options.data),
    }
    _write(facts_file, json.dumps(facts, indent=1) + "\n")
    _write(card_file, card(facts))
    return facts


def _round(model: GPT2) -> None:
    import torch

    held = rounded(model.config, {name: weight.float().numpy() for name, weight in model.state_dict().items()})
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in held.items()})


def parts_of(file: str | Path) -> tuple[Path, Path, Path]:
    """The files a packed model is: weights, facts, card."""
    target = Path(file)
    return target, target.with_suffix(".json"), target.parent / CARD


def run_facts(log: Path) -> dict[str, Any]:
    """Steps, tokens, hours and held-out losses of a run, from its log; {} where there is none."""
    if not log.exists():
        return {}
    events = [json.loads(line) for line in log.read_text().splitlines()]
    valid = [event for event in events if event["kind"] == "valid" and event["losses"]]
    steps = [event for event in events if event["kind"] in ("step", "done")]
    last = steps[-1] if steps else {"step": 0, "tokens": 0, "rate": 1.0}
    return {
        "steps": last["step"],
        "tokens": last["tokens"],
        "hours": round(last["tokens"] / max(1e-9, last["rate"]) / 3600, 3),
        "held_out_first": round(valid[0]["losses"]["written"], 4) if valid else None,
        "held_out_last": {key: round(value, 4) for key, value in valid[-1]["losses"].items()} if valid else {},
    }


def card(facts: dict[str, Any]) -> str:
    """A model card in Markdown: what it is, how to use it, what it was trained on."""
    shape = facts["config"]
    lines = [
        "---",
        f"license: {facts['licence'].lower()}",
        "library_name: midigpt",
        "tags: [music, midi, infilling]",
        "---",
        f"# {facts['name']}",
        "",
        "Fills in bars of multi-track MIDI songs. Use it with `midigpt infill song.mid --model FILE --bars 4-8`.",
        "",
        f"- network: GPT-2, {shape['n_layer']} layers, {shape['n_embd']} wide, {shape['n_head']} heads, "
        f"{shape['n_positions']} positions; {facts['parameters']:,} parameters as {facts['dtype']}",
        f"- licence of the weights: {facts['licence']}",
        f"- sha256: `{facts['sha256']}`",
        *_training_lines(facts["training"]),
    ]
    if facts["sources"]:
        lines += ["", "## Trained on", "", "| source | pieces | notes |", "|---|--:|--:|"]
        lines += [f"| {name} | {row['pieces']:,} | {row['notes']:,} |" for name, row in facts["sources"].items()]
    return "\n".join(lines) + "\n"


def push(file: str | Path, repo: str, private: bool = False, token: str | None = None) -> str:
    """Upload a packed model with its facts and card to the hub; returns its address. Raises TrainingError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError

    from midigpt_core.model.hub import endpoint, network_errors

    parts = parts_of(file)
    missing = [part for part in parts if not part.exists()]
    if missing:
        raise TrainingError(f"{missing[0]}: no such file; write it with `midigpt models pack` first")
    api = HfApi(endpoint=endpoint(), token=token)
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        for part in parts:
            api.upload_file(path_or_fileobj=str(part), path_in_repo=part.name, repo_id=repo)
    except HFValidationError as error:
        raise TrainingError(f"{repo}: is not a repository name; write owner/name") from error
    except LocalTokenNotFoundError as error:
        raise TrainingError(_not_allowed(repo)) from error
    except network_errors() as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise TrainingError(_not_allowed(repo)) from error
        why = f"answered {status}" if status else f"cannot be reached ({type(error).__name__})"
        raise TrainingError(f"{repo}: upload failed: the hub at {endpoint()} {why}; try again later") from error
    return str(address)


def _not_allowed(repo: str) -> str:
    return f"{repo}: the hub does not let you write there; log in with `hf auth login`, or give --token"


def _training_lines(training: dict[str, Any]) -> list[str]:
    if not training:
        return []
    lines = [f"- trained for {training['steps']:,} steps, {training['tokens']:,} tokens, {training['hours']} hours"]
    if training["held_out_last"]:
        before, after = training["held_out_first"], training["held_out_last"]["written"]
        lines.append(f"- held-out loss: {before} before, {after} after, in nats per written token")
    return lines


def _sources(data: str | None) -> dict[str, dict[str, int]]:
    """Pieces and notes of each source of a data set."""
    if data is None:
        return {}
    try:
        summary = json.loads((Path(data) / SUMMARY).read_text())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{data}: no data set summary ({error}); give the folder made by prepare") from error
    return {name: {"pieces": row.get("train", 0), "notes": row["notes"]} for name, row in summary["sources"].items()}


def _write(path: Path, text: str) -> None:
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
