#!/usr/bin/env bash
# Run one file of tests in a process of its own, and print what it says in one piece.
said=$("$1" -X faulthandler -m pytest -q --durations=3 "$2" 2>&1)
code=$?
printf '%s\n%s\n' "$2" "$said"
exit "$code"
