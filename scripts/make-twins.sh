#!/bin/sh
# The command that makes the bundled twins: a session of the reference amp, then two trainings.
# Runs for about three hours on two cores; each step goes on where it was interrupted.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
session=build/twins/session
mkdir -p build/twins src/tubetwin/twins
[ -f $session/session.json ] || tubetwin capture --amp reference --settings 256 --seconds 6 --seed 1 -o $session
for size in standard nano; do
  tubetwin train $session --size $size --minutes 55 -o src/tubetwin/twins/$size.twin
done
