"""A build that failed, explained: TensorRT's own words, the node they name, and what to try."""

import re
from collections.abc import Sequence

from cvqe.errors import BackendError

MAX_MESSAGES, MAX_CHARACTERS = 3, 400
# words of TensorRT's, in lower case, and what helps; the first that fits is said
REMEDIES = (
    (("workspace",), "Allow it more memory to work in (--memPoolSize=workspace:4096), or ask for smaller --maxShapes."),
    (
        ("out of memory", "outofmemory", "insufficient memory", "bad_alloc"),
        "Close what else uses the memory, ask for smaller --maxShapes, or for less to try "
        "(--builderOptimizationLevel=2, --memPoolSize=workspace:1024).",
    ),
    (
        ("plugin not found", "no importer registered", "plugincreator"),
        "The file holds an operation that TensorRT lacks and our plugin does not answer to; export it again:  "
        "python export/to_onnx.py",
    ),
    (
        ("unsupported data type", "unsupported type", "sequence"),
        "The file uses types that TensorRT lacks; export it again:  python export/to_onnx.py",
    ),
    (
        ("driver version is insufficient", "cuda error", "cuda initialization"),
        "The GPU's driver does not answer as TensorRT needs it; see:  python runtime/doctor.py",
    ),
    (
        ("profile", "kmin", "kmax"),
        "The shapes contradict the network; ask for one size:  --optShapes=window:1x7x720x1280",
    ),
)
OTHERWISE = "See all that TensorRT says:  --verbose"


def failed_build(what: str, messages: Sequence[str]) -> BackendError:
    """Return the error for a build that failed.

    Args:
        what: what was being done, as in "tensorrt-rtx could not build m.onnx".
        messages: TensorRT's errors, in order.
    """
    said = [_shortened(each) for each in messages[:MAX_MESSAGES]]
    lines = [f"{what}; nothing was written.", *(f"  it says: {each}" for each in said)]
    node = named_node(messages)
    if node:
        lines.append(f"  at node: {node}")
    return BackendError("\n".join([*lines, remedy(messages)]))


def remedy(messages: Sequence[str]) -> str:
    """Return what to try, from the words TensorRT used."""
    text = "\n".join(messages).lower()
    return next((advice for words, advice in REMEDIES if any(word in text for word in words)), OTHERWISE)


def named_node(messages: Sequence[str]) -> str | None:
    """Return the node that the builder names, as in `for node {ForeignNode[a...b]}` or `[node_conv2d]`."""
    for pattern in (r"for node \{([^}\n]+)\}", r"\bnode[ :]+([\w./]*\w+)", r"\[(/?\w*node_[\w./]+)"):
        for message in messages:
            found = re.search(pattern, message + " ", re.IGNORECASE)
            if found:
                return found[1]
    return None


def _shortened(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 4] + " ..."
