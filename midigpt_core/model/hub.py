"""Turn a model name into a file on this machine, fetching it from the hub where it must be fetched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from midigpt_core.errors import CheckpointError, CheckpointMissingError
from midigpt_core.model import hub_cache
from midigpt_core.model.names import HubReference, default_model, pick, understand

_PATIENCE_SECONDS = 5.0


def resolve(
    name: str | HubReference | None = None,
    filename: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    refresh: bool = False,
) -> Path:
    """The checkpoint file of a name (None: the default model); see `names.understand` for what a name may be.

    What was downloaded before is used without asking the hub, so that a name means the same weights every day;
    `refresh` asks for the newest. Raises CheckpointError: unknown, missing, gated, offline, broken off, damaged.
    """
    reference = name if isinstance(name, HubReference) else understand(name or default_model(), filename, revision)
    if isinstance(reference, Path):
        if not reference.exists():
            raise CheckpointMissingError(f"{reference}: no such file; see midigpt models list for names that work")
        return reference
    cached = None if refresh else hub_cache.cached_file(reference)
    return cached or download(reference, token)


def download(reference: HubReference, token: str | None = None) -> Path:
    """Fetch the newest file a reference picks, check its checksum, and return it. Raises CheckpointError."""
    if is_offline():
        raise CheckpointError(_offline_sentence(reference, "HF_HUB_OFFLINE is set"))
    from huggingface_hub import HfApi

    with _told(reference):
        _knock()
        api = HfApi(endpoint=endpoint(), token=token)
        chosen = reference.filename or _pick(api, reference)
        file = Path(
            api.hf_hub_download(
                reference.repo, chosen, revision=reference.revision, cache_dir=hub_cache.cache_folder(), token=token
            )
        )
    hub_cache.check(file, str(reference))
    return file


def is_offline() -> bool:
    """Whether the environment forbids asking the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _knock() -> None:
    """Raise OSError within seconds where there is no way to the hub: its client would try again for half a minute."""
    import socket
    from urllib.request import getproxies

    hub = urlsplit(endpoint())
    if not getproxies().get(hub.scheme):
        port = hub.port or {"http": 80}.get(hub.scheme, 443)
        socket.create_connection((hub.hostname or "", port), timeout=_PATIENCE_SECONDS).close()


def endpoint() -> str:
    """Address of the hub."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def network_errors() -> tuple[type[Any], ...]:
    """Whatever the hub client raises where the hub does not answer, or answers no; of its HTTP library too."""
    from huggingface_hub import errors

    of_http_library = [kind for kind in errors.HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"]
    return errors.HfHubHTTPError, OSError, *of_http_library


def _pick(api: Any, reference: HubReference) -> str:
    files = sorted(api.list_repo_files(reference.repo, revision=reference.revision))
    chosen = pick(files, reference.prefix)
    if chosen:
        return chosen
    have = ", ".join(file for file in files if file.endswith((".safetensors", ".pt"))) or "none"
    wanted = f"a checkpoint {reference.prefix}-*" if reference.prefix else "exactly one checkpoint"
    raise CheckpointError(f"{reference.repo} does not hold {wanted}; it has: {have}. Say which: owner/repo:file")


@contextmanager
def _told(reference: HubReference) -> Iterator[None]:
    """Turn the hub client's errors into one sentence each."""
    from huggingface_hub import errors

    network = network_errors()
    try:
        yield
    except errors.GatedRepoError as error:
        raise CheckpointError(_gated_sentence(reference)) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{reference.repo} has no revision {reference.revision!r}; see its page") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"repository {reference.repo} does not exist, or is private: check the spelling, or log in (hf auth login)"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise CheckpointError(_offline_sentence(reference, "the hub cannot be reached")) from error
    except errors.EntryNotFoundError as error:
        raise CheckpointError(f"{reference.repo} has no file {reference.filename!r}; see its page") from error
    except network as error:
        raise CheckpointError(_network_sentence(reference, error)) from error


def _network_sentence(reference: HubReference, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return _gated_sentence(reference)
    if status:
        return f"model {reference}: the hub answered {status}; try again later"
    return _offline_sentence(reference, f"the hub cannot be reached ({type(error).__name__})")


def _gated_sentence(reference: HubReference) -> str:
    return (
        f"model {reference} is gated: accept its licence at {endpoint()}/{reference.repo}, then run `hf auth login` "
        "or set HF_TOKEN"
    )


def _offline_sentence(reference: HubReference, why: str) -> str:
    half = hub_cache.half_downloaded(reference)
    if half:
        return (
            f"model {reference} is only half downloaded ({half / 1e6:.1f} MB so far) and {why}; "
            f"go on with: midigpt models pull {reference}"
        )
    return f"model {reference} is not downloaded and {why}; go online once, or use --model open"
