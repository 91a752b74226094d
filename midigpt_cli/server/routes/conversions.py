"""GET byId under the paths of MusicGPT's API: how a transcription is doing, in that API's words."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query, Request

from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.jobs_in_memory import Job, moment
from midigpt_cli.server.routes.transcribe import NOTES, SOUND
from midigpt_cli.server.state import state_of

router = APIRouter(tags=["audio"], include_in_schema=False)
KIND = "AUDIO_TO_MIDI"
STATUSES = {"queued": "IN_QUEUE", "running": "PROCESSING", "succeeded": "COMPLETED"}  # all others: FAILED


@router.get("/api/public/v1/byId")
@router.get("/v1/byId")
async def by_id(
    request: Request,
    kind: str = Query(KIND, alias="conversionType"),
    task_id: str | None = None,
    conversion_id: str | None = None,
) -> dict[str, Any]:
    """The conversion of this id; its addresses once it is finished."""
    if kind.upper() != KIND:
        raise RefusalError(422, f"conversionType {kind[:40]!r} is not supported; use {KIND}", field="conversionType")
    if (task_id is None) == (conversion_id is None):
        raise RefusalError(422, "give task_id or conversion_id, one of them", field="task_id")
    job = state_of(request).jobs.get(task_id or conversion_id or "")
    return {"success": job.status != "failed", "conversion": _told(job, str(request.base_url).rstrip("/"))}


def _told(job: Job, root: str) -> dict[str, Any]:
    status = STATUSES.get(job.status, "FAILED")
    error = job.failure() or {}
    working = job.work.progress.stage if job.outcome is None else ""
    message = error.get("detail") or working or {"COMPLETED": "Conversion successful"}.get(status, "in the queue")
    midi = f"{root}/jobs/{job.id}/takes/0.mid" if 0 in job.takes and job.ended else None
    files = {name: f"{root}/jobs/{job.id}/files/{name}" for name in job.files if job.ended}
    return {
        "task_id": job.id,
        "conversion_id": job.id,
        "conversion_type": KIND,
        "status": status,
        "status_msg": message,
        "midi_url": midi,
        "audio_url": files.get(SOUND),
        "note_events_url": files.get(NOTES),
        "conversion_path": midi,
        "conversion_cost": 0,
        "createdAt": moment(job.created),
        "updatedAt": moment(job.ended or job.created),
    }
