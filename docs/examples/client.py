"""Fill in bars of a .mid file over HTTP, with nothing but the standard library.

python client.py song.mid out.mid --bars 5-8 --track bass --server http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
import uuid


def send(url: str, data: bytes, content_type: str, key: str = "") -> tuple[bytes, dict[str, str]]:
    """(body, headers) of the answer; a refusal becomes a SystemExit that says the server's own sentence."""
    headers = {"Content-Type": content_type} | ({"X-API-Key": key} if key else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            return answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{error.code}: {json.load(error)['detail']}") from None


def form(file: bytes, fields: dict[str, str]) -> tuple[bytes, str]:
    """(body, content type) of a multipart form with one file."""
    edge = uuid.uuid4().hex
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
    ]
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="song.mid"\r\n\r\n'.encode()
    return b"".join([*parts, head, file, f"\r\n--{edge}--\r\n".encode()]), f"multipart/form-data; boundary={edge}"


def infill(server: str, file: bytes, fields: dict[str, str], key: str = "") -> tuple[bytes, dict]:
    """(the new .mid file, the report on it)."""
    body, content_type = form(file, fields)
    made, headers = send(f"{server}/infill", body, content_type, key)
    told = {name.lower(): value for name, value in headers.items()}
    return made, json.loads(told["x-midigpt-report"])


def generate(server: str, score: dict, request: dict, key: str = "") -> dict:
    """The answer of POST /generate."""
    body = json.dumps({"score": score, "request": request}).encode()
    return json.loads(send(f"{server}/generate", body, "application/json", key)[0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("song")
    parser.add_argument("out")
    parser.add_argument("--bars", required=True)
    parser.add_argument("--track", default="all")
    parser.add_argument("--seed", default="-1")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--key", default="")
    asked = parser.parse_args()
    with open(asked.song, "rb") as file:
        song = file.read()
    fields = {"bars": asked.bars, "track": asked.track, "seed": asked.seed}
    made, report = infill(asked.server, song, fields, asked.key)
    with open(asked.out, "wb") as file:
        file.write(made)
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
