"""`midigpt osc`: accompany what is played, bar by bar, over Open Sound Control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from midigpt_cli.options.dataclass_options import command_of
from midigpt_cli.options.shared_options import ModelChoice


@dataclass(frozen=True)
class Osc:
    """The options of `osc`."""

    model: ModelChoice
    port: Annotated[int, typer.Option(help="UDP port to listen on.", min=1, max=65535)] = 7400
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "127.0.0.1"
    reply_port: Annotated[
        int | None,
        typer.Option(help="UDP port to send answers to.", min=1, max=65535, show_default="the sender's"),
    ] = None
    max_attempts: Annotated[int, typer.Option("--max-attempts", "--max_attempts", help="Attempts per bar.", min=1)] = 3
    buffer: Annotated[int, typer.Option(help="Bars to hear before writing.", min=2)] = 4
    lookahead: Annotated[int, typer.Option(help="Bars to write ahead of the playhead.", min=1)] = 1
    model_dim: Annotated[int, typer.Option("--model-dim", "--model_dim", help="Bars the model sees.", min=1)] = 8
    gen_timeout: Annotated[
        float, typer.Option("--gen-timeout", "--gen_timeout", help="Time limit for a bar, in seconds (0: none).", min=0)
    ] = 0.0


@command_of(Osc)
def osc(options: Osc) -> None:
    """Listen to a piece bar by bar and write one part of it ahead of the playhead.

    midigpt osc --port 7400 --reply-port 7401
    """
    from midigpt_cli.load_model import Model
    from midigpt_cli.osc.params import OscParams
    from midigpt_cli.osc.udp import listening

    params = OscParams(
        max_attempts=options.max_attempts,
        buffer_bars=options.buffer,
        lookahead_bars=options.lookahead,
        model_dim=options.model_dim,
        gen_timeout=options.gen_timeout,
    )
    engine = Model(options.model).engine
    with listening(engine, options.host, options.port, options.reply_port, params) as server:
        typer.echo(f"listening for OSC on {options.host}:{server.server_address[1]} (Ctrl-C stops)", err=True)
        server.serve_forever()
