"""Messages of Magenta RealTime's jam API, as its page shows them, are understood."""

from __future__ import annotations

from serving import client_of

START = {
    "type": "start",
    "mode": "rt",
    "binary_audio": False,
    "params": {
        "styles": "electronic, ambient",
        "style_weights": "1.0, 0.8",
        "temperature": 1.1,
        "topk": 40,
        "guidance_weight": 1.1,
        "pace": "realtime",
        "style_ramp_seconds": 8.0,
        "mean": 0.0,
        "centroid_weights": "0.0, 0.0, 0.0",
    },
}
UPDATE = {
    "type": "update",
    "styles": "jazz, hiphop",
    "style_weights": "1.0, 0.8",
    "temperature": 1.2,
    "topk": 64,
    "guidance_weight": 1.0,
    "mean": 0.2,
    "centroid_weights": "0.1, 0.3, 0.0",
}


def until(ws, kind):
    while True:
        told = ws.receive_json()
        assert told["type"] != "error", told
        if told["type"] == kind:
            return told


def test_start_update_and_stop_work_and_what_is_not_used_is_named():
    with client_of() as client, client.websocket_connect("ws://127.0.0.1/ws/jam") as ws:
        ws.send_json(START)
        started = until(ws, "started")
        assert started["understood"]["styles"] == ["house", "ambient"]
        assert set(started["unused"]) == {"mode", "binary_audio", "style_ramp_seconds", "mean", "centroid_weights"}
        ws.send_json(UPDATE)
        assert set(until(ws, "status")["unused"]) == {"mean", "centroid_weights"}
        ws.send_json({"type": "stop"})
        until(ws, "stopped")
