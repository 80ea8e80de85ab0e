"""The kinds of experiment a node can run: name -> module with `run(attempt)`."""

KINDS = {
    "command": "kinds.command.run",
    "inference": "kinds.inference.run",
}
