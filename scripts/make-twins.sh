#!/bin/sh
# The command that makes the bundled twins: a session of the reference amp, then two trainings.
# Runs for an hour and three quarters on two cores; each step goes on where it was interrupted.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
session=build/twins/session
mkdir -p build/twins src/tubetwin/twins
[ -f $session/session.json ] || tubetwin capture --amp reference --settings 512 --seconds 6 --seed 1 -o $session
tubetwin train $session --size standard --minutes 62 --licence MIT -o src/tubetwin/twins/standard.twin
tubetwin train $session --size nano --minutes 16 --licence MIT -o src/tubetwin/twins/nano.twin
