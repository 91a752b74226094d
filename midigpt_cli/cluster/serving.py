"""`midigpt serve` as a Ray Serve application: replicas with a model each, more of them while requests wait."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midigpt_cli.cluster.connect import ray_module
from midigpt_core.fields import nearest, refused

if TYPE_CHECKING:
    from midigpt_cli.commands.serve import Serve

SCALING = {"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 8}  # a Serve config file says otherwise
WAITING = 64  # requests sent to a replica at once; more wait outside, where they are seen as a reason for another


def app(args: Mapping[str, Any]) -> Any:
    """The application; `args` are the options of `midigpt serve`, with underscores.

    `serve run midigpt_cli.cluster:app model=open job_store=postgresql://...`, or the `args` of a Serve config file.
    Raises MidiGptError where Ray is missing, RequestValidationError for an option that is not known.
    """
    ray_module()
    from ray import serve

    options = options_of(args)
    threads = options.served.threads or 1
    needs = {"num_cpus": threads, "num_gpus": 1 if options.served.device.startswith("cuda") else 0}

    def build() -> Any:
        """In each replica: its own server, with its models loaded."""
        from midigpt_cli.commands.serve import application
        from midigpt_cli.gc_tuning import collect_as_usual

        made, _ = application(options, listens=False)
        collect_as_usual()
        return made

    @serve.deployment(name="midigpt", autoscaling_config=SCALING, max_ongoing_requests=WAITING, ray_actor_options=needs)
    @serve.ingress(build)
    class Replica:
        """What Serve starts and ends; all it does is the application's."""

    return Replica.bind()  # type: ignore[attr-defined]


def options_of(args: Mapping[str, Any]) -> Serve:
    """The options of `midigpt serve` by their names. Raises RequestValidationError for one that is not known."""
    from midigpt_cli.commands.serve import Listening, Serve, Served

    of_models = [option.name for option in dataclasses.fields(Served)]
    of_server = [option.name for option in dataclasses.fields(Listening)]
    for name in args:
        if name not in (*of_models, *of_server):
            raise refused(
                f"args.{name}", None, "is not an option of midigpt serve", nearest(name, (*of_models, *of_server))
            )
    models = {name: args[name] for name in of_models if name in args}
    if isinstance(models.get("model"), str):
        models["model"] = [models["model"]]
    models.setdefault("threads", 1)
    return Serve(served=Served(**models), listening=Listening(**{k: v for k, v in args.items() if k in of_server}))
