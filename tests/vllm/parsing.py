"""Has vLLM's own parser read command lines, in the environment that holds vLLM.

Reads a JSON list of the arguments after ``vllm serve`` and writes, for each, what it made of them
or ``null`` where it refuses them. Nothing is served, and no model is looked for.
"""

import argparse
import json
import sys

from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.utils.argparse_utils import FlexibleArgumentParser

KEPT = (
    "api_key", "enable_prompt_tokens_details", "gpu_memory_utilization", "host",
    "limit_mm_per_prompt", "max_model_len", "max_num_seqs", "mm_processor_kwargs", "model_tag",
    "port", "reasoning_parser",
)  # fmt: skip


def parsed(arguments: list[str]) -> dict[str, object] | None:
    parser = FlexibleArgumentParser()
    serve = ServeSubcommand()
    serve.subparser_init(parser.add_subparsers(dest="subparser"))
    try:
        told = parser.parse_args(["serve", *arguments])
        serve.validate(told)
    except (SystemExit, argparse.ArgumentError, ValueError, TypeError) as error:
        sys.stderr.write(f"{arguments}: {error}\n")
        return None
    return {name: getattr(told, name) for name in KEPT}


if __name__ == "__main__":
    json.dump([parsed(line) for line in json.load(sys.stdin)], sys.stdout, default=str)
